internal import Core

extension FieldReader<PlacementRefusal> {
  @_lifetime(self: copy self)
  mutating func cluster() throws(PlacementRefusal) -> ClusterID {
    let value = try u64()
    let cluster = ClusterID(value)
    // An identity has 48 bits; more are not cut off in silence.
    guard cluster.value == value else { throw .malformed }
    return cluster
  }

  @_lifetime(self: copy self)
  mutating func nodes(atMost limit: Int) throws(PlacementRefusal) -> [NodeID] {
    let count = Int(try u16())
    guard count <= limit else { throw .malformed }
    var nodes: [NodeID] = []
    for _ in 0..<count { nodes.append(try node()) }
    return nodes
  }
}

extension ByteBuffer {
  mutating func append(_ nodes: [NodeID]) {
    append(littleEndian: UInt16(nodes.count))
    for node in nodes { append(littleEndian: node.value) }
  }
}
