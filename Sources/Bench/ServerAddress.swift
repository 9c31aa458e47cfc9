import Core
import Glibc

/// Where the measured server listens, ready to connect to.
public struct ServerAddress: Sendable {
  /// What is spoken there.
  public enum Kind: String, Sendable {
    case http
    case mqtt

    var defaultPort: String { self == .http ? "80" : "1883" }
  }

  public let kind: Kind
  /// As it goes into `Host`.
  public let text: String
  let storage: sockaddr_storage
  let length: socklen_t

  /// Reads `http://HOST:PORT` or `mqtt://HOST:PORT` and finds the host's address.
  public init(url: String) throws(BenchFailure) {
    let hint = "write http://127.0.0.1:8080, or mqtt://127.0.0.1:1883"
    guard let colon = url.firstIndex(of: ":"), let kind = Kind(rawValue: url[..<colon].lowercased()), url[colon...].hasPrefix("://") else {
      throw BenchFailure("'\(url)' is not a URL that can be measured; \(hint)")
    }
    self.kind = kind
    var authority = url[colon...].dropFirst("://".count)
    if authority.hasSuffix("/") { authority = authority.dropLast() }
    guard !authority.isEmpty, !authority.contains(where: { "/?#@".contains($0) }) else {
      throw BenchFailure("'\(url)' has more than a host and a port; \(hint)")
    }
    var host = String(authority)
    var port = kind.defaultPort
    if let colon = authority.lastIndex(of: ":"), authority.last != "]" {
      host = String(authority[..<colon])
      port = String(authority[authority.index(after: colon)...])
    }
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    guard UInt16(port) != nil else { throw BenchFailure("'\(port)' in '\(url)' is not a port; \(hint)") }

    var wanted = addrinfo()
    wanted.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    let failure = getaddrinfo(host, port, &wanted, &found)
    guard failure == 0, let first = found, let address = first.pointee.ai_addr else {
      throw BenchFailure("'\(host)' cannot be found: \(String(cString: gai_strerror(failure)))")
    }
    defer { freeaddrinfo(found) }
    var storage = sockaddr_storage()
    withUnsafeMutableBytes(of: &storage) {
      $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: Int(first.pointee.ai_addrlen)))
    }
    self.storage = storage
    length = first.pointee.ai_addrlen
    text = String(authority)
  }

  /// An address that this process chose.
  init(loopbackPort: UInt16, _ kind: Kind) {
    self.kind = kind
    var storage = sockaddr_storage()
    ServerAddress.loopback(port: loopbackPort, host: 0x7f00_0001).copy(into: &storage)
    self.storage = storage
    length = socklen_t(MemoryLayout<sockaddr_in>.size)
    text = "127.0.0.1:\(loopbackPort)"
  }

  var family: Int32 { Int32(storage.ss_family) }

  /// Whether it is this machine.
  public var isLoopback: Bool {
    switch family {
    case AF_INET: firstByte(at: 4) == 127
    case AF_INET6: withUnsafeBytes(of: storage) { $0[8..<23].allSatisfy { $0 == 0 } && $0[23] == 1 }
    default: false
    }
  }

  /// It stands at the same place in the addresses of both families.
  var port: UInt16 { UInt16(firstByte(at: 2)) << 8 | UInt16(firstByte(at: 3)) }

  var isIPv4Loopback: Bool { family == AF_INET && isLoopback }

  private func firstByte(at offset: Int) -> UInt8 { withUnsafeBytes(of: storage) { $0[offset] } }

  static func loopback(port: UInt16, host: UInt32) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = host.bigEndian
    return address
  }

  func withSockaddr<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    withUnsafePointer(to: storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
    }
  }
}

extension sockaddr_in {
  fileprivate func copy(into storage: inout sockaddr_storage) {
    withUnsafeMutableBytes(of: &storage) { target in withUnsafeBytes(of: self) { target.copyMemory(from: $0) } }
  }
}
