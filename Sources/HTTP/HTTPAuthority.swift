import Core

/// A host and a port, as `Host`, an absolute target and an `Origin` write them. No user, no path, never empty.
public struct HTTPAuthority: Equatable, Sendable {
  /// The name or address; the brackets of an IPv6 address included.
  public let host: Range<Int>
  public let port: UInt16?

  /// Judges `range`; nil when it is anything but a host with an optional port.
  public static func read(_ range: Range<Int>, in input: RawSpan) -> HTTPAuthority? {
    guard let first = range.first else { return nil }
    var hostEnd: Int
    if input.byte(at: first) == UInt8(ascii: "[") {
      hostEnd = input.first(notIn: .addressLiteral, from: first + 1, to: range.upperBound)
      guard hostEnd < range.upperBound, hostEnd - first >= 3, input.byte(at: hostEnd) == UInt8(ascii: "]") else { return nil }
      hostEnd += 1
    } else {
      hostEnd = input.first(notIn: .hostName, from: first, to: range.upperBound)
      guard hostEnd > first else { return nil }
    }
    let host = first..<hostEnd
    guard hostEnd < range.upperBound else { return HTTPAuthority(host: host, port: nil) }
    guard input.byte(at: hostEnd) == UInt8(ascii: ":") else { return nil }
    // A colon without a port is allowed, and means the scheme's own.
    if hostEnd + 1 == range.upperBound { return HTTPAuthority(host: host, port: nil) }
    guard range.upperBound - hostEnd <= 6 else { return nil }
    var port = 0
    for at in hostEnd + 1..<range.upperBound {
      guard input.byte(at: at).isDigit else { return nil }
      port = port * 10 + Int(input.byte(at: at) - UInt8(ascii: "0"))
    }
    guard let port = UInt16(exactly: port) else { return nil }
    return HTTPAuthority(host: host, port: port)
  }
}
