public import Core

/// A broker as it is seen from one node.
public struct BrokerSighting: Sendable, Hashable {
  public var id: NodeID
  public var rack: String
  public var isAlive: Bool
  public var isDraining: Bool
  public var isLeaving: Bool
  /// Another broker has its address: its disk is gone for good.
  public var isReplaced: Bool

  public init(
    id: NodeID, rack: String = "", isAlive: Bool = true, isDraining: Bool = false, isLeaving: Bool = false, isReplaced: Bool = false
  ) {
    self.id = id
    self.rack = rack
    self.isAlive = isAlive
    self.isDraining = isDraining
    self.isLeaving = isLeaving
    self.isReplaced = isReplaced
  }
}

/// What one node tells of a shard that it holds.
public struct HolderReport: Sendable, Hashable {
  public var node: NodeID
  public var term: UInt64
  /// What it says as the shard's leader; nil on all others.
  public var situation: ShardSituation?
  public var shard: ShardID

  public init(node: NodeID, shard: ShardID, term: UInt64, situation: ShardSituation? = nil) {
    self.node = node
    self.shard = shard
    self.term = term
    self.situation = situation
  }
}

/// Drives placement, on whichever node leads the meta group: puts together what is seen and told, and says who is to be
/// told what. It may be wrong about everything for a while: every order is checked by the group that carries it out.
public struct Steward: Sendable {
  private let policy: PlacementPolicy
  /// Since when a holder is not alive, counted from when this steward first noticed.
  private var deadSince: [NodeID: Instant] = [:]
  /// Since when a broker that leaves was seen to hold nothing.
  private var emptySince: [NodeID: Instant] = [:]
  /// What was ordered before a broker was told to leave shows in the reports by then.
  public static let emptyFor = TimeSpan.seconds(4)

  public init(policy: PlacementPolicy) { self.policy = policy }

  /// The orders that are due, each with the node it is for.
  public mutating func orders(
    brokers: [BrokerSighting], reports: [HolderReport], at now: Instant
  ) -> [(to: NodeID, shard: ShardID, order: PlacementOrder)] {
    let leaders = newestLeaders(reports)
    let shards = leaders.values.compactMap(\.situation).sorted { $0.shard < $1.shard }
    let situations = situations(of: brokers, holding: shards, at: now)
    var orders: [(to: NodeID, shard: ShardID, order: PlacementOrder)] = []
    for step in PlacementPlanner.steps(brokers: situations, shards: shards, policy: policy, at: now) {
      guard let leader = leaders[step.shard]?.node else { continue }
      orders.append((leader, step.shard, .step(step)))
    }
    for report in reports where report.situation == nil {
      guard let leader = leaders[report.shard], let shard = leader.situation, !shard.isChanging, leader.term >= report.term,
        !shard.voters.contains(report.node), !shard.learners.contains(where: { $0.id == report.node })
      else { continue }
      orders.append((leader.node, report.shard, .dismiss(report.node)))
    }
    return orders
  }

  /// Those of `leaving` that hold nothing any more, as far as all shards' leaders tell and have told for a while.
  public mutating func emptied(_ leaving: [NodeID], reports: [HolderReport], shards: Int, at now: Instant) -> [NodeID] {
    let situations = newestLeaders(reports).values.compactMap(\.situation)
    var empty: [NodeID: Instant] = [:]
    if situations.count == shards, !situations.contains(where: \.isChanging) {
      var holders = Set(reports.map(\.node))
      for situation in situations { holders.formUnion(situation.voters + situation.learners.map(\.id)) }
      for node in leaving where !holders.contains(node) { empty[node] = emptySince[node] ?? now }
    }
    emptySince = empty
    return leaving.filter { node in empty[node].map { now - $0 >= Self.emptyFor } ?? false }
  }

  /// Of two that take themselves for a shard's leader, the one of the newer term.
  private func newestLeaders(_ reports: [HolderReport]) -> [ShardID: HolderReport] {
    var leaders: [ShardID: HolderReport] = [:]
    for report in reports where report.situation != nil {
      if let known = leaders[report.shard], known.term >= report.term { continue }
      leaders[report.shard] = report
    }
    return leaders
  }

  private mutating func situations(
    of brokers: [BrokerSighting], holding shards: [ShardSituation], at now: Instant
  ) -> [BrokerSituation] {
    var situations: [BrokerSituation] = []
    var dead: [NodeID: Instant] = [:]
    func since(_ id: NodeID) -> Instant {
      let since = deadSince[id] ?? now
      dead[id] = since
      return since
    }
    for broker in brokers {
      // Whose disk is gone does not come back, however long one waits.
      let deadSince: Instant? = broker.isAlive ? nil : broker.isReplaced ? Instant(nanoseconds: now.nanoseconds - policy.grace.nanoseconds) : since(broker.id)
      situations.append(
        BrokerSituation(
          id: broker.id, rack: broker.rack, deadSince: deadSince, isDraining: broker.isDraining, isLeaving: broker.isLeaving))
    }
    var known = Set(brokers.map(\.id))
    for shard in shards {
      for holder in shard.voters + shard.learners.map(\.id) where known.insert(holder).inserted {
        situations.append(BrokerSituation(id: holder, deadSince: since(holder)))
      }
    }
    deadSince = dead
    return situations
  }
}
