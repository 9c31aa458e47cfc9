/// Checks UTF-8 that arrives in pieces, cut anywhere, and fails on the first byte that no valid text could have there.
///
/// The state is what the next byte may be: how many continuation bytes are owed, and the bounds of the nearest one.
/// Bounds narrower than 80...BF are what refuses overlong forms (E0, F0), surrogates (ED) and code points above
/// U+10FFFF (F4) one byte after the lead, not at the end of the sequence.
public struct UTF8Validator: Sendable {
  @usableFromInline var owed: UInt8 = 0
  @usableFromInline var lowest: UInt8 = 0x80
  @usableFromInline var highest: UInt8 = 0xbf

  @inlinable public init() {}

  /// Whether what was consumed ends at the end of a character.
  @inlinable public var isComplete: Bool { owed == 0 }

  /// Checks the next bytes. Once false, always false.
  @inlinable public mutating func consume(_ bytes: RawSpan) -> Bool {
    bytes.withUnsafeBytes { consume($0) }
  }

  /// Checks the next bytes. Once false, always false.
  public mutating func consume(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let start = bytes.baseAddress else { return !hasFailed }
    let end = bytes.count
    var at = 0
    while true {
      while owed > 0 {
        guard at < end else { return !hasFailed }
        let byte = start.load(fromByteOffset: at, as: UInt8.self)
        guard byte >= lowest, byte <= highest else { return fail() }
        at += 1
        owed -= 1
        lowest = 0x80
        highest = 0xbf
      }
      at = UTF8Validator.skipCharacters(start, from: at, to: end)
      guard at < end else { return true }
      guard begin(start.load(fromByteOffset: at, as: UInt8.self)) else { return fail() }
      at += 1
    }
  }

  /// Whether `bytes` are valid UTF-8 from beginning to end.
  public static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var validator = UTF8Validator()
    return validator.consume(bytes) && validator.isComplete
  }

  /// Skips valid characters that lie whole before `end`, four bytes of room at a time. Whatever it stops at, be it bad or
  /// only near the end, is for the state to judge.
  @inline(__always) private static func skipCharacters(_ start: UnsafeRawPointer, from: Int, to end: Int) -> Int {
    @inline(__always) func byte(_ offset: Int) -> UInt8 { start.load(fromByteOffset: offset, as: UInt8.self) }
    @inline(__always) func continues(_ offset: Int) -> Bool { byte(offset) & 0xc0 == 0x80 }
    var at = skipASCII(start, from: from, to: end)
    while end - at >= 4 {
      let lead = byte(at)
      if lead < 0x80 {
        at = skipASCII(start, from: at, to: end)
      } else if lead < 0xe0 {
        guard lead >= 0xc2, continues(at + 1) else { return at }
        at += 2
      } else if lead < 0xf0 {
        let second = byte(at + 1)
        let lowest: UInt8 = lead == 0xe0 ? 0xa0 : 0x80
        let highest: UInt8 = lead == 0xed ? 0x9f : 0xbf
        guard second >= lowest, second <= highest, continues(at + 2) else { return at }
        at += 3
      } else {
        let second = byte(at + 1)
        let lowest: UInt8 = lead == 0xf0 ? 0x90 : 0x80
        let highest: UInt8 = lead == 0xf4 ? 0x8f : 0xbf
        guard lead <= 0xf4, second >= lowest, second <= highest, continues(at + 2), continues(at + 3) else { return at }
        at += 4
      }
    }
    return skipASCII(start, from: at, to: end)
  }

  /// The offset of the first byte at or after `from` that is not ASCII, or `end`.
  @inline(__always) private static func skipASCII(_ start: UnsafeRawPointer, from: Int, to end: Int) -> Int {
    let highBits: UInt64 = 0x8080_8080_8080_8080
    var at = from
    while end - at >= 32 {
      let first = start.loadUnaligned(fromByteOffset: at, as: UInt64.self)
      let second = start.loadUnaligned(fromByteOffset: at + 8, as: UInt64.self)
      let third = start.loadUnaligned(fromByteOffset: at + 16, as: UInt64.self)
      let fourth = start.loadUnaligned(fromByteOffset: at + 24, as: UInt64.self)
      if (first | second | third | fourth) & highBits != 0 { break }
      at += 32
    }
    while end - at >= 8 {
      let found = UInt64(littleEndian: start.loadUnaligned(fromByteOffset: at, as: UInt64.self)) & highBits
      if found != 0 { return at + found.trailingZeroBitCount / 8 }
      at += 8
    }
    while at < end, start.load(fromByteOffset: at, as: UInt8.self) < 0x80 { at += 1 }
    return at
  }

  /// Takes a byte that is not ASCII where a character begins.
  @inline(__always) private mutating func begin(_ lead: UInt8) -> Bool {
    switch lead {
    case 0xc2...0xdf: owed = 1
    case 0xe0...0xef:
      owed = 2
      if lead == 0xe0 { lowest = 0xa0 }
      if lead == 0xed { highest = 0x9f }
    case 0xf0...0xf4:
      owed = 3
      if lead == 0xf0 { lowest = 0x90 }
      if lead == 0xf4 { highest = 0x8f }
    default: return false
    }
    return true
  }

  /// A failure is an owed byte that no byte can be.
  private var hasFailed: Bool { lowest > highest }

  private mutating func fail() -> Bool {
    owed = 1
    lowest = 1
    highest = 0
    return false
  }
}
