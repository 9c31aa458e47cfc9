public import Core

/// Where the node is that a command talks to.
public struct ServerURL: Hashable, Sendable {
  /// A name or an address; IPv6 without its brackets.
  public let host: String
  public let port: UInt16
  /// What stands before every path, without a slash at its end: empty unless a proxy gives the node a folder.
  public let basePath: String

  public static let standardPort: UInt16 = 8080
  /// Where `tidings serve` listens unless told otherwise.
  public static let standard = ServerURL(host: "127.0.0.1", port: standardPort)

  public init(host: String, port: UInt16, basePath: String = "") {
    self.host = host
    self.port = port
    self.basePath = basePath
  }

  /// The option if it is given, else the environment's `TIDINGS_URL`, else the standard place.
  public static func choose(option: String?, environment: [String: String]) throws(UnreadableText) -> ServerURL {
    if let option { return try ServerURL(reading: option) }
    guard let variable = environment["TIDINGS_URL"], !variable.isEmpty else { return .standard }
    do {
      return try ServerURL(reading: variable)
    } catch {
      throw UnreadableText("TIDINGS_URL: \(error)")
    }
  }

  /// Reads `http://host:port`, with or without a path; a scheme may be left out, a port is then 8080.
  public init(reading text: String) throws(UnreadableText) {
    var rest = text[...]
    var port = ServerURL.standardPort
    let hint = "write http://host:port"
    if let separator = rest.firstRange(of: "://") {
      switch rest[..<separator.lowerBound].lowercased() {
      case "http": port = 80
      case "https": throw UnreadableText("“\(text)”: https is not spoken by this command; \(hint)")
      default: throw UnreadableText("“\(text)” is not an address of a node; \(hint)")
      }
      rest = rest[separator.upperBound...]
    }
    guard !rest.contains("?"), !rest.contains("#"), !rest.contains("@") else {
      throw UnreadableText("“\(text)” is not an address of a node; \(hint), without a query or a user")
    }
    let slash = rest.firstIndex(of: "/") ?? rest.endIndex
    var path = rest[slash...]
    while path.last == "/" { path.removeLast() }
    let authority = rest[..<slash]
    let portStart: Substring.Index?
    if authority.first == "[" {
      guard let bracket = authority.firstIndex(of: "]") else {
        throw UnreadableText("“\(text)”: the bracket of the address is not closed")
      }
      host = String(authority[authority.index(after: authority.startIndex)..<bracket])
      let after = authority.index(after: bracket)
      guard after == authority.endIndex || authority[after] == ":" else {
        throw UnreadableText("“\(text)” is not an address of a node; \(hint)")
      }
      portStart = after == authority.endIndex ? nil : authority.index(after: after)
    } else {
      let colon = authority.firstIndex(of: ":")
      host = String(authority[..<(colon ?? authority.endIndex)])
      portStart = colon.map { authority.index(after: $0) }
    }
    guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
      throw UnreadableText("“\(text)” names no host; \(hint)")
    }
    if let portStart {
      guard let number = UInt16(authority[portStart...]), number > 0 else {
        throw UnreadableText("“\(authority[portStart...])” in “\(text)” is not a port; ports are 1 to 65535")
      }
      port = number
    }
    self.port = port
    basePath = String(path)
  }

  /// For the `Host` header and for people.
  public var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension ServerURL: CustomStringConvertible {
  public var description: String { "http://\(authority)\(basePath)" }
}
