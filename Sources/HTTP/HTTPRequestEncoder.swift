public import Core

/// Writes the heads of requests, for clients. Further fields are `HTTPFieldEncoder`'s.
public enum HTTPRequestEncoder {
  /// The request line and `Host`. `target` is a path already percent-encoded; bytes that would break the line
  /// out of it are percent-encoded here.
  public static func start(_ method: HTTPMethod, target: RawSpan, host: RawSpan, into buffer: inout ByteBuffer) {
    guard let name = method.name else { preconditionFailure("only methods with a name of their own can be sent") }
    buffer.append(name)
    buffer.append(UInt8.space)
    for at in 0..<target.byteCount {
      let byte = target.byte(at: at)
      if CharacterClass.query.contains(byte) { buffer.append(byte) } else { PercentCoding.append(escaped: byte, into: &buffer) }
    }
    buffer.append(" HTTP/1.1\r\n")
    HTTPFieldEncoder.field("Host", bytes: host, into: &buffer)
  }

  /// The same for text.
  public static func start(_ method: HTTPMethod, target: String, host: String, into buffer: inout ByteBuffer) {
    var target = target
    var host = host
    target.withUTF8 { target in
      host.withUTF8 { host in start(method, target: target.span.bytes, host: host.span.bytes, into: &buffer) }
    }
  }

  /// A whole request with a body.
  public static func request(
    _ method: HTTPMethod, target: String, host: String, type: StaticString, body: RawSpan, into buffer: inout ByteBuffer
  ) {
    start(method, target: target, host: host, into: &buffer)
    HTTPFieldEncoder.field("Content-Type", type, into: &buffer)
    HTTPFieldEncoder.field("Content-Length", decimal: body.byteCount, into: &buffer)
    HTTPFieldEncoder.end(into: &buffer)
    buffer.append(body)
  }
}
