public import Core
internal import Glibc
internal import HTTP
internal import JSON

/// How messages are published.
public struct PublishOptions: Sendable {
  public var topic: String
  /// What readers are told the payload is.
  public var contentType = PublishOptions.text
  public var eventType: String?
  /// Also make it the topic's current value.
  public var retain = false
  /// Such as `30s`.
  public var timeToLive: String?
  /// The same key twice is one message.
  public var idempotencyKey: String?
  /// Only if this is still the topic's last message.
  public var ifMatch: String?
  /// Whether to wait until the message is safe.
  public var isAcknowledged = true

  public static let text = "text/plain; charset=utf-8"

  public init(topic: String) { self.topic = topic }

  /// Whether payloads are JSON values.
  var isJSON: Bool { PublishOptions.isJSON(contentType) }

  /// Why a payload is not what `contentType` says it is; nil if it is.
  public func complaint(about payload: RawSpan) -> String? {
    guard isJSON, let error = JSONValidator.validate(payload) else { return nil }
    let line = error.line > 1 ? "line \(error.line), " : ""
    return "not JSON at \(line)column \(error.column): \(error.sentence)"
  }

  static func isJSON(_ contentType: String) -> Bool {
    let type = contentType.prefix { $0 != ";" && $0 != " " }.lowercased()
    return type == "application/json" || type.hasSuffix("+json")
  }
}

/// Publishes one message.
public struct Publisher {
  private let client: HTTPClient

  public init(client: HTTPClient) { self.client = client }

  /// Publishes `payload` and returns the node's answer, `{"topic","cursor","time","duplicate"}`.
  public func publish(_ payload: Bytes, _ options: PublishOptions) throws(ClientFailure) -> ClientAnswer {
    try client.succeed(Publisher.request(payload, options))
  }

  /// Clears the topic's current value.
  public func clear(topic: String) throws(ClientFailure) -> ClientAnswer {
    try client.succeed(ClientRequest(.delete, RequestTarget.topic(topic)))
  }

  static func request(_ payload: Bytes, _ options: PublishOptions) -> ClientRequest {
    var request = ClientRequest(options.retain ? .put : .post, RequestTarget.topic(options.topic))
    request.headers.append(("Content-Type", options.contentType))
    if let type = options.eventType { request.headers.append(("Tidings-Event", type)) }
    if let key = options.idempotencyKey { request.headers.append(("Idempotency-Key", key)) }
    if let span = options.timeToLive { request.headers.append(("Tidings-TTL", span)) }
    if let match = options.ifMatch { request.headers.append(("If-Match", match)) }
    if !options.isAcknowledged { request.headers.append(("Tidings-Ack", "none")) }
    request.body = payload
    return request
  }
}
