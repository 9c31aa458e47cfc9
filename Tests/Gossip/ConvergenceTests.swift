import Core
import Testing

@testable import Gossip

@Suite("A cluster of 100 at 20 % packet loss")
struct ConvergenceTests {
  @Test("explore")
  func explore() {
    for seed: UInt64 in [1, 2, 3] {
      let sim = SimulatedGossip(seed: seed)
      sim.weather.loss = 0.2
      sim.start(count: 100)
      let ok = sim.run(for: .seconds(120)) { $0.hasConverged }
      print("seed \(seed): converged \(ok) after \(sim.now.nanoseconds / 1_000_000) ms, packets \(sim.packets) largest \(sim.largestPacket) state \(sim.largestState)")
      let t0 = sim.now
      sim.stop(42)
      let dead = sim.run(for: .seconds(120)) { s in
        s.hosts.indices.allSatisfy { $0 == 42 || s.hosts[$0].node.member(SimulatedGossip.id(42))?.standing == .dead }
      }
      print("dead \(dead) after \((sim.now - t0).milliseconds) ms")
      let t1 = sim.now
      for i in 0..<50 { sim.hosts[i].side = 1 }
      let split = sim.run(for: .seconds(400)) { s in s.hosts.indices.allSatisfy { $0 == 42 || s.hosts[$0].node.liveCount <= 49 } }
      print("split \(split) after \((sim.now - t1).milliseconds) ms")
      sim.run(for: .seconds(60))
      let t2 = sim.now
      for i in 0..<50 { sim.hosts[i].side = 0 }
      let healed = sim.run(for: .seconds(400)) { $0.hasConverged }
      print("healed \(healed) after \((sim.now - t2).milliseconds) ms")
    }
  }
}
