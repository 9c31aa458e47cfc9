public import Gossip
public import Reactor

extension GossipAddress {
  /// The same place, as the gossip writes it.
  public init(_ address: SocketAddress) {
    let bytes = address.sixteenBytes
    self.init(high: bytes.high, low: bytes.low, port: address.port)
  }
}

extension SocketAddress {
  /// The same place, as the kernel wants it.
  public init(_ address: GossipAddress) {
    self = .either(high: address.high, low: address.low, port: address.port)
  }
}
