import Core
import Glibc

/// What a message of a measurement carries: when it was sent, by whom, and its number.
///
/// ```
///   @ tttttttttttttttt rrrrrrrr pppp ssssssss ;      hexadecimal, 38 bytes
///     nanoseconds      run      who  sequence
/// ```
///
/// Its characters mean nothing to JSON or to event streams, so it is found in whatever frame it arrives.
public struct Marker: Equatable, Sendable {
  public static let length = 38

  var nanoseconds: UInt64
  var run: UInt32
  var publisher: UInt16
  /// Counted from 1 for each publisher and topic.
  var sequence: UInt32

  func write(into buffer: inout ByteBuffer) {
    let start = buffer.reserve(Marker.length)
    start.storeBytes(of: UInt8(ascii: "@"), as: UInt8.self)
    Marker.write(nanoseconds, digits: 16, to: start + 1)
    Marker.write(UInt64(run), digits: 8, to: start + 17)
    Marker.write(UInt64(publisher), digits: 4, to: start + 25)
    Marker.write(UInt64(sequence), digits: 8, to: start + 29)
    start.storeBytes(of: UInt8(ascii: ";"), toByteOffset: 37, as: UInt8.self)
    buffer.advance(Marker.length)
  }

  /// The marker that begins at `start`, of which `length` bytes are there; nil if it is none.
  @inline(__always) init?(at start: UnsafeRawPointer) {
    guard start.load(fromByteOffset: 37, as: UInt8.self) == UInt8(ascii: ";"),
      let nanoseconds = Marker.read(start + 1, digits: 16), let run = Marker.read(start + 17, digits: 8),
      let publisher = Marker.read(start + 25, digits: 4), let sequence = Marker.read(start + 29, digits: 8)
    else { return nil }
    self.init(nanoseconds: nanoseconds, run: UInt32(run), publisher: UInt16(publisher), sequence: UInt32(sequence))
  }

  init(nanoseconds: UInt64, run: UInt32, publisher: UInt16, sequence: UInt32) {
    self.nanoseconds = nanoseconds
    self.run = run
    self.publisher = publisher
    self.sequence = sequence
  }

  /// Hands every whole marker to `found`; the result is how many bytes are done with: a marker that is cut at the end is not.
  @inline(__always) static func scan(_ bytes: UnsafeRawBufferPointer, _ found: (Marker) -> Void) -> Int {
    guard let base = bytes.baseAddress else { return 0 }
    var at = 0
    while at < bytes.count, let place = memchr(base + at, Int32(UInt8(ascii: "@")), bytes.count - at) {
      at = UnsafeRawPointer(place) - base
      guard bytes.count - at >= length else { return at }
      if let marker = Marker(at: base + at) {
        found(marker)
        at += length
      } else {
        at += 1
      }
    }
    return bytes.count
  }

  @inline(__always) private static func write(_ value: UInt64, digits: Int, to start: UnsafeMutableRawPointer) {
    var rest = value
    for place in stride(from: digits - 1, through: 0, by: -1) {
      let digit = UInt8(truncatingIfNeeded: rest & 15)
      start.storeBytes(of: digit < 10 ? digit + 0x30 : digit + 0x57, toByteOffset: place, as: UInt8.self)
      rest >>= 4
    }
  }

  @inline(__always) private static func read(_ start: UnsafeRawPointer, digits: Int) -> UInt64? {
    var value: UInt64 = 0
    for place in 0..<digits {
      let byte = start.load(fromByteOffset: place, as: UInt8.self)
      let digit: UInt8
      switch byte {
      case 0x30...0x39: digit = byte &- 0x30
      case 0x61...0x66: digit = byte &- 0x57
      default: return nil
      }
      value = value << 4 | UInt64(digit)
    }
    return value
  }
}

/// What one subscriber has seen of one publisher: the last number, and which of the 64 up to it.
struct SequenceWindow: Sendable {
  enum Verdict: Equatable {
    /// New; so many numbers before it have not come yet.
    case new(skipped: UInt32)
    /// It had been skipped and came after all.
    case late
    case duplicate
  }

  private(set) var last: UInt32 = 0
  /// Bit k: `last - k` was seen.
  private var seen: UInt64 = 0

  @inline(__always) mutating func take(_ sequence: UInt32) -> Verdict {
    if sequence > last {
      let step = sequence - last
      seen = step >= 64 ? 1 : seen << UInt64(step) | 1
      last = sequence
      return .new(skipped: step - 1)
    }
    let back = UInt64(last - sequence)
    // What is older than the window cannot be told from a repetition, and is one far more often.
    guard back < 64, seen >> back & 1 == 0 else { return .duplicate }
    seen |= 1 << back
    return .late
  }
}
