import Core
import Testing

@testable import Raft

@Suite("Exploration")
struct ExplorationTests {
  @Test("probe", arguments: 0..<8)
  func probe(bit: Int) {
    let faults = RaftFaults(rawValue: 1 << UInt16(bit))
    var steps: [Int] = []
    var total = 0
    for seed in UInt64(0)..<600 {
      let exploration = Exploration(seed: seed, faults: faults)
      exploration.run(steps: 5000)
      total += exploration.steps
      if !exploration.ledger.violations.isEmpty { steps.append(total); total = 0; if steps.count == 6 { break } }
    }
    print("fault", bit, steps, total)
  }
  @Test func whole() {
    var committed = 0, leaders = 0, restarts = 0, unhealed: [UInt64] = []
    for seed in UInt64(0)..<200 {
      let exploration = Exploration(seed: seed)
      exploration.run(steps: 5000)
      let healed = exploration.heal()
      if !healed { unhealed.append(seed) }
      committed += exploration.committed; leaders += exploration.leaderships; restarts += exploration.restarts
      if !exploration.ledger.violations.isEmpty { print("VIOLATION", seed, exploration.steps, exploration.ledger.violations) }
    }
    print("group", committed, leaders, restarts, "unhealed", unhealed)
  }
}
