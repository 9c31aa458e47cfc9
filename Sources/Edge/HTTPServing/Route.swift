internal import Core
internal import HTTP

/// What a request's method and path ask for.
enum Route: Equatable {
  /// The topic, decoded, follows in the session.
  case publish(retain: Bool)
  case currentValue
  case clear
  case batch
  case events
  case eventsQuery
  case history
  case presence
  case webSocket
  case mqttSocket
  case consumers
  case consumer(String)
  case acknowledge(String)
  case cluster
  case clusterEvents
  /// What is to become of a node; its name or identity, decoded.
  case node(NodeWish, String)
  case metrics
  case alive
  case ready
  case page(WebPage)
  case echo
  case echoSocket
  case preflight
  case options(allow: String)
  case unknown
  case notAllowed(allow: String)
  case malformedPath
}

extension Route {
  /// Decides the route. O(path length); allocates only off the publishing path.
  static func of(_ head: HTTPRequestHead, _ span: RawSpan, diagnostics: Bool) -> Route {
    let path = head.path
    if HTTPPath.rest(of: path, in: span, after: "/v1/topics/") != nil {
      switch head.method {
      case .post: return .publish(retain: false)
      case .put: return .publish(retain: true)
      case .get, .head: return .currentValue
      case .delete: return .clear
      case .options: return optionsRoute(head, "GET, HEAD, POST, PUT, DELETE, OPTIONS")
      default: return .notAllowed(allow: "GET, HEAD, POST, PUT, DELETE, OPTIONS")
      }
    }
    func only(_ allow: String, _ choose: (HTTPMethod) -> Route?) -> Route {
      if head.method == .options { return optionsRoute(head, allow + ", OPTIONS") }
      return choose(head.method) ?? .notAllowed(allow: allow + ", OPTIONS")
    }
    func get(_ route: Route) -> Route {
      only("GET, HEAD") { $0 == .get || $0 == .head ? route : nil }
    }
    switch span.text(path) {
    case "/v1/publish": return only("POST") { $0 == .post ? .batch : nil }
    case "/v1/events":
      return only("GET, HEAD, POST, QUERY") { method in
        switch method {
        case .get, .head: .events
        case .post, .query: .eventsQuery
        default: nil
        }
      }
    case "/v1/history": return get(.history)
    case "/v1/presence": return get(.presence)
    case "/v1/ws": return only("GET") { $0 == .get ? .webSocket : nil }
    case "/mqtt": return only("GET") { $0 == .get ? .mqttSocket : nil }
    case "/v1/consumers": return get(.consumers)
    case "/v1/cluster": return get(.cluster)
    case "/v1/cluster/events": return get(.clusterEvents)
    case "/metrics": return get(.metrics)
    case "/healthz": return get(.alive)
    case "/readyz": return get(.ready)
    case "/", "", "/index.html": return get(.page(.index))
    case "/tidings.js": return get(.page(.client))
    case "/dashboard.js": return get(.page(.script))
    case "/messages.js": return get(.page(.messages))
    case "/dashboard.css": return get(.page(.style))
    case "/v1/echo" where diagnostics:
      if head.asksForWebSocket { return .echoSocket }
      return only("GET, HEAD, POST") { $0 == .get || $0 == .post || $0 == .head ? .echo : nil }
    case "*": return optionsRoute(head, "GET, HEAD, POST, PUT, DELETE, QUERY, OPTIONS")
    default: break
    }
    if let rest = HTTPPath.rest(of: path, in: span, after: "/v1/consumers/") {
      guard let name = decoded(rest, span) else { return .malformedPath }
      if name.hasSuffix("/ack") {
        return only("POST") { $0 == .post ? .acknowledge(String(name.dropLast(4))) : nil }
      }
      return only("GET, HEAD, DELETE") { $0 == .get || $0 == .head || $0 == .delete ? .consumer(name) : nil }
    }
    if let rest = HTTPPath.rest(of: path, in: span, after: "/v1/cluster/nodes/") {
      guard let name = decoded(rest, span) else { return .malformedPath }
      for wish in NodeWish.allCases where name.hasSuffix("/" + wish.rawValue) && name.utf8.count > wish.rawValue.utf8.count + 1 {
        return only("POST") { $0 == .post ? .node(wish, String(name.dropLast(wish.rawValue.count + 1))) : nil }
      }
    }
    return .unknown
  }

  private static func optionsRoute(_ head: HTTPRequestHead, _ allow: String) -> Route {
    head.fields.contains(.accessControlRequestMethod) ? .preflight : .options(allow: allow)
  }

  private static func decoded(_ range: Range<Int>, _ span: RawSpan) -> String? {
    var buffer = ByteBuffer(capacity: range.count)
    guard PercentCoding.decode(range, in: span, into: &buffer) else { return nil }
    return buffer.withUnsafeBytes { String(validating: $0, as: UTF8.self) }
  }

  /// Whether a node is asked how it is, which it tells however full it is.
  var tellsHowTheNodeIs: Bool {
    switch self {
    case .alive, .ready, .metrics: true
    default: false
    }
  }

  /// Whether what is asked for has no end of its own.
  var isLasting: Bool {
    switch self {
    case .events, .eventsQuery, .clusterEvents, .webSocket, .mqttSocket, .echoSocket: true
    default: false
    }
  }

  /// Whether only a member of a cluster can answer.
  var needsTheCluster: Bool {
    switch self {
    case .publish, .currentValue, .clear, .batch, .events, .eventsQuery, .history, .presence, .webSocket, .mqttSocket, .consumers, .consumer, .acknowledge: true
    default: false
    }
  }

  /// Whether the request must wait until those before it on its connection are answered.
  var needsItsTurn: Bool {
    switch self {
    case .publish, .clear, .batch, .unknown, .malformedPath, .notAllowed, .preflight, .options, .page, .alive, .ready, .echo: false
    default: true
    }
  }
}

/// What an operator may want of a node.
public enum NodeWish: String, Sendable, CaseIterable {
  /// Lead nothing, and have its clients go elsewhere; it stays.
  case drain
  /// Take part as before.
  case resume
  /// Give up everything and end.
  case leave
}
