/// An address as people write it: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`, `*:8080` or `:8080`.
public struct Address: Hashable, Sendable, CustomStringConvertible {
  /// A name or a number without brackets; `*` for every address of this machine.
  public let host: String
  public let port: UInt16

  /// The longest host name there can be in the domain name system.
  public static let longestHost = 253

  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  public var isEverywhere: Bool { host == "*" }

  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// Reads one address; a port may be missing only when there is a default for it.
  public static func parse(_ text: String, defaultPort: UInt16? = nil) throws(ReactorError) -> Address {
    func refuse(_ reason: String) -> ReactorError { .malformedAddress(text, reason: reason) }

    guard !text.isEmpty else { throw refuse("it is empty") }
    var host = Substring(text)
    var port: Substring?
    if text.hasPrefix("[") {
      guard let bracket = text.firstIndex(of: "]") else { throw refuse("the bracket is not closed") }
      host = text[text.index(after: text.startIndex)..<bracket]
      let rest = text[text.index(after: bracket)...]
      if rest.hasPrefix(":") { port = rest.dropFirst() } else if !rest.isEmpty {
        throw refuse("after the bracket only a port may follow")
      }
      guard host.contains(":"), host.utf8.allSatisfy(\.isPartOfNumericV6) else {
        throw refuse("an IPv6 address belongs between the brackets")
      }
    } else if let colon = text.lastIndex(of: ":") {
      host = text[..<colon]
      port = text[text.index(after: colon)...]
      guard !host.contains(":") else { throw refuse("an IPv6 address needs brackets, as in [::1]:8080") }
      if host.isEmpty { host = "*" }
    }
    guard host == "*" || host.contains(":") || host.utf8.allSatisfy(\.isPartOfHostName) else {
      throw refuse("a host is a name, a number or *")
    }
    guard host.utf8.count <= longestHost else { throw refuse("a host has at most \(longestHost) characters") }
    guard let written = port else {
      guard let defaultPort else { throw refuse("the port is missing, as in \(text):8080") }
      return Address(host: String(host), port: defaultPort)
    }
    guard !written.isEmpty, written.utf8.allSatisfy(\.isDigit), let number = UInt16(written) else {
      throw refuse("a port is a number from 0 to 65535")
    }
    return Address(host: String(host), port: number)
  }

  /// Reads addresses separated by commas; an error names the piece that is wrong.
  public static func parseList(_ text: String, defaultPort: UInt16? = nil) throws(ReactorError) -> [Address] {
    var addresses: [Address] = []
    for piece in text.split(separator: ",", omittingEmptySubsequences: false) {
      let trimmed = piece.drop(while: \.isWhitespace)
      let end = trimmed.lastIndex { !$0.isWhitespace }.map(trimmed.index(after:)) ?? trimmed.startIndex
      guard !trimmed[..<end].isEmpty else {
        throw .malformedAddress(text, reason: "there is nothing between, before or after its commas")
      }
      addresses.append(try parse(String(trimmed[..<end]), defaultPort: defaultPort))
    }
    return addresses
  }
}

extension UInt8 {
  fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

  fileprivate var isPartOfHostName: Bool {
    switch self {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"),
      UInt8(ascii: "."), UInt8(ascii: "_"):
      true
    default: isDigit
    }
  }

  fileprivate var isPartOfNumericV6: Bool {
    switch self {
    // A zone's name follows a percent sign.
    case UInt8(ascii: ":"), UInt8(ascii: "%"): true
    default: isPartOfHostName
    }
  }
}
