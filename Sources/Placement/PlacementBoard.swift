internal import Core

/// The situation with names replaced by places, and the holders that each shard is to end up with.
struct PlacementBoard {
  struct Broker {
    let id: NodeID
    let rack: String
    let isAlive: Bool
    let isDraining: Bool
    let isLeaving: Bool
    /// Dead for longer than the grace, or not known at all: it counts for nothing.
    let isLost: Bool
    /// Alive, or dead for so short that its learners are kept.
    let learns: Bool

    /// May be given new replicas.
    var receives: Bool { isAlive && !isDraining && !isLeaving }
    /// May lead.
    var leads: Bool { receives }
  }

  struct Shard {
    let id: ShardID
    let voters: [Int]
    let learners: [Int]
    let caughtUp: [Int]
    let leader: Int?
    let isChanging: Bool
    let load: UInt64
  }

  let policy: PlacementPolicy
  /// By identity, so that the same situation gives the same steps in whatever order it is told.
  private(set) var brokers: [Broker] = []
  private(set) var shards: [Shard] = []
  /// For each shard the brokers that are to hold it in the end.
  var targets: [[Int]] = []
  /// For each broker how many shards it is to hold, and how heavy they are together.
  private(set) var counts: [Int] = []
  private(set) var loads: [UInt64] = []

  init(brokers told: [BrokerSituation], shards toldShards: [ShardSituation], policy: PlacementPolicy, at now: Instant) {
    self.policy = policy
    var places: [NodeID: Int] = [:]
    for broker in told.sorted(by: { $0.id < $1.id }) where places[broker.id] == nil {
      places[broker.id] = brokers.count
      let dead = broker.deadSince.map { now - $0 }
      brokers.append(
        Broker(
          id: broker.id, rack: broker.rack, isAlive: broker.deadSince == nil, isDraining: broker.isDraining,
          isLeaving: broker.isLeaving, isLost: dead.map { $0 >= policy.grace } ?? false,
          learns: dead.map { $0 < policy.learnerGrace } ?? true))
    }
    for shard in toldShards.sorted(by: { $0.shard < $1.shard }) {
      let voters = shard.voters.map { place(of: $0, &places) }
      let learners = shard.learners.map { place(of: $0.id, &places) }
      let caughtUp = zip(learners, shard.learners).filter { $0.1.isCaughtUp }.map(\.0)
      shards.append(
        Shard(
          id: shard.shard, voters: voters, learners: learners, caughtUp: caughtUp,
          leader: shard.leader.map { place(of: $0, &places) }, isChanging: shard.isChanging, load: shard.load))
    }
    targets = Array(repeating: [], count: shards.count)
    counts = Array(repeating: 0, count: brokers.count)
    loads = Array(repeating: 0, count: brokers.count)
  }

  /// A holder nobody told of is as good as lost.
  private mutating func place(of id: NodeID, _ places: inout [NodeID: Int]) -> Int {
    if let place = places[id] { return place }
    places[id] = brokers.count
    brokers.append(Broker(id: id, rack: "", isAlive: false, isDraining: false, isLeaving: false, isLost: true, learns: false))
    return brokers.count - 1
  }

  mutating func give(_ shard: Int, to broker: Int) {
    targets[shard].append(broker)
    counts[broker] += 1
    loads[broker] &+= shards[shard].load
  }

  mutating func take(_ shard: Int, from broker: Int) {
    targets[shard].removeAll { $0 == broker }
    counts[broker] -= 1
    loads[broker] &-= shards[shard].load
  }

  /// How many others among the shard's holders share the broker's rack; brokers that tell none share none.
  func sharing(_ shard: Int, _ broker: Int, without gone: Int? = nil) -> Int {
    let rack = brokers[broker].rack
    guard !rack.isEmpty else { return 0 }
    return targets[shard].count { $0 != broker && $0 != gone && brokers[$0].rack == rack }
  }

  func isLive(_ broker: Int) -> Bool { brokers[broker].isAlive }

  /// Whether the shard's voters are already those it is to have, and nothing is under way.
  func isSettled(_ shard: Int) -> Bool {
    let now = shards[shard]
    return now.learners.isEmpty && !now.isChanging && now.voters.count == targets[shard].count
      && now.voters.allSatisfy { targets[shard].contains($0) }
  }
}
