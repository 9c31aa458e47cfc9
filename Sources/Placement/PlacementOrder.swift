public import Core

/// What a broker is told to do about one shard.
public enum PlacementOrder: Hashable, Sendable {
  /// To the shard's leader, by whoever drives placement.
  case step(PlacementStep)
  /// To the shard's leader: this node holds a replica and is no member any more.
  case dismiss(NodeID)
  /// To a node that is no member any more, by the shard's leader of this term, whose log ends at `last`: nothing will ask
  /// for its replica again.
  case retire(term: UInt64, last: Offset)
}

// An order is u8 kind and its parts, little-endian; its shard is told beside it.

extension PlacementOrder {
  private enum Kind: UInt8 {
    case addLearner = 1
    case promote = 2
    case transferLeadership = 3
    case remove = 4
    case dismiss = 5
    case retire = 6
  }

  public func encode(into buffer: inout ByteBuffer) {
    switch self {
    case .step(.addLearner(_, let node)): buffer.append(Kind.addLearner.rawValue, node)
    case .step(.promote(_, let node)): buffer.append(Kind.promote.rawValue, node)
    case .step(.transferLeadership(_, let node)): buffer.append(Kind.transferLeadership.rawValue, node)
    case .step(.remove(_, let node)): buffer.append(Kind.remove.rawValue, node)
    case .dismiss(let node): buffer.append(Kind.dismiss.rawValue, node)
    case .retire(let term, let last):
      buffer.append(Kind.retire.rawValue)
      buffer.append(littleEndian: term)
      buffer.append(littleEndian: last.value)
    }
  }

  /// Reads what `encode` wrote, or refuses all of it.
  public init(decoding bytes: RawSpan, of shard: ShardID) throws(PlacementRefusal) {
    var reader = FieldReader<PlacementRefusal>(bytes)
    let number = try reader.u8()
    guard let kind = Kind(rawValue: number) else { throw .unknownKind(number) }
    switch kind {
    case .addLearner: self = .step(.addLearner(shard, try reader.node()))
    case .promote: self = .step(.promote(shard, try reader.node()))
    case .transferLeadership: self = .step(.transferLeadership(shard, to: try reader.node()))
    case .remove: self = .step(.remove(shard, try reader.node()))
    case .dismiss: self = .dismiss(try reader.node())
    case .retire: self = .retire(term: try reader.u64(), last: Offset(try reader.u64()))
    }
    guard reader.isAtEnd else { throw .trailingBytes }
  }
}

extension ByteBuffer {
  fileprivate mutating func append(_ kind: UInt8, _ node: NodeID) {
    append(kind)
    append(littleEndian: node.value)
  }
}
