public import Core
public import HTTP

/// One request of a command.
public struct ClientRequest: Sendable {
  public var method: HTTPMethod
  /// The path and query, already percent-encoded, without the server's base path.
  public var target: String
  public var headers: [(name: String, value: String)] = []
  public var body: Bytes?

  public init(_ method: HTTPMethod, _ target: String) {
    self.method = method
    self.target = target
  }

  /// Appends the request as it goes over the wire.
  func encode(for server: ServerURL, token: String?, into buffer: inout ByteBuffer) throws(ClientFailure) {
    HTTPRequestEncoder.start(method, target: server.basePath + target, host: server.authority, into: &buffer)
    if let token { try ClientRequest.append("Authorization", "Bearer \(token)", into: &buffer) }
    for header in headers { try ClientRequest.append(header.name, header.value, into: &buffer) }
    if let body {
      HTTPFieldEncoder.field("Content-Length", decimal: body.count, into: &buffer)
    }
    HTTPFieldEncoder.end(into: &buffer)
    if let body { buffer.append(body) }
  }

  private static func append(_ name: String, _ value: String, into buffer: inout ByteBuffer) throws(ClientFailure) {
    let isWritten = HTTPFieldEncoder.field(name: name.utf8.span.bytes, bytes: value.utf8.span.bytes, into: &buffer)
    guard isWritten else { throw .input(reason: "“\(value)” cannot stand in the field \(name)") }
  }
}

/// A whole answer.
public struct ClientAnswer: Sendable {
  public var status: Int
  public var contentType: String
  public var retryAfter: TimeSpan?
  public var body: Bytes

  public var isSuccess: Bool { (200..<300).contains(status) }
}

/// Builds targets of requests.
public enum RequestTarget {
  /// A text as one part of a path or query.
  public static func escaped(_ text: String) -> String {
    var buffer = ByteBuffer()
    PercentCoding.encode(queryPart: text.utf8.span.bytes, into: &buffer)
    return buffer.bytes.text(0..<buffer.count)
  }

  /// A topic behind its prefix: its slashes stay slashes.
  public static func topic(_ topic: String) -> String {
    var buffer = ByteBuffer()
    buffer.append("/v1/topics/")
    PercentCoding.encode(path: topic.utf8.span.bytes, into: &buffer)
    return buffer.bytes.text(0..<buffer.count)
  }
}
