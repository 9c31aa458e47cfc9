public import Core

/// Decides which broker should hold which shard: a function of the situation alone, so that any leader of the meta
/// group goes on where the last one stopped.
public enum PlacementPlanner {
  /// The next steps, at most one for each shard, in the order of the shards. None when all is as it should be.
  ///
  /// O(shards · brokers) for each move for balance.
  public static func steps(
    brokers: [BrokerSituation], shards: [ShardSituation], policy: PlacementPolicy, at now: Instant
  ) -> [PlacementStep] {
    precondition(policy.replicas > 0, "a shard without replicas")
    var board = PlacementBoard(brokers: brokers, shards: shards, policy: policy, at: now)
    board.keepWhatCounts()
    board.trim()
    let isWhole = board.fill()
    if isWhole { board.balance() }

    var steps: [Int: PlacementStep] = [:]
    for index in board.shards.indices {
      if let step = board.nextStep(of: index) { steps[index] = step }
    }
    for (index, leader) in board.leadershipMoves(besides: { steps[$0] != nil }) {
      steps[index] = .transferLeadership(board.shards[index].id, to: board.brokers[leader].id)
    }
    return board.shards.indices.compactMap { steps[$0] }
  }

  /// Where a new cluster's shards go: the voters of each, the one that should lead first.
  public static func initial(brokers: [BrokerSituation], shards: Int, policy: PlacementPolicy) -> [[NodeID]] {
    let empty = (0..<shards).map { ShardSituation(shard: ShardID($0), voters: []) }
    var board = PlacementBoard(brokers: brokers, shards: empty, policy: policy, at: .zero)
    _ = board.fill()
    // Who stands first would lead everything it holds; turning each by its number spreads that.
    return board.targets.enumerated().map { index, holders in
      holders.indices.map { board.brokers[holders[($0 + index) % holders.count]].id }
    }
  }
}
