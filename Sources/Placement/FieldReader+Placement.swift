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
  mutating func flag() throws(PlacementRefusal) -> Bool {
    let value = try u8()
    guard value <= 1 else { throw .malformed }
    return value == 1
  }

  @_lifetime(self: copy self)
  mutating func text(atMost limit: Int) throws(PlacementRefusal) -> String {
    let place = try skip(Int(try u16()))
    guard place.count <= limit else { throw .malformed }
    guard let text = text(place) else { throw .malformed }
    return text
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
  mutating func append(field text: String) {
    precondition(text.utf8.count <= 0xffff, "a text is longer than its length can say")
    append(littleEndian: UInt16(text.utf8.count))
    append(text: text)
  }

  mutating func append(_ nodes: [NodeID]) {
    append(littleEndian: UInt16(nodes.count))
    for node in nodes { append(littleEndian: node.value) }
  }
}
