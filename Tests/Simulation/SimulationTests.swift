import Core
import Simulation
import Testing

@Suite struct SimulationTests {
  @Test("Fresh seeds", arguments: 1...40 as ClosedRange<UInt64>)
  func fresh(seed: UInt64) throws {
    let simulation = SimulatedCluster(SimulationPlan(seed: seed, duration: .seconds(60)))
    do throws(Violation) { try simulation.run() } catch { Issue.record("seed \(seed): \(error)") }
  }
}
