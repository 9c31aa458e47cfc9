import Core
import Testing

@testable import Raft

@Suite("Exploration")
struct ExplorationTests {
  @Test("probe", arguments: 0..<20)
  func probe(group: Int) {
    var committed = 0, leaders = 0, restarts = 0, unhealed: [UInt64] = []
    for seed in UInt64(group * 10)..<UInt64(group * 10 + 10) {
      let exploration = Exploration(seed: seed)
      exploration.run(steps: 5000)
      let healed = exploration.heal()
      if !healed { unhealed.append(seed); for node in exploration.nodes { print("UNHEALED", seed, node.id.short, node.machine.role, node.machine.term, node.machine.base, node.machine.committed, node.machine.durable, node.machine.last, node.machine.membership, node.machine.status.members.map { "\($0.node.short) \($0.match) \($0.flow)" }, node.machine.counters, node.disk.hardStateQueue.count, node.disk.logQueue.count) } }
      committed += exploration.committed; leaders += exploration.leaderships; restarts += exploration.restarts
      if !exploration.ledger.violations.isEmpty { print("VIOLATION", seed, exploration.steps, exploration.ledger.violations) }
    }
    print("group", group, committed, leaders, restarts, "unhealed", unhealed)
  }
}
