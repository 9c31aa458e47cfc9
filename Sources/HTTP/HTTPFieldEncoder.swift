public import Core

/// Writes field lines. What comes from outside can never end a line or begin another.
public enum HTTPFieldEncoder {
  /// A field whose value this program spells out.
  @inlinable public static func field(_ name: StaticString, _ value: StaticString, into buffer: inout ByteBuffer) {
    buffer.append(name)
    buffer.append(": ")
    buffer.append(value)
    buffer.append("\r\n")
  }

  /// A field whose value is a number.
  @inlinable public static func field(_ name: StaticString, decimal value: Int, into buffer: inout ByteBuffer) {
    buffer.append(name)
    buffer.append(": ")
    buffer.append(decimal: value)
    buffer.append("\r\n")
  }

  /// A field whose value comes from elsewhere: control characters in it are written as spaces.
  public static func field(_ name: StaticString, bytes value: RawSpan, into buffer: inout ByteBuffer) {
    buffer.append(name)
    buffer.append(": ")
    appendGuarded(value, into: &buffer)
    buffer.append("\r\n")
  }

  /// A field whose value comes from elsewhere as text: control characters in it are written as spaces.
  public static func field(_ name: StaticString, text value: String, into buffer: inout ByteBuffer) {
    var value = value
    value.withUTF8 { field(name, bytes: $0.span.bytes, into: &buffer) }
  }

  /// A field whose name comes from elsewhere too; false, and nothing written, when it is not a token.
  @discardableResult
  public static func field(name: RawSpan, bytes value: RawSpan, into buffer: inout ByteBuffer) -> Bool {
    guard name.byteCount > 0, name.first(notIn: .token, from: 0, to: name.byteCount) == name.byteCount else { return false }
    buffer.append(name)
    buffer.append(": ")
    appendGuarded(value, into: &buffer)
    buffer.append("\r\n")
    return true
  }

  /// The empty line that ends a head.
  @inlinable public static func end(into buffer: inout ByteBuffer) {
    buffer.append("\r\n")
  }

  static func appendGuarded(_ value: RawSpan, into buffer: inout ByteBuffer) {
    var start = 0
    while start < value.byteCount {
      let stop = value.firstControl(from: start, to: value.byteCount)
      buffer.append(value.extracting(start..<stop))
      if stop < value.byteCount { buffer.append(UInt8.space) }
      start = stop + 1
    }
  }
}
