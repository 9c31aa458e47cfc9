public import Core
public import Feeds
public import Replica

/// Hosts the shards assigned to one reactor: hands them requests and completions, and carries out what they want.
public final class BrokerReactor {
  /// - Parameters:
  ///   - shards: those this reactor owns.
  ///   - postToSelf: puts mail into this reactor's own mailbox; called from disk threads.
  ///   - postToEdge: called on the reactor's thread, at most once per edge and turn.
  ///   - onFact: called on the reactor's thread.
  public init(
    shards: [ShardID], settings: BrokerSettings,
    postToSelf: @escaping @Sendable ([BrokerMail]) -> Void,
    postToEdge: @escaping (EdgeID, [ShardReply]) -> Void,
    onFact: @escaping (ShardID, ReplicaFact) -> Void
  ) { fatalError() }

  /// Opens all shards; before the first turn, on any thread that then hands the reactor over.
  public func open(at now: Instant, wall: WallTime) throws { fatalError() }
  public func receive(_ mail: BrokerMail, at now: Instant, wall: WallTime) { fatalError() }
  /// Hands out what gathered in this turn.
  public func turnEnds(at now: Instant, wall: WallTime) { fatalError() }
  /// Every 50 to 100 ms.
  public func tick(at now: Instant, wall: WallTime) { fatalError() }
  /// Begins an orderly end: snapshots, everything durable. `isClosed` says when it is done.
  public func close(at now: Instant, wall: WallTime) { fatalError() }
  public var isClosed: Bool { fatalError() }
  public var statuses: [ReplicaStatus] { fatalError() }
}

public struct BrokerSettings: Sendable {
  public var shardCount: Int
  public var directory: String
  public var durability = Durability.fsync

  public init(shardCount: Int, directory: String) {
    self.shardCount = shardCount
    self.directory = directory
  }
}
