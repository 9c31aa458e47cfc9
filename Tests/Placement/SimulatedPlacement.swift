import Core
import Placement
import Testing

/// Brokers and shards on which planned steps are carried out, some of them not, while brokers die and come back.
struct SimulatedPlacement {
  var brokers: [BrokerSituation]
  var shards: [ShardSituation]
  var policy: PlacementPolicy
  var now = Instant.zero
  var random: SeededGenerator
  /// Copies begun, leaderships handed over: what each costs is counted.
  var copies = 0
  var transfers = 0
  var stepsDone = 0
  let seed: UInt64

  init(brokers count: Int, shards: Int, policy: PlacementPolicy = PlacementPolicy(), racks: Int = 0, seed: UInt64 = 1) {
    self.policy = policy
    self.seed = seed
    random = SeededGenerator(seed: seed)
    brokers = (0..<count).map { Self.broker($0, racks: racks) }
    let initial = PlacementPlanner.initial(brokers: brokers, shards: shards, policy: policy)
    self.shards = initial.enumerated().map { index, voters in
      ShardSituation(shard: ShardID(index), voters: voters, leader: voters.first, load: UInt64(index % 3))
    }
  }

  static func id(_ index: Int) -> NodeID { NodeID(UInt64(100 + index)) }

  static func broker(_ index: Int, racks: Int = 0) -> BrokerSituation {
    BrokerSituation(id: id(index), rack: racks > 0 ? "rack-\(index % racks)" : "")
  }

  func plan() -> [PlacementStep] { PlacementPlanner.steps(brokers: brokers, shards: shards, policy: policy, at: now) }

  func isLive(_ id: NodeID) -> Bool { brokers.contains { $0.id == id && $0.deadSince == nil } }

  func hasQuorum(_ shard: ShardSituation) -> Bool { shard.voters.count(where: isLive) * 2 > shard.voters.count }

  /// Carries out a step as the shard's own group would, and holds it to what no step may do.
  mutating func perform(_ step: PlacementStep) {
    let index = shards.firstIndex { $0.shard == step.shard }!
    var shard = shards[index]
    let before = shard
    switch step {
    case .addLearner(_, let id):
      #expect(!shard.voters.contains(id) && !shard.learners.contains { $0.id == id }, "seed \(seed): \(step)")
      shard.learners.append(LearnerSituation(id: id, isCaughtUp: false))
      copies += 1
    case .promote(_, let id):
      #expect(shard.learners.contains { $0.id == id && $0.isCaughtUp }, "seed \(seed): \(step)")
      shard.learners.removeAll { $0.id == id }
      shard.voters.append(id)
    case .transferLeadership(_, let id):
      #expect(shard.voters.contains(id) && isLive(id) && shard.leader != id, "seed \(seed): \(step)")
      shard.leader = id
      transfers += 1
    case .remove(_, let id):
      #expect(shard.leader != id, "seed \(seed): a leader is asked to hand over first: \(step)")
      shard.voters.removeAll { $0 == id }
      shard.learners.removeAll { $0.id == id }
    }
    #expect(before != shard, "seed \(seed): \(step) changes nothing")
    #expect(hasQuorum(before) && hasQuorum(shard), "seed \(seed): \(step) costs \(before) its quorum")
    // A policy that was lowered finds more.
    #expect(shard.voters.count <= max(policy.replicas + 1, before.voters.count), "seed \(seed): \(step) makes \(shard.voters.count) voters")
    shards[index] = shard
    stepsDone += 1
  }

  /// Shards whose leader is gone elect another if they can.
  mutating func elect() {
    for index in shards.indices {
      if let leader = shards[index].leader, isLive(leader), shards[index].voters.contains(leader), hasQuorum(shards[index]) { continue }
      let live = shards[index].voters.filter(isLive)
      shards[index].leader = hasQuorum(shards[index]) ? live[random.below(live.count)] : nil
    }
  }

  mutating func catchUp(chance: Int = 1) {
    for index in shards.indices {
      for place in shards[index].learners.indices where isLive(shards[index].learners[place].id) {
        if random.below(chance) == 0 { shards[index].learners[place].isCaughtUp = true }
      }
    }
  }

  /// Works until there is nothing to do; says in how many rounds.
  @discardableResult
  mutating func settle(limit: Int = 200) -> Int {
    for round in 0..<limit {
      elect()
      catchUp()
      let steps = plan()
      #expect(Set(steps.map(\.shard)).count == steps.count, "one step for each shard at a time")
      if steps.isEmpty { return round }
      for step in steps { perform(step) }
    }
    Issue.record("seed \(seed): not settled after \(limit) rounds, still \(plan())")
    return limit
  }

  func replicas(of id: NodeID) -> Int { shards.count { $0.voters.contains(id) } }
  func leads(_ id: NodeID) -> Int { shards.count { $0.leader == id } }

  /// The difference between the most and the least among brokers that can be given things.
  func spread(_ count: (NodeID) -> Int) -> Int {
    let counts = brokers.filter { $0.deadSince == nil && !$0.isDraining && !$0.isLeaving }.map { count($0.id) }
    return (counts.max() ?? 0) - (counts.min() ?? 0)
  }
}
