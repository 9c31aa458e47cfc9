/// Who can reach an address that a node listens on.
public enum ListenExposure: Hashable, Sendable {
  /// This machine alone.
  case loopback
  case beyond

  /// `address` is what an option says: `host:port`, `[address]:port`, a host alone, or `unix:` and a path. A
  /// name other than `localhost` may mean anything, so it counts as beyond.
  public static func of(_ address: String) -> ListenExposure {
    if address.hasPrefix("unix:") { return .loopback }
    if LoopbackName.contains(address) { return .loopback }
    guard let place = HostAndPort(address) else { return .beyond }
    return LoopbackName.contains(place.host) ? .loopback : .beyond
  }

  public enum Authentication: Hashable, Sendable {
    case configured
    /// `--auth none`, written out by the operator.
    case declinedInWords
    case unspecified
  }

  public struct Listener: Hashable, Sendable {
    public var option: String
    public var address: String

    public init(option: String, address: String) {
      self.option = option
      self.address = address
    }
  }

  /// Why a node must not start like this, or nil when it may: whoever opens it to others says how they prove
  /// who they are, or says in words that they need not.
  public static func refusal(of listeners: [Listener], authentication: Authentication) -> String? {
    guard authentication == .unspecified, let open = listeners.first(where: { of($0.address) == .beyond }) else { return nil }
    return """
      \(open.option) \(open.address) can be reached from outside this machine, and nothing says who may use it; \
      configure authentication, write --auth none to let everyone in, or listen on 127.0.0.1
      """
  }
}
