public import Core

/// Frames a body whose length is not known when it begins.
public enum HTTPChunkEncoder {
  /// The line before `count` bytes that the caller sends from elsewhere; they are followed by `chunkEnd`.
  public static func chunkStart(count: Int, into buffer: inout ByteBuffer) {
    precondition(count > 0, "an empty chunk would end the body")
    appendHexadecimal(UInt64(count), into: &buffer)
    buffer.append("\r\n")
  }

  /// What follows the bytes of a chunk.
  public static let chunkEnd: StaticString = "\r\n"

  /// One chunk; nothing for no bytes.
  public static func chunk(_ bytes: RawSpan, into buffer: inout ByteBuffer) {
    guard bytes.byteCount > 0 else { return }
    chunkStart(count: bytes.byteCount, into: &buffer)
    buffer.append(bytes)
    buffer.append(chunkEnd)
  }

  /// The end of the body.
  public static func last(into buffer: inout ByteBuffer) {
    buffer.append("0\r\n\r\n")
  }

  private static func appendHexadecimal(_ value: UInt64, into buffer: inout ByteBuffer) {
    var shift = (63 - value.leadingZeroBitCount) / 4 * 4
    while shift >= 0 {
      let digit = UInt8(truncatingIfNeeded: value >> UInt64(shift)) & 15
      buffer.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
      shift -= 4
    }
  }
}
