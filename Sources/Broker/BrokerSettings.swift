public import Core
public import Feeds
public import Journal

/// What every shard of a node is opened with.
public struct BrokerSettings: Sendable {
  public var retention = Retention(ageMilliseconds: 24 * 3600 * 1000, bytes: 1 << 30)
  public var journal = JournalSettings()
  /// Recent batches that each shard keeps in memory.
  public var recentTailBytes = 4 << 20

  /// The edge beside it, on the same reactor.
  public var ownEdge = EdgeID(0)

  /// Who holds a shard at its birth; nil: this node alone. Of no node where the disk, or the shard's leader, must tell.
  public var holders: (@Sendable (ShardID) -> [NodeID])?

  public init() {}
}
