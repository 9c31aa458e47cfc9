public import Core

/// Decodes strings that a reader of this module has found.
public enum JSONText {
  /// The name of a member, decoded.
  public static func name(of member: JSONMember, in bytes: RawSpan) throws(JSONError) -> String {
    try string(bytes, member.name.lowerBound - 1..<member.name.upperBound + 1)
  }

  /// Appends the text of the string value at `range`, quotes included, as UTF-8.
  public static func decodeString(_ bytes: RawSpan, _ range: Range<Int>, into buffer: inout ByteBuffer) throws(JSONError) {
    precondition(range.count >= 2 && bytes.byte(at: range.lowerBound) == UInt8(ascii: "\""), "the range of a string value")
    try decode(bytes, range.lowerBound + 1..<range.upperBound - 1, into: &buffer)
  }

  /// The text of the string value at `range`, quotes included.
  public static func string(_ bytes: RawSpan, _ range: Range<Int>) throws(JSONError) -> String {
    var buffer = ByteBuffer()
    try decodeString(bytes, range, into: &buffer)
    return buffer.bytes.text(0..<buffer.count)
  }

  /// The integer that the number at `range` says, nil when it is none or does not fit.
  public static func integer(_ bytes: RawSpan, _ range: Range<Int>) -> Int? {
    var at = range.lowerBound
    guard at < range.upperBound else { return nil }
    let isNegative = bytes.byte(at: at) == UInt8(ascii: "-")
    if isNegative { at += 1 }
    var value = 0
    guard at < range.upperBound else { return nil }
    while at < range.upperBound {
      let byte = bytes.byte(at: at)
      guard byte.isDigit else { return nil }
      let (scaled, tooBig) = value.multipliedReportingOverflow(by: 10)
      let digit = Int(byte - UInt8(ascii: "0"))
      // Counted downwards: the most negative integer has no positive counterpart.
      let (sum, tooMuch) = scaled.subtractingReportingOverflow(digit)
      guard !tooBig, !tooMuch else { return nil }
      value = sum
      at += 1
    }
    if isNegative { return value }
    return value == .min ? nil : -value
  }

  /// Whether a member is named `name`, however the text spells it.
  public static func name(of member: JSONMember, in bytes: RawSpan, is name: StaticString) -> Bool {
    let expected = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    if !member.nameIsEscaped {
      guard member.name.count == expected.count else { return false }
      for place in 0..<expected.count where bytes.byte(at: member.name.lowerBound + place) != expected[place] { return false }
      return true
    }
    var decoded = ByteBuffer()
    do throws(JSONError) {
      try decode(bytes, member.name, into: &decoded)
    } catch {
      return false
    }
    return decoded.withUnsafeBytes { $0.elementsEqual(expected) }
  }

  /// Appends the text between the quotes of a valid string.
  static func decode(_ bytes: RawSpan, _ content: Range<Int>, into buffer: inout ByteBuffer) throws(JSONError) {
    var at = content.lowerBound
    while at < content.upperBound {
      var runEnd = at
      while runEnd < content.upperBound, bytes.byte(at: runEnd) != UInt8(ascii: "\\") { runEnd &+= 1 }
      buffer.append(bytes.extracting(at..<runEnd))
      guard runEnd < content.upperBound else { return }
      let escaped = bytes.byte(at: runEnd + 1)
      at = runEnd + 2
      switch escaped {
      case UInt8(ascii: "b"): buffer.append(0x08 as UInt8)
      case UInt8(ascii: "f"): buffer.append(0x0C as UInt8)
      case UInt8(ascii: "n"): buffer.append(0x0A as UInt8)
      case UInt8(ascii: "r"): buffer.append(0x0D as UInt8)
      case UInt8(ascii: "t"): buffer.append(0x09 as UInt8)
      case UInt8(ascii: "u"):
        let scalar = try unicodeEscape(bytes, from: runEnd, until: content.upperBound)
        buffer.append(scalar: scalar.value)
        at = scalar.end
      default: buffer.append(escaped)
      }
    }
  }

  /// The scalar that the `\uXXXX` at `start` says, together with the low surrogate after it if it is a high one.
  static func unicodeEscape(
    _ bytes: RawSpan, from start: Int, until limit: Int
  ) throws(JSONError) -> (value: UInt32, end: Int) {
    let first = hexadecimal(bytes, start + 2..<start + 6)
    guard first & 0xF800 == 0xD800 else { return (first, start + 6) }
    guard first < 0xDC00, start + 12 <= limit, bytes.byte(at: start + 6) == UInt8(ascii: "\\"),
      bytes.byte(at: start + 7) == UInt8(ascii: "u")
    else { throw JSONError(.loneSurrogate, in: bytes, at: start) }
    let second = hexadecimal(bytes, start + 8..<start + 12)
    guard second & 0xFC00 == 0xDC00 else { throw JSONError(.loneSurrogate, in: bytes, at: start) }
    return (0x10000 + (first & 0x3FF) << 10 + second & 0x3FF, start + 12)
  }

  /// The value of digits already known to be hexadecimal.
  static func hexadecimal(_ bytes: RawSpan, _ range: Range<Int>) -> UInt32 {
    var value: UInt32 = 0
    for place in range {
      let byte = bytes.byte(at: place)
      let digit = byte.isDigit ? byte & 0x0F : (byte & 0x0F) + 9
      value = value << 4 | UInt32(digit)
    }
    return value
  }
}

extension ByteBuffer {
  /// Appends a Unicode scalar value, which a surrogate is not, as UTF-8.
  mutating func append(scalar value: UInt32) {
    func tail(_ shift: UInt32) -> UInt8 { UInt8(0x80 | (value >> shift) & 0x3F) }
    switch value {
    case 0..<0x80: append(UInt8(value))
    case 0x80..<0x800:
      append(UInt8(0xC0 | value >> 6))
      append(tail(0))
    case 0x800..<0x10000:
      append(UInt8(0xE0 | value >> 12))
      append(tail(6))
      append(tail(0))
    default:
      append(UInt8(0xF0 | value >> 18))
      append(tail(12))
      append(tail(6))
      append(tail(0))
    }
  }
}
