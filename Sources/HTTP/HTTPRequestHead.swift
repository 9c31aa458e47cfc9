import Core

/// Everything a request says before its body, as offsets into the span in which it was found.
///
/// A scratch value: one per reactor, filled anew by the decoder for every request, its storage kept.
public struct HTTPRequestHead: Sendable {
  public internal(set) var method: HTTPMethod = .get
  /// The path as it was sent, still percent-encoded; `*` for the asterisk form. Empty in `http://host`: means `/`.
  public internal(set) var path: Range<Int> = 0..<0
  /// What follows the `?`; nil when there is none.
  public internal(set) var query: Range<Int>?
  public internal(set) var targetForm: TargetForm = .origin
  /// Whom the request addresses: from an absolute target, else from `Host`. Only HTTP/1.0 may leave it out.
  public internal(set) var authority: Range<Int>?
  /// 0 or 1; higher minor versions are spoken to as 1.
  public internal(set) var minorVersion: UInt8 = 1
  public internal(set) var fields = HTTPFields()

  /// Whether the peer lets the connection live on after the answer.
  public internal(set) var keepAlive = true
  /// Whether the peer waits for `100 Continue` before it sends the body.
  public internal(set) var expectsContinue = false
  public internal(set) var contentLength: Int?
  public internal(set) var isChunked = false
  /// Whether `Connection: upgrade` and `Upgrade: websocket` both stand in an HTTP/1.1 request.
  public internal(set) var asksForWebSocket = false

  public enum TargetForm: Sendable { case origin, absolute, asterisk }

  public init() {}

  /// Whether any byte of body follows or may follow.
  public var hasBody: Bool { isChunked || (contentLength ?? 0) > 0 }

  /// The value of the first line with this name.
  public func first(_ name: HTTPFieldName) -> Range<Int>? { fields.first(name) }

  mutating func reset() {
    query = nil
    targetForm = .origin
    authority = nil
    fields.removeAll()
    keepAlive = true
    expectsContinue = false
    contentLength = nil
    isChunked = false
    asksForWebSocket = false
  }
}
