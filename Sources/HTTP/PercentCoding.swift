public import Core

/// Percent-encoding of targets, both ways.
public enum PercentCoding {
  /// Appends what `range` means to `buffer`; false, and nothing appended, when an escape is not two hexadecimal digits.
  ///
  /// The result may hold any byte, NUL included: who decodes judges what comes out.
  public static func decode(
    _ range: Range<Int>, in input: RawSpan, plusIsSpace: Bool = false, into buffer: inout ByteBuffer
  ) -> Bool {
    let before = buffer.count
    var cursor = Cursor(range, plusIsSpace: plusIsSpace)
    while let byte = cursor.next(in: input) { buffer.append(byte) }
    if cursor.isMalformed { buffer.truncate(to: before) }
    return !cursor.isMalformed
  }

  /// Whether `range` means exactly `text`; false when it is malformed.
  public static func equals(_ range: Range<Int>, in input: RawSpan, _ text: StaticString, plusIsSpace: Bool = false) -> Bool {
    var cursor = Cursor(range, plusIsSpace: plusIsSpace)
    var index = 0
    while let byte = cursor.next(in: input) {
      guard index < text.utf8CodeUnitCount, byte == text.utf8Start[index] else { return false }
      index += 1
    }
    return !cursor.isMalformed && index == text.utf8CodeUnitCount
  }

  /// Appends `bytes` as part of a path: slashes stay, whatever may not stand bare is escaped.
  public static func encode(path bytes: RawSpan, into buffer: inout ByteBuffer) {
    encode(bytes, bare: .barePath, into: &buffer)
  }

  /// Appends `bytes` as a name or value of a query.
  public static func encode(queryPart bytes: RawSpan, into buffer: inout ByteBuffer) {
    encode(bytes, bare: .unreserved, into: &buffer)
  }

  private static func encode(_ bytes: RawSpan, bare: CharacterClass, into buffer: inout ByteBuffer) {
    for at in 0..<bytes.byteCount {
      let byte = bytes.byte(at: at)
      if bare.contains(byte) { buffer.append(byte) } else { append(escaped: byte, into: &buffer) }
    }
  }

  static func append(escaped byte: UInt8, into buffer: inout ByteBuffer) {
    buffer.append(UInt8(ascii: "%"))
    for digit in [byte >> 4, byte & 15] {
      buffer.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10)
    }
  }

  /// Decoded bytes one at a time.
  struct Cursor {
    private var at: Int
    private let end: Int
    private let plusIsSpace: Bool
    private(set) var isMalformed = false

    init(_ range: Range<Int>, plusIsSpace: Bool) {
      at = range.lowerBound
      end = range.upperBound
      self.plusIsSpace = plusIsSpace
    }

    @inline(__always) mutating func next(in input: RawSpan) -> UInt8? {
      guard at < end else { return nil }
      let byte = input.byte(at: at)
      if byte == UInt8(ascii: "%") {
        guard at + 2 < end, let high = input.byte(at: at + 1).hexadecimalValue,
          let low = input.byte(at: at + 2).hexadecimalValue
        else {
          isMalformed = true
          return nil
        }
        at += 3
        return high << 4 | low
      }
      at += 1
      return plusIsSpace && byte == UInt8(ascii: "+") ? .space : byte
    }
  }
}
