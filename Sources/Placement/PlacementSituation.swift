public import Core

/// What a cluster wants of its replicas.
public struct PlacementPolicy: Sendable, Hashable {
  /// How many brokers hold each shard.
  public var replicas: Int
  /// How long a dead broker may come back before its replicas are made anew elsewhere.
  public var grace: TimeSpan
  /// How long a dead broker's learners are kept: one that was only started anew, or learns anew what its disk lost, goes on.
  public var learnerGrace: TimeSpan
  /// How many shards are moved for balance's sake at once; repairs are not counted.
  public var movesAtOnce: Int

  public init(replicas: Int = 3, grace: TimeSpan = .seconds(600), learnerGrace: TimeSpan = .seconds(10), movesAtOnce: Int = 4) {
    self.replicas = replicas
    self.grace = grace
    self.learnerGrace = min(learnerGrace, grace)
    self.movesAtOnce = movesAtOnce
  }
}

/// A broker as placement sees it.
public struct BrokerSituation: Sendable, Hashable {
  public var id: NodeID
  /// Empty: not told.
  public var rack: String
  /// Since when nothing has been heard of it; nil while it is alive.
  public var deadSince: Instant?
  /// Keeps its replicas, leads nothing, gets nothing new.
  public var isDraining: Bool
  /// Gives up everything.
  public var isLeaving: Bool

  public init(id: NodeID, rack: String = "", deadSince: Instant? = nil, isDraining: Bool = false, isLeaving: Bool = false) {
    self.id = id
    self.rack = rack
    self.deadSince = deadSince
    self.isDraining = isDraining
    self.isLeaving = isLeaving
  }
}

/// A replica that does not vote yet.
public struct LearnerSituation: Sendable, Hashable {
  public var id: NodeID
  /// Whether it has the log up to near the end, so that it can vote without holding anyone up.
  public var isCaughtUp: Bool

  public init(id: NodeID, isCaughtUp: Bool) {
    self.id = id
    self.isCaughtUp = isCaughtUp
  }
}

/// A shard as its leader tells of it.
public struct ShardSituation: Sendable, Hashable {
  public var shard: ShardID
  public var voters: [NodeID]
  public var learners: [LearnerSituation]
  /// nil while nobody leads; nothing can be done then.
  public var leader: NodeID?
  /// A change of members is not committed yet; the next step waits for it.
  public var isChanging: Bool
  /// What it costs to move and to serve; only compared.
  public var load: UInt64

  public init(
    shard: ShardID, voters: [NodeID], learners: [LearnerSituation] = [], leader: NodeID? = nil,
    isChanging: Bool = false, load: UInt64 = 0
  ) {
    self.shard = shard
    self.voters = voters
    self.learners = learners
    self.leader = leader
    self.isChanging = isChanging
    self.load = load
  }
}

/// One thing to do with one shard. Each is complete in itself: whoever leads next plans anew from what it finds.
public enum PlacementStep: Sendable, Hashable {
  /// Begins a copy on a broker that has none.
  case addLearner(ShardID, NodeID)
  /// Makes a learner that has caught up a voter.
  case promote(ShardID, NodeID)
  case transferLeadership(ShardID, to: NodeID)
  /// Takes a voter or a learner out.
  case remove(ShardID, NodeID)

  public var shard: ShardID {
    switch self {
    case .addLearner(let shard, _), .promote(let shard, _), .transferLeadership(let shard, _), .remove(let shard, _): shard
    }
  }
}
