public import Core

/// Writes the heads of answers and the framing of chunked bodies. Fields in between are `HTTPFieldEncoder`'s.
public enum HTTPResponseEncoder {
  /// What the answer says about the life of its connection.
  public enum Connection: Sendable {
    /// Lives on, as HTTP/1.1 has it without words.
    case persistent
    /// Lives on, said aloud for a client that speaks HTTP/1.0.
    case keepAlive
    case close
    case upgrade
  }

  /// The status line and, when given, a `Date` that the caller has formatted and caches.
  public static func start(_ status: HTTPStatus, date: Bytes? = nil, into buffer: inout ByteBuffer) {
    buffer.append("HTTP/1.1 ")
    buffer.append(decimal: UInt64(status.rawValue))
    buffer.append(UInt8.space)
    buffer.append(status.reason)
    buffer.append("\r\n")
    guard let date else { return }
    buffer.append("Date: ")
    buffer.append(date)
    buffer.append("\r\n")
  }

  public static func connection(_ connection: Connection, into buffer: inout ByteBuffer) {
    switch connection {
    case .persistent: break
    case .keepAlive: buffer.append("Connection: keep-alive\r\n")
    case .close: buffer.append("Connection: close\r\n")
    case .upgrade: buffer.append("Connection: Upgrade\r\n")
    }
  }

  /// How to answer `head`: what it allows, unless this side wants to close.
  public static func connection(answering head: HTTPRequestHead, closing: Bool = false) -> Connection {
    if closing || !head.keepAlive { return .close }
    return head.minorVersion == 0 ? .keepAlive : .persistent
  }

  public static func contentType(_ type: StaticString, into buffer: inout ByteBuffer) {
    HTTPFieldEncoder.field("Content-Type", type, into: &buffer)
  }

  public static func contentLength(_ count: Int, into buffer: inout ByteBuffer) {
    HTTPFieldEncoder.field("Content-Length", decimal: count, into: &buffer)
  }

  public static func chunkedEncoding(into buffer: inout ByteBuffer) {
    buffer.append("Transfer-Encoding: chunked\r\n")
  }

  /// The empty line that ends a head.
  @inlinable public static func end(into buffer: inout ByteBuffer) { HTTPFieldEncoder.end(into: &buffer) }

  /// A whole small answer: head and body. `includesBody` is false for an answer to HEAD, whose length stays true.
  public static func answer(
    _ status: HTTPStatus, type: StaticString, body: RawSpan, connection: Connection, date: Bytes? = nil,
    includesBody: Bool = true, into buffer: inout ByteBuffer
  ) {
    start(status, date: date, into: &buffer)
    if status.hasNoBody {
      precondition(body.byteCount == 0, "an answer with this status has no body")
    } else {
      contentType(type, into: &buffer)
      contentLength(body.byteCount, into: &buffer)
    }
    self.connection(connection, into: &buffer)
    end(into: &buffer)
    if includesBody { buffer.append(body) }
  }

  /// Tells a client that waits that its body is welcome.
  public static func goOn(into buffer: inout ByteBuffer) {
    buffer.append("HTTP/1.1 100 Continue\r\n\r\n")
  }
}
