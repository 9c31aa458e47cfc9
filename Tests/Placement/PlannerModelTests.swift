import Core
import Placement
import Testing

/// Whatever happens between two steps, no step costs a shard its quorum, and in calm everything comes to rest as wanted.
@Suite("Placement under random failures")
struct PlannerModelTests {
  static let seeds: ClosedRange<UInt64> = 1...250

  @Test("No step of any prefix loses a quorum, and the cluster settles within bounds once it is left alone")
  func model() {
    var steps = 0
    var copies = 0
    for seed in Self.seeds {
      var dice = SeededGenerator(seed: seed &* 77)
      let replicas = [1, 3, 3, 3, 5][dice.below(5)]
      let count = max(3, replicas) + dice.below(4)
      var cluster = SimulatedPlacement(
        brokers: count, shards: 1 + dice.below(10), policy: PlacementPolicy(replicas: replicas),
        racks: [0, 0, 2, 3][dice.below(4)], seed: seed)
      for _ in 0..<60 { disturb(&cluster, &dice) }
      calm(&cluster)
      check(cluster, seed: seed)
      steps += cluster.stepsDone
      copies += cluster.copies
    }
    print("seeds \(Self.seeds): \(steps) steps, \(copies) copies")
    #expect(steps > 10_000, "the failures leave too little to do for this to prove anything")
  }

  /// One round: something may happen to a broker, time passes, and some of the planned steps are carried out.
  private func disturb(_ cluster: inout SimulatedPlacement, _ dice: inout SeededGenerator) {
    let index = dice.below(cluster.brokers.count)
    switch dice.below(8) {
    case 0: if cluster.brokers[index].deadSince == nil { cluster.brokers[index].deadSince = cluster.now }
    case 1, 2: cluster.brokers[index].deadSince = nil
    case 3: cluster.brokers[index].isDraining.toggle()
    case 4: if dice.below(4) == 0 { cluster.brokers[index].isLeaving.toggle() }
    case 5:
      if cluster.brokers.count < 10, dice.below(4) == 0 {
        cluster.brokers.append(SimulatedPlacement.broker(cluster.brokers.count, racks: 3))
      }
    default: break
    }
    cluster.now = cluster.now + .seconds(1 + dice.below(300))
    cluster.elect()
    for step in cluster.plan() where dice.below(3) > 0 {
      // Between two steps of one plan the next broker may go.
      if dice.below(20) == 0 {
        let victim = dice.below(cluster.brokers.count)
        if cluster.brokers[victim].deadSince == nil { cluster.brokers[victim].deadSince = cluster.now }
        cluster.elect()
        break
      }
      cluster.perform(step)
    }
    cluster.catchUp(chance: 3)
  }

  private func calm(_ cluster: inout SimulatedPlacement) {
    for index in cluster.brokers.indices {
      cluster.brokers[index].deadSince = nil
      cluster.brokers[index].isDraining = false
    }
    // Some that leave stay: enough must be there to hold everything.
    let leaving = cluster.brokers.indices.filter { cluster.brokers[$0].isLeaving }
    let mayLeave = max(0, cluster.brokers.count - cluster.policy.replicas)
    for index in leaving.dropFirst(mayLeave) { cluster.brokers[index].isLeaving = false }
    cluster.settle()
  }

  private func check(_ cluster: SimulatedPlacement, seed: UInt64) {
    for shard in cluster.shards {
      #expect(shard.voters.count == cluster.policy.replicas && shard.learners.isEmpty, "seed \(seed): \(shard)")
      for broker in cluster.brokers where broker.isLeaving { #expect(!shard.voters.contains(broker.id), "seed \(seed)") }
    }
    // Racks of different sizes come first and may forbid an even spread.
    if cluster.brokers.allSatisfy({ $0.rack.isEmpty }) {
      #expect(cluster.spread(cluster.replicas) <= 1, "seed \(seed)")
    }
    for broker in cluster.brokers where broker.isLeaving { #expect(cluster.leads(broker.id) == 0, "seed \(seed)") }
  }
}
