/// An origin as browsers send it: scheme, host and port, nothing else.
struct WebOrigin: Hashable, Sendable {
  /// Lower case.
  var scheme: String
  /// Lower case; an IPv6 address keeps its brackets.
  var host: String
  /// The scheme's own port when none is written; nil when the scheme has none.
  var port: Int?

  /// nil when `text` is not `scheme://host` or `scheme://host:port`.
  init?(_ text: some StringProtocol) {
    let text = text.lowercased()
    guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else { return nil }
    let scheme = text[..<colon]
    guard let first = scheme.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first),
      scheme.utf8.allSatisfy(WebOrigin.isSchemeByte)
    else { return nil }
    let authority = text[text.index(colon, offsetBy: 3)...]
    guard let place = HostAndPort(authority) else { return nil }
    self.scheme = String(scheme)
    host = place.host
    port = place.port ?? WebOrigin.defaultPort(of: self.scheme)
  }

  /// Whether a request with this origin and that `Host` header comes from a page that the same server gave out.
  /// The scheme is the browser's word: a proxy in front of this node may have ended the TLS.
  func isSame(asHost header: String) -> Bool {
    guard let place = HostAndPort(header.lowercased()) else { return false }
    return place.host == host && (place.port ?? WebOrigin.defaultPort(of: scheme)) == port
  }

  private static func isSchemeByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"),
      UInt8(ascii: "."):
      true
    default: false
    }
  }

  private static func defaultPort(of scheme: String) -> Int? {
    switch scheme {
    case "http", "ws": 80
    case "https", "wss": 443
    default: nil
    }
  }
}

/// `host`, `host:port`, `[address]` or `[address]:port`.
struct HostAndPort: Hashable, Sendable {
  /// As written; an IPv6 address keeps its brackets.
  var host: String
  var port: Int?

  init?(_ text: some StringProtocol) {
    let text = String(text)
    let portColon: String.Index?
    if text.first == "[" {
      guard let bracket = text.firstIndex(of: "]") else { return nil }
      let after = text.index(after: bracket)
      guard after == text.endIndex || text[after] == ":" else { return nil }
      host = String(text[..<after])
      portColon = after == text.endIndex ? nil : after
      guard host.utf8.dropFirst().dropLast().allSatisfy({ $0.isAddressByte }), host.utf8.count > 2 else { return nil }
    } else {
      portColon = text.firstIndex(of: ":")
      host = String(text[..<(portColon ?? text.endIndex)])
      guard !host.isEmpty, host.utf8.allSatisfy({ $0.isHostByte }) else { return nil }
    }
    guard let portColon else { return }
    let digits = text[text.index(after: portColon)...]
    guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = Int(digits),
      number <= 65_535
    else { return nil }
    port = number
  }
}

extension UInt8 {
  /// Bytes of names and dotted addresses; `*` is for patterns and matches no host that exists.
  fileprivate var isHostByte: Bool {
    switch self {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "*"):
      true
    default: self >= 0x80
    }
  }

  fileprivate var isAddressByte: Bool {
    switch self {
    case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: ":"), UInt8(ascii: "."):
      true
    default: false
    }
  }
}
