import Core

/// Whole numbers in one to four bytes, seven bits in each, the lowest first (section 1.5.5 of 5.0).
public enum MQTTVariableInteger {
  /// The largest number that can be written.
  public static let maximum = 268_435_455

  /// The most bytes one takes.
  static let longest = 4

  /// How many bytes `value` takes.
  @inlinable public static func size(of value: Int) -> Int {
    value < 1 << 7 ? 1 : value < 1 << 14 ? 2 : value < 1 << 21 ? 3 : 4
  }
}

extension ByteBuffer {
  /// Appends `value` in as few bytes as hold it ([MQTT-1.5.5-1]).
  mutating func append(variable value: Int) {
    precondition(value >= 0 && value <= MQTTVariableInteger.maximum, "a number that no variable integer holds")
    var rest = value
    while rest > 0x7f {
      append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    append(UInt8(rest))
  }

  /// Appends text or binary data: two bytes of length, then the bytes.
  mutating func append(field bytes: Bytes) {
    append(field: bytes.bytes)
  }

  mutating func append(field bytes: RawSpan) {
    precondition(bytes.byteCount <= 0xffff, "a field that its length cannot tell")
    append(bigEndian: UInt16(bytes.byteCount))
    append(bytes)
  }

  mutating func append(field text: StaticString) {
    append(bigEndian: UInt16(text.utf8CodeUnitCount))
    append(text)
  }
}
