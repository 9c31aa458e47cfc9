public import Core

/// What a cluster agrees on about its nodes: the operator's wishes, and who was removed. Who holds which shard is not here:
/// each shard's own group agrees on that.
///
/// Kept as the current value of one topic of shard 0, changed by conditional publishes: whoever asks for a change reads it,
/// applies a command and publishes the outcome on the condition that nobody else did meanwhile.
public struct MetaState: Sendable, Hashable {
  /// Nodes that lead nothing and whose clients go elsewhere, by identity.
  public private(set) var draining: [NodeID] = []
  /// Nodes that give up everything, by identity.
  public private(set) var leaving: [NodeID] = []
  /// Nodes that have left for good, oldest first: their data must not come back.
  public private(set) var removed: [NodeID] = []

  public init() {}

  /// What is refused changes nothing.
  public mutating func apply(_ command: MetaCommand) throws(MetaRefusal) {
    switch command {
    case .drain(let node):
      try mayWish(node)
      guard !draining.contains(node) else { return }
      guard draining.count < PlacementLimits.wishes else { throw .tooMany }
      draining = (draining + [node]).sorted()
    case .resume(let node):
      try mayWish(node)
      draining.removeAll { $0 == node }
    case .leave(let node):
      guard !removed.contains(node) else { throw .wasRemoved(node) }
      guard !leaving.contains(node) else { return }
      guard leaving.count < PlacementLimits.wishes else { throw .tooMany }
      draining.removeAll { $0 == node }
      leaving = (leaving + [node]).sorted()
    case .remove(let node):
      guard !removed.contains(node) else { return }
      guard leaving.contains(node) else { throw .doesNotLeave(node) }
      leaving.removeAll { $0 == node }
      if removed.count == PlacementLimits.removed { removed.removeFirst() }
      removed.append(node)
    }
  }

  /// Who leaves is past draining.
  private func mayWish(_ node: NodeID) throws(MetaRefusal) {
    guard !removed.contains(node) else { throw .wasRemoved(node) }
    guard !leaving.contains(node) else { throw .leaves(node) }
  }
}

/// A change to what a cluster agrees on about one node.
public enum MetaCommand: Sendable, Hashable {
  /// It leads nothing from here on, and its clients go elsewhere.
  case drain(NodeID)
  /// It takes part as before.
  case resume(NodeID)
  /// It gives up everything, and is removed when it holds nothing any more.
  case leave(NodeID)
  /// Strikes one that leaves and holds nothing.
  case remove(NodeID)
}

public enum MetaRefusal: Error, Sendable, Hashable, CustomStringConvertible {
  case wasRemoved(NodeID)
  case leaves(NodeID)
  case doesNotLeave(NodeID)
  case tooMany

  public var description: String {
    switch self {
    case .wasRemoved(let id): "node \(id) has left for good; start it with an empty data directory to make it a new node"
    case .leaves(let id): "node \(id) is leaving, which cannot be taken back; start it with an empty data directory afterwards"
    case .doesNotLeave(let id): "node \(id) was not told to leave"
    case .tooMany: "more than \(PlacementLimits.wishes) nodes are draining or leaving"
    }
  }
}

// The state is u8 version and three lists of identities: draining, leaving, removed. Little-endian.

extension MetaState {
  static let version: UInt8 = 2
  public static let maximumLength = 64 << 10

  public func encode(into buffer: inout ByteBuffer) {
    buffer.append(Self.version)
    buffer.append(draining)
    buffer.append(leaving)
    buffer.append(removed)
  }

  /// Reads what `encode` wrote, or refuses all of it.
  public init(decoding bytes: RawSpan) throws(PlacementRefusal) {
    guard bytes.byteCount <= Self.maximumLength else { throw .tooLong }
    var reader = FieldReader<PlacementRefusal>(bytes)
    let found = try reader.u8()
    guard found == Self.version else { throw .unknownVersion(found) }
    draining = try reader.nodes(atMost: PlacementLimits.wishes)
    leaving = try reader.nodes(atMost: PlacementLimits.wishes)
    removed = try reader.nodes(atMost: PlacementLimits.removed)
    guard reader.isAtEnd else { throw .trailingBytes }
    for list in [draining, leaving] {
      for (a, b) in zip(list, list.dropFirst()) where a >= b { throw .malformed }
    }
    let all = draining + leaving + removed
    guard Set(all).count == all.count else { throw .malformed }
  }
}
