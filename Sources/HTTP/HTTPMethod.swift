import Core

/// What a request asks for. Methods are case-sensitive: `get` is some other method.
public enum HTTPMethod: Equatable, Sendable {
  case get, head, post, put, delete, options, patch, query
  /// A method nobody here implements, by where its name stands.
  case other(Range<Int>)

  /// The name on the wire; nil for one that stands only in the input.
  public var name: StaticString? {
    switch self {
    case .get: "GET"
    case .head: "HEAD"
    case .post: "POST"
    case .put: "PUT"
    case .delete: "DELETE"
    case .options: "OPTIONS"
    case .patch: "PATCH"
    case .query: "QUERY"
    case .other: nil
    }
  }

  /// Whether the request promises to change nothing.
  public var isSafe: Bool {
    switch self {
    case .get, .head, .options, .query: true
    case .post, .put, .delete, .patch, .other: false
    }
  }

  @inline(__always) static func recognise(_ range: Range<Int>, in input: RawSpan) -> HTTPMethod {
    let at = range.lowerBound
    switch range.count {
    case 3:
      if input.starts(with: "GET", at: at) { return .get }
      if input.starts(with: "PUT", at: at) { return .put }
    case 4:
      if input.starts(with: "POST", at: at) { return .post }
      if input.starts(with: "HEAD", at: at) { return .head }
    case 5:
      if input.starts(with: "QUERY", at: at) { return .query }
      if input.starts(with: "PATCH", at: at) { return .patch }
    case 6:
      if input.starts(with: "DELETE", at: at) { return .delete }
    case 7:
      if input.starts(with: "OPTIONS", at: at) { return .options }
    default: break
    }
    return .other(range)
  }
}
