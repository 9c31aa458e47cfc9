/// What to follow, and from where when there is no cursor yet.
public struct FollowRequest: Sendable {
  public enum Start: Hashable, Sendable {
    case latest
    case earliest
    /// A duration back from now, or an RFC 3339 time, as the node reads it.
    case since(String)
    /// So many of every topic.
    case last(Int)
    /// Where the node remembers this consumer to be; a new one begins at `since`, as the node reads it.
    case consumer(String, since: String?)
    case cursor(String)
  }

  public var filters: [String]
  public var start: Start
  /// First the current value of every matching topic.
  public var retained: Bool

  public init(filters: [String], start: Start = .latest, retained: Bool = false) {
    self.filters = filters
    self.start = start
    self.retained = retained
  }

  /// The request's target. A cursor takes the place of the start, save that a consumer's place is the node's to know.
  public func target(resumingAt cursor: String?) -> String {
    var parameters = filters.map { "topic=" + RequestTarget.escaped($0) }
    parameters.append("format=json")
    if case .consumer(let name, let since) = start {
      parameters.append("consumer=" + RequestTarget.escaped(name))
      if let since { parameters.append("since=" + RequestTarget.escaped(since)) }
    } else if let cursor {
      parameters.append("cursor=" + RequestTarget.escaped(cursor))
    } else {
      switch start {
      case .latest, .consumer: break
      case .earliest: parameters.append("since=earliest")
      case .since(let moment): parameters.append("since=" + RequestTarget.escaped(moment))
      case .last(let count): parameters.append("last=\(count)")
      case .cursor(let cursor): parameters.append("cursor=" + RequestTarget.escaped(cursor))
      }
      if retained { parameters.append("retained=true") }
    }
    return "/v1/events?" + parameters.joined(separator: "&")
  }
}
