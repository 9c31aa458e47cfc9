internal import Broker
internal import Core
internal import Raft
internal import Reactor
internal import Replica

/// Which shards held here have had nobody who leads them for longer than an election takes: more than half of their
/// brokers are not there, and whoever publishes is refused until some are back.
struct MajorityWatch {
  /// Elections, also one or two that nobody won, are over by then.
  static let patience = TimeSpan.seconds(3)

  private var leaderlessSince: [ShardID: Instant] = [:]
  private var told: Set<ShardID> = []

  /// What is to be told now, in order: each loss once, and its end.
  mutating func look(leaderless: [ShardID], at now: Instant) -> (lost: [ShardID], regained: [ShardID]) {
    var since: [ShardID: Instant] = [:]
    for shard in leaderless { since[shard] = leaderlessSince[shard] ?? now }
    leaderlessSince = since
    let regained = told.filter { since[$0] == nil }.sorted()
    told.subtract(regained)
    let lost = since.filter { now - $0.value >= Self.patience && !told.contains($0.key) }.keys.sorted()
    told.formUnion(lost)
    return (lost, regained)
  }
}

extension NodeReactor {
  func tellOfMajorities() {
    let leaderless = (broker?.statuses ?? []).filter { !$0.isServing && $0.raft.leader == nil && $0.condition == .ok }.map(\.shard)
    let (lost, regained) = majorities.look(leaderless: leaderless, at: loop.now)
    for shard in lost {
      plan.log.warning(
        "no-majority",
        "shard \(shard) has no majority: publishes are refused until more of its brokers are back; start those that the status calls dead",
        ["shard": LogValue(Int(shard.value))])
    }
    for shard in regained { plan.log.info("majority-again", "the shard has a leader again", ["shard": LogValue(Int(shard.value))]) }
  }
}
