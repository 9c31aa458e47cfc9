import Core

/// Where a web page that makes a request came from: `scheme://host[:port]`, nothing behind it.
public struct HTTPOrigin: Equatable, Sendable {
  public let scheme: Range<Int>
  /// The brackets of an IPv6 address included.
  public let host: Range<Int>
  /// As written; the scheme's own when nil.
  public let port: UInt16?

  /// Reads the value of an `Origin` field; nil for `null`, which a page without an origin sends, and for anything malformed.
  public static func read(_ value: Range<Int>, in input: RawSpan) -> HTTPOrigin? {
    var at = value.lowerBound
    while at < value.upperBound, input.byte(at: at) != UInt8(ascii: ":") { at += 1 }
    guard at > value.lowerBound, value.upperBound - at > 3, input.starts(with: "://", at: at),
      input.first(notIn: .unreserved, from: value.lowerBound, to: at) == at
    else { return nil }
    guard let authority = HTTPAuthority.read(at + 3..<value.upperBound, in: input) else { return nil }
    return HTTPOrigin(scheme: value.lowerBound..<at, host: authority.host, port: authority.port)
  }

  /// The port in force: the one written, else 443 for https and wss, else 80.
  public func effectivePort(in input: RawSpan) -> UInt16 {
    if let port { return port }
    return input.equalsIgnoringCase(scheme, "https") || input.equalsIgnoringCase(scheme, "wss") ? 443 : 80
  }

  /// Whether the page came from the host and port that the request addresses.
  ///
  /// `authority` lies in the same input. The scheme is not compared: in front of a proxy that ends TLS it differs.
  public func isSame(as authority: Range<Int>, in input: RawSpan) -> Bool {
    guard let other = HTTPAuthority.read(authority, in: input), other.host.count == host.count else { return false }
    for index in 0..<host.count
    where input.byte(at: host.lowerBound + index).folded != input.byte(at: other.host.lowerBound + index).folded {
      return false
    }
    // A port that is not written means the default of a scheme, and the authority's scheme is the origin's.
    let own = effectivePort(in: input)
    return HTTPOrigin(scheme: scheme, host: other.host, port: other.port).effectivePort(in: input) == own
  }

  /// Whether the page came from this machine: `localhost`, `127.0.0.1` or `[::1]`.
  public func isLoopback(in input: RawSpan) -> Bool {
    input.equalsIgnoringCase(host, "localhost") || input.equals(host, "127.0.0.1") || input.equals(host, "[::1]")
  }
}
