public import Core

/// Which web pages may use this node from a browser.
///
/// A page of the node's own origin always may. Beyond that, by default, pages from this machine (any port);
/// or what `--origins` lists: `https://app.example.com`, `https://*.example.com` (subdomains at any depth,
/// not the domain itself), `loopback`, `*`.
public struct Origins: Sendable {
  public enum Decision: Hashable, Sendable {
    /// The request names no origin: not a browser's cross-origin request, nothing to answer.
    case notAsked
    /// Goes into `Access-Control-Allow-Origin`; the answer varies with the origin unless that is `*`.
    case allowed(String)
    case refused
  }

  fileprivate enum Rule: Hashable, Sendable {
    case any
    case loopback
    case exact(WebOrigin)
    /// The suffix begins with a dot.
    case subdomains(scheme: String, suffix: String, port: Int?)
  }

  private let rules: [Rule]

  /// Same origin and loopback.
  public init() { rules = [.loopback] }

  /// Reads the value of `--origins`: rules separated by commas.
  public init(reading list: String) throws(UnreadableText) {
    var rules: [Rule] = []
    for entry in list.split(separator: ",", omittingEmptySubsequences: false) {
      rules.append(try Origins.rule(String(entry.trimmingSpaces)))
    }
    self.rules = rules
  }

  /// Decides from the `Origin` and `Host` headers of one request.
  public func decide(origin: String?, host: String?) -> Decision {
    guard let origin else { return .notAsked }
    if rules.contains(.any) { return .allowed("*") }
    // "null" is what pages without an origin of their own say, so it identifies nobody.
    guard let parsed = WebOrigin(origin) else { return .refused }
    if let host, parsed.isSame(asHost: host) { return .allowed(origin) }
    return rules.contains { $0.accepts(parsed) } ? .allowed(origin) : .refused
  }

  private static func rule(_ text: String) throws(UnreadableText) -> Rule {
    if text == "*" { return .any }
    if text == "loopback" { return .loopback }
    guard let origin = WebOrigin(text) else {
      if text.hasSuffix("/") { throw UnreadableText("“\(text)” is not an origin; leave out the slash at the end") }
      if !text.contains("://") {
        throw UnreadableText("“\(text)” is not an origin; write the scheme too, as in https://app.example.com")
      }
      throw UnreadableText("“\(text)” is not an origin; write scheme://host or scheme://host:port, nothing after it")
    }
    guard origin.host.contains("*") else { return .exact(origin) }
    let suffix = origin.host.dropFirst()
    guard origin.host.hasPrefix("*."), suffix.utf8.count > 1, !suffix.contains("*") else {
      throw UnreadableText("“\(text)” is not an origin; a * stands alone, or for subdomains as in https://*.example.com")
    }
    return .subdomains(scheme: origin.scheme, suffix: String(suffix), port: origin.port)
  }
}

extension Origins.Rule {
  fileprivate func accepts(_ origin: WebOrigin) -> Bool {
    switch self {
    case .any: true
    case .loopback: (origin.scheme == "http" || origin.scheme == "https") && LoopbackName.contains(origin.host)
    case .exact(let listed): listed == origin
    case .subdomains(let scheme, let suffix, let port):
      origin.scheme == scheme && origin.port == port && origin.host.hasSuffix(suffix) && origin.host.utf8.count > suffix.utf8.count
    }
  }
}

extension Substring {
  fileprivate var trimmingSpaces: Substring {
    var rest = self
    while rest.first == " " { rest.removeFirst() }
    while rest.last == " " { rest.removeLast() }
    return rest
  }
}
