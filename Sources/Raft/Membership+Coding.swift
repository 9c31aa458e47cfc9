public import Core

/// The body of a `.membership` entry.
///
/// ```
/// 0  u8  version, 1
/// 1  u8  voters    2  u8  outgoing    3  u8  learners
/// 4  u64 × all, each list in strictly ascending order
/// ```
extension Membership {
  private static var version: UInt8 { 1 }
  private static var headerSize: Int { 4 }

  public func encode(into buffer: inout ByteBuffer) {
    precondition(members.count <= Membership.maximumMembers, "more members than a group may have")
    buffer.append(Membership.version)
    for list in [voters, outgoing, learners] { buffer.append(UInt8(list.count)) }
    for list in [voters, outgoing, learners] {
      for node in list { buffer.append(littleEndian: node.value) }
    }
  }

  /// Nil when the bytes are not exactly one membership that has a voter.
  public init?(decoding body: UnsafeRawBufferPointer) {
    guard body.count >= Membership.headerSize, body[0] == Membership.version else { return nil }
    let counts = [Int(body[1]), Int(body[2]), Int(body[3])]
    guard counts[0] > 0, counts.allSatisfy({ $0 <= Membership.maximumMembers }),
      body.count == Membership.headerSize + counts.reduce(0, +) * 8
    else { return nil }
    var at = Membership.headerSize
    var lists: [[NodeID]] = []
    for count in counts {
      var list: [NodeID] = []
      for _ in 0..<count {
        let node = NodeID(UInt64(littleEndian: body.loadUnaligned(fromByteOffset: at, as: UInt64.self)))
        if let previous = list.last, previous >= node { return nil }
        list.append(node)
        at += 8
      }
      lists.append(list)
    }
    self.init(voters: lists[0], outgoing: lists[1], learners: lists[2])
    guard learners == lists[2], members.count <= Membership.maximumMembers else { return nil }
  }
}
