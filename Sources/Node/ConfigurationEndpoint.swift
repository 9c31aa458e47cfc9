public import Core
import Security

/// A host, by name or address, and a port: what is listened on or dialled.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
  /// Without brackets.
  public let host: String
  /// 0 asks the system for a free one.
  public let port: UInt16

  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// Reads `host:port` or `[IPv6]:port`.
  public init(reading text: String) throws(UnreadableText) {
    let hint = "write HOST:PORT, such as 127.0.0.1:8080, or [::1]:8080 for IPv6"
    guard let colon = text.lastIndex(of: ":") else {
      if let port = UInt16(text) {
        throw UnreadableText(
          "'\(text)' has no host; write 127.0.0.1:\(port) for this machine alone or 0.0.0.0:\(port) for every network it is on")
      }
      throw UnreadableText("'\(text)' has no port; \(hint)")
    }
    var name = text[..<colon]
    let digits = text[text.index(after: colon)...]
    guard !digits.isEmpty, digits.utf8.allSatisfy(\.isDigit), let port = UInt16(digits) else {
      throw UnreadableText("'\(digits)' in '\(text)' is not a port; a port is a number from 0 to 65535")
    }
    if name.hasPrefix("["), name.hasSuffix("]") {
      name = name.dropFirst().dropLast()
      guard name.utf8.allSatisfy({ $0.isHexadecimalDigit || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") }),
        name.contains(":")
      else {
        throw UnreadableText("'[\(name)]' is not an IPv6 address; \(hint)")
      }
    } else if name.contains(":") {
      throw UnreadableText("'\(name)' looks like an IPv6 address; it is written in brackets: [\(name)]:\(port)")
    } else if name.isEmpty {
      throw UnreadableText(
        "'\(text)' has no host; write 127.0.0.1\(text) for this machine alone or 0.0.0.0\(text) for every network it is on")
    } else if !name.utf8.allSatisfy(Endpoint.isNameByte) {
      throw UnreadableText("'\(name)' is not the name or the address of a host; \(hint)")
    }
    self.init(host: String(name), port: port)
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  /// Whether only this machine can reach it. A name other than `localhost` counts as reachable from elsewhere:
  /// what it means is not this node's to decide.
  public var isLoopback: Bool { ListenExposure.of(description) == .loopback }

  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
