public import Core

/// Writes objects and arrays with their commas into a buffer; the values between are written through it or
/// appended to the buffer after `value(into:)`.
///
/// Two integers, no allocation: one bit for each open bracket says whether something already stands in it.
public struct JSONWriter {
  private var depth = 0
  private var occupied: UInt128 = 0
  private var followsName = false

  public init() {}

  /// Whether every bracket is closed.
  public var isComplete: Bool { depth == 0 }

  /// Writes the comma that the next value needs, if any; the caller then appends one value to the buffer.
  @inline(__always) public mutating func value(into buffer: inout ByteBuffer) {
    if followsName {
      followsName = false
    } else if depth > 0 {
      if occupied & 1 == 1 { buffer.append(UInt8(ascii: ",")) }
      occupied |= 1
    }
  }

  public mutating func beginObject(into buffer: inout ByteBuffer) { open(UInt8(ascii: "{"), into: &buffer) }
  public mutating func endObject(into buffer: inout ByteBuffer) { close(UInt8(ascii: "}"), into: &buffer) }
  public mutating func beginArray(into buffer: inout ByteBuffer) { open(UInt8(ascii: "["), into: &buffer) }
  public mutating func endArray(into buffer: inout ByteBuffer) { close(UInt8(ascii: "]"), into: &buffer) }

  /// A member's name, which must need no escapes; its value comes next.
  @inline(__always) public mutating func name(_ name: StaticString, into buffer: inout ByteBuffer) {
    value(into: &buffer)
    buffer.append(UInt8(ascii: "\""))
    buffer.append(name)
    buffer.append("\":")
    followsName = true
  }

  public mutating func name(text name: String, into buffer: inout ByteBuffer) {
    value(into: &buffer)
    buffer.append(jsonText: name)
    buffer.append(UInt8(ascii: ":"))
    followsName = true
  }

  private mutating func open(_ bracket: UInt8, into buffer: inout ByteBuffer) {
    precondition(depth < UInt128.bitWidth, "nothing this writes is nested so deep")
    value(into: &buffer)
    buffer.append(bracket)
    depth += 1
    occupied <<= 1
  }

  private mutating func close(_ bracket: UInt8, into buffer: inout ByteBuffer) {
    precondition(depth > 0 && !followsName, "a bracket closes what another opened, after whole members")
    buffer.append(bracket)
    depth -= 1
    occupied >>= 1
  }
}

extension JSONWriter {
  /// A string value from valid UTF-8.
  public mutating func string(_ text: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
    value(into: &buffer)
    buffer.append(jsonString: text)
  }

  public mutating func string(_ text: String, into buffer: inout ByteBuffer) {
    value(into: &buffer)
    buffer.append(jsonText: text)
  }

  public mutating func integer(_ number: Int, into buffer: inout ByteBuffer) {
    value(into: &buffer)
    buffer.append(decimal: number)
  }

  public mutating func integer(_ number: UInt64, into buffer: inout ByteBuffer) {
    value(into: &buffer)
    buffer.append(decimal: number)
  }

  public mutating func double(_ number: Double, into buffer: inout ByteBuffer) {
    value(into: &buffer)
    buffer.append(jsonNumber: number)
  }

  public mutating func boolean(_ truth: Bool, into buffer: inout ByteBuffer) {
    value(into: &buffer)
    buffer.append(truth ? "true" : "false")
  }

  public mutating func null(into buffer: inout ByteBuffer) {
    value(into: &buffer)
    buffer.append("null")
  }

  /// A time as an RFC 3339 string.
  public mutating func timestamp(_ time: WallTime, into buffer: inout ByteBuffer) {
    value(into: &buffer)
    buffer.append(UInt8(ascii: "\""))
    buffer.append(timestamp: time)
    buffer.append(UInt8(ascii: "\""))
  }

  /// A value that is valid JSON already, put on one line.
  public mutating func raw(_ json: RawSpan, into buffer: inout ByteBuffer) {
    value(into: &buffer)
    buffer.append(compacting: json)
  }

  public mutating func member(_ name: StaticString, _ text: String, into buffer: inout ByteBuffer) {
    self.name(name, into: &buffer)
    string(text, into: &buffer)
  }

  public mutating func member(_ name: StaticString, _ number: Int, into buffer: inout ByteBuffer) {
    self.name(name, into: &buffer)
    integer(number, into: &buffer)
  }

  public mutating func member(_ name: StaticString, _ number: UInt64, into buffer: inout ByteBuffer) {
    self.name(name, into: &buffer)
    integer(number, into: &buffer)
  }

  public mutating func member(_ name: StaticString, _ truth: Bool, into buffer: inout ByteBuffer) {
    self.name(name, into: &buffer)
    boolean(truth, into: &buffer)
  }
}
