import Core
import Placement
import Testing

@Suite("Driving placement") struct StewardTests {
  private static let policy = PlacementPolicy(replicas: 3, grace: .seconds(60))
  private let nodes = (1...4).map { NodeID(UInt64($0)) }

  private func led(_ shard: Int, by leader: NodeID, voters: [NodeID], learners: [LearnerSituation] = [], term: UInt64 = 1) -> HolderReport {
    HolderReport(
      node: leader, shard: ShardID(shard), term: term,
      situation: ShardSituation(shard: ShardID(shard), voters: voters, learners: learners, leader: leader))
  }

  private func held(_ shard: Int, by node: NodeID, term: UInt64 = 1) -> HolderReport {
    HolderReport(node: node, shard: ShardID(shard), term: term)
  }

  private func seen(_ alive: [NodeID], dead: [NodeID] = []) -> [BrokerSighting] {
    alive.map { BrokerSighting(id: $0) } + dead.map { BrokerSighting(id: $0, isAlive: false) }
  }

  private func orders(
    _ steward: inout Steward, _ brokers: [BrokerSighting], _ reports: [HolderReport], at seconds: Int
  ) -> [String] {
    steward.orders(brokers: brokers, reports: reports, at: Instant.zero + .seconds(seconds)).map { "\($0.to) \($0.order)" }
  }

  @Test("A shard with a replica too few gets one from a broker that has come, and its leader is told")
  func fills() {
    var steward = Steward(policy: Self.policy)
    let found = orders(&steward, seen(Array(nodes[0...2])), [led(0, by: nodes[1], voters: Array(nodes[0...1]))], at: 0)
    #expect(found == ["\(nodes[1]) \(PlacementOrder.step(.addLearner(ShardID(0), nodes[2])))"])
  }

  @Test("A dead broker's replicas are made anew when the grace is over, counted from when it was first missed")
  func grace() {
    var steward = Steward(policy: Self.policy)
    let shard = [led(0, by: nodes[0], voters: Array(nodes[0...2]))]
    let before = seen([nodes[0], nodes[1], nodes[3]], dead: [nodes[2]])
    let first = orders(&steward, before, shard, at: 100)
    let soon = orders(&steward, before, shard, at: 159)
    let late = orders(&steward, before, shard, at: 160)
    #expect(first.isEmpty && soon.isEmpty)
    #expect(late == ["\(nodes[0]) \(PlacementOrder.step(.addLearner(ShardID(0), nodes[3])))"])
  }

  @Test("A holder that nobody has seen is missed like one that died, and not given up at once")
  func neverSeen() {
    var steward = Steward(policy: Self.policy)
    let shard = [led(0, by: nodes[0], voters: Array(nodes[0...2]))]
    let first = orders(&steward, seen([nodes[0], nodes[1], nodes[3]]), shard, at: 5)
    let late = orders(&steward, seen([nodes[0], nodes[1], nodes[3]]), shard, at: 65)
    #expect(first.isEmpty && late.count == 1)
  }

  @Test("One that learns a shard and is started anew goes on learning; one that stays away is replaced soon")
  func missingLearner() {
    var steward = Steward(policy: Self.policy)
    let learner = LearnerSituation(id: nodes[2], isCaughtUp: false)
    let shard = [led(0, by: nodes[0], voters: Array(nodes[0...1]), learners: [learner])]
    let before = seen([nodes[0], nodes[1], nodes[3]], dead: [nodes[2]])
    let first = orders(&steward, before, shard, at: 100)
    let soon = orders(&steward, before, shard, at: 109)
    let late = orders(&steward, before, shard, at: 110)
    #expect(first.isEmpty && soon.isEmpty)
    #expect(late == ["\(nodes[0]) \(PlacementOrder.step(.remove(ShardID(0), nodes[2])))"])
  }

  @Test("One that came back in time is counted anew when it is missed again")
  func cameBack() {
    var steward = Steward(policy: Self.policy)
    let shard = [led(0, by: nodes[0], voters: Array(nodes[0...2]))]
    let dead = seen([nodes[0], nodes[1], nodes[3]], dead: [nodes[2]])
    let all = [
      orders(&steward, dead, shard, at: 0), orders(&steward, seen(nodes), shard, at: 50), orders(&steward, dead, shard, at: 61),
      orders(&steward, dead, shard, at: 120),
    ]
    #expect(all.allSatisfy { $0.isEmpty })
  }

  @Test("One that leaves is done when it was seen to hold nothing for a while: what was ordered before shows by then")
  func emptied() {
    var steward = Steward(policy: Self.policy)
    let leaving = [nodes[3]]
    let without = [led(0, by: nodes[0], voters: Array(nodes[0...2])), led(1, by: nodes[1], voters: Array(nodes[0...2]))]
    let learner = LearnerSituation(id: nodes[3], isCaughtUp: false)
    let again = [without[0], led(1, by: nodes[1], voters: Array(nodes[0...2]), learners: [learner])]
    func done(_ reports: [HolderReport], at seconds: Int) -> [NodeID] {
      steward.emptied(leaving, reports: reports, shards: 2, at: Instant.zero + .seconds(seconds))
    }
    let early = [done(without, at: 0), done(without, at: 3), done(again, at: 4), done(without, at: 5), done(without, at: 8)]
    #expect(early == Array(repeating: [], count: 5))
    let unheard = [done(Array(without[..<1]), at: 9), done(without, at: 10), done(without + [held(0, by: nodes[3])], at: 13), done(without, at: 14)]
    #expect(unheard == Array(repeating: [], count: 4), "not every leader is heard, or it has a replica that nobody counts")
    let late = done(without, at: 18)
    #expect(late == leaving)
  }

  @Test("A broker whose address another one has is not waited for")
  func replaced() {
    var steward = Steward(policy: Self.policy)
    var brokers = seen([nodes[0], nodes[1], nodes[3]], dead: [nodes[2]])
    brokers[3].isReplaced = true
    let found = orders(&steward, brokers, [led(0, by: nodes[0], voters: Array(nodes[0...2]))], at: 0)
    #expect(found == ["\(nodes[0]) \(PlacementOrder.step(.addLearner(ShardID(0), nodes[3])))"])
  }

  @Test("Whoever holds a replica and is no member is dismissed by the newest leader, and by none that is older than it")
  func dismisses() {
    var steward = Steward(policy: Self.policy)
    let members = Array(nodes[0...2])
    let old = led(0, by: nodes[0], voters: nodes, term: 1)
    let new = led(0, by: nodes[1], voters: members, term: 2)
    let stray = orders(&steward, seen(nodes), [old, new, held(0, by: nodes[2], term: 2), held(0, by: nodes[3], term: 2)], at: 0)
    #expect(stray == ["\(nodes[1]) \(PlacementOrder.dismiss(nodes[3]))"])
    let newer = orders(&steward, seen(nodes), [new, held(0, by: nodes[3], term: 3)], at: 1)
    #expect(newer.isEmpty)
  }

  @Test("While members change nobody is dismissed")
  func changing() {
    var steward = Steward(policy: Self.policy)
    var report = led(0, by: nodes[0], voters: Array(nodes[0...2]))
    report.situation?.isChanging = true
    let found = orders(&steward, seen(nodes), [report, held(0, by: nodes[3])], at: 0)
    #expect(found.isEmpty)
  }
}
