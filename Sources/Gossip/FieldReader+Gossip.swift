internal import Core

extension FieldReader<GossipRefusal> {
  /// In network order, as everywhere.
  @_lifetime(self: copy self)
  mutating func address() throws(GossipRefusal) -> GossipAddress {
    GossipAddress(high: try u64().byteSwapped, low: try u64().byteSwapped, port: try u16().byteSwapped)
  }
}
