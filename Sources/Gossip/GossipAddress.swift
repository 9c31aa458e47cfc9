internal import Core

/// Where a member is reached: an IPv6 address, or an IPv4 address in its mapped form, and a port.
public struct GossipAddress: Hashable, Sendable, CustomStringConvertible {
  /// The first and the last eight bytes of the address, as numbers.
  public let high: UInt64
  public let low: UInt64
  public let port: UInt16

  static let encodedLength = 18
  private static let mapped: UInt64 = 0xffff_0000_0000

  public init(high: UInt64, low: UInt64, port: UInt16) {
    self.high = high
    self.low = low
    self.port = port
  }

  public init(ipv4: UInt32, port: UInt16) {
    self.init(high: 0, low: Self.mapped | UInt64(ipv4), port: port)
  }

  /// The IPv4 address if it is one.
  public var ipv4: UInt32? {
    high == 0 && low >> 32 == Self.mapped >> 32 ? UInt32(truncatingIfNeeded: low) : nil
  }

  public var description: String {
    if let ipv4 {
      return "\(ipv4 >> 24).\(ipv4 >> 16 & 255).\(ipv4 >> 8 & 255).\(ipv4 & 255):\(port)"
    }
    let groups = (0..<8).map { index in
      String((index < 4 ? high : low) >> UInt64(48 - index % 4 * 16) & 0xffff, radix: 16)
    }
    return "[\(groups.joined(separator: ":"))]:\(port)"
  }
}

extension ByteBuffer {
  mutating func append(_ address: GossipAddress) {
    append(bigEndian: address.high)
    append(bigEndian: address.low)
    append(bigEndian: address.port)
  }
}
