import Glibc

/// An IP address and a port, ready for the kernel.
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
  public enum Family: Hashable, Sendable {
    case v4
    case v6
  }

  public let family: Family
  /// The address in network order: 4 bytes in `high`'s upper half, or 16 in both.
  private let high: UInt64
  private let low: UInt64
  /// The interface of a link-local IPv6 address.
  private let scope: UInt32
  public var port: UInt16

  private init(family: Family, high: UInt64, low: UInt64, scope: UInt32, port: UInt16) {
    self.family = family
    self.high = high
    self.low = low
    self.scope = scope
    self.port = port
  }

  /// `192.168.0.1` as (192, 168, 0, 1).
  public static func v4(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8, port: UInt16) -> SocketAddress {
    let bits = UInt64(a) << 56 | UInt64(b) << 48 | UInt64(c) << 40 | UInt64(d) << 32
    return SocketAddress(family: .v4, high: bits, low: 0, scope: 0, port: port)
  }

  public static func v6(high: UInt64, low: UInt64, scope: UInt32 = 0, port: UInt16) -> SocketAddress {
    SocketAddress(family: .v6, high: high, low: low, scope: scope, port: port)
  }

  private static let mapped: UInt64 = 0xffff_0000_0000

  /// An IPv6 address, or the IPv4 address that stands in its mapped form (`::ffff:192.168.0.1`).
  public static func either(high: UInt64, low: UInt64, scope: UInt32 = 0, port: UInt16) -> SocketAddress {
    if high == 0, low >> 32 == mapped >> 32 {
      return SocketAddress(family: .v4, high: low << 32, low: 0, scope: 0, port: port)
    }
    return SocketAddress(family: .v6, high: high, low: low, scope: scope, port: port)
  }

  /// The sixteen bytes of the address as IPv6 writes it; an IPv4 address in its mapped form.
  public var sixteenBytes: (high: UInt64, low: UInt64) { family == .v4 ? (0, SocketAddress.mapped | high >> 32) : (high, low) }

  /// The same place, as IPv4 where it can be: a socket of both families tells IPv4 peers in their mapped form.
  public var plain: SocketAddress { family == .v4 ? self : .either(high: high, low: low, scope: scope, port: port) }

  /// The same place, as a socket of both families wants it.
  var asV6: SocketAddress {
    family == .v6 ? self : SocketAddress(family: .v6, high: 0, low: sixteenBytes.low, scope: 0, port: port)
  }

  /// Reachable from this machine alone.
  public var isLoopback: Bool {
    switch family {
    case .v4: high >> 56 == 127
    case .v6: high == 0 && (low == 1 || low >> 24 == 0xffff7f)
    }
  }

  /// "Every address of this machine", when listening.
  public var isUnspecified: Bool { high == 0 && low == 0 }

  /// `127.0.0.1:8080`, `[::1]:8080`.
  public var description: String {
    family == .v4 ? "\(host):\(port)" : "[\(host)]:\(port)"
  }

  /// The address without the port and without brackets.
  public var host: String {
    let length = Int(INET6_ADDRSTRLEN)
    let text = withKernelForm { form, _ in
      let offset = family == .v4
        ? MemoryLayout<sockaddr_in>.offset(of: \.sin_addr) : MemoryLayout<sockaddr_in6>.offset(of: \.sin6_addr)
      guard let offset else { return "" }
      return String(unsafeUninitializedCapacity: length) { bytes in
        bytes.withMemoryRebound(to: CChar.self) { characters in
          let written = inet_ntop(
            SocketAddress.number(of: family), UnsafeRawPointer(form) + offset, characters.baseAddress,
            socklen_t(length))
          return written.map { strlen($0) } ?? 0
        }
      }
    }
    return scope == 0 ? text : "\(text)%\(scope)"
  }

  // MARK: The kernel's form

  static func number(of family: Family) -> Int32 { family == .v4 ? AF_INET : AF_INET6 }
  var familyNumber: Int32 { SocketAddress.number(of: family) }

  init?(_ storage: sockaddr_storage) {
    let known: SocketAddress? = withUnsafeBytes(of: storage) { bytes in
      switch Int32(storage.ss_family) {
      case AF_INET:
        let form = bytes.loadUnaligned(as: sockaddr_in.self)
        return SocketAddress(
          family: .v4, high: UInt64(UInt32(bigEndian: form.sin_addr.s_addr)) << 32, low: 0, scope: 0,
          port: UInt16(bigEndian: form.sin_port))
      case AF_INET6:
        let form = bytes.loadUnaligned(as: sockaddr_in6.self)
        return withUnsafeBytes(of: form.sin6_addr) { address in
          SocketAddress(
            family: .v6, high: UInt64(bigEndian: address.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: address.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
            scope: form.sin6_scope_id, port: UInt16(bigEndian: form.sin6_port))
        }
      default: return nil
      }
    }
    guard let known else { return nil }
    self = known
  }

  func withKernelForm<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    switch family {
    case .v4:
      var form = sockaddr_in()
      form.sin_family = sa_family_t(AF_INET)
      form.sin_port = port.bigEndian
      form.sin_addr.s_addr = UInt32(high >> 32).bigEndian
      return SocketAddress.lend(&form, body)
    case .v6:
      var form = sockaddr_in6()
      form.sin6_family = sa_family_t(AF_INET6)
      form.sin6_port = port.bigEndian
      form.sin6_scope_id = scope
      withUnsafeMutableBytes(of: &form.sin6_addr) { address in
        address.storeBytes(of: high.bigEndian, as: UInt64.self)
        address.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
      }
      return SocketAddress.lend(&form, body)
    }
  }

  private static func lend<Form, Result>(
    _ form: inout Form, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    withUnsafeBytes(of: &form) { bytes in
      guard let start = bytes.baseAddress else { preconditionFailure("an address has bytes") }
      return body(start.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
  }
}
