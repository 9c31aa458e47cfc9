import Core
import Testing

@testable import Gossip

/// The experiment of the Lifeguard paper: some members are stopped again and again and run for moments between; what is
/// counted is how often members that were never stopped are declared dead.
@Suite("Members that stand still")
struct FalsePositiveTests {
  struct Manner {
    let name: String
    let lifeguard: Bool
    let forgiving: Bool

    static let plain = Manner(name: "plain SWIM", lifeguard: false, forgiving: false)
    static let lifeguard = Manner(name: "Lifeguard", lifeguard: true, forgiving: false)
    static let forgiving = Manner(name: "Lifeguard that forgives its own pauses", lifeguard: true, forgiving: true)
  }

  struct Count: Equatable {
    var healthyDeclaredDead = 0
    var healthySuspected = 0
    var stoppedDeclaredDead = 0
  }

  static let nodes = 40
  static let stopped = 10
  static let seeds: ClosedRange<UInt64> = 1...3
  /// Six seconds asleep and ten milliseconds awake, half of it more or less.
  static let asleep = TimeSpan.seconds(6)
  static let awake = TimeSpan.milliseconds(10)

  @Test("Lifeguard declares at most a fiftieth as many healthy members dead as plain SWIM, and none when it forgives its own pauses")
  func ratio() {
    var counts: [Count] = []
    for manner in [Manner.plain, .lifeguard, .forgiving] {
      var count = Count()
      for seed in Self.seeds { run(manner, seed: seed, into: &count) }
      print("seeds \(Self.seeds), \(manner.name): \(count)")
      counts.append(count)
    }
    #expect(counts[0].healthyDeclaredDead >= 200, "the experiment no longer troubles plain SWIM")
    #expect(counts[1].healthyDeclaredDead * 50 <= counts[0].healthyDeclaredDead)
    #expect(counts[2].healthyDeclaredDead == 0)
    #expect(counts[2].healthySuspected * 100 <= counts[0].healthySuspected)
  }

  private func run(_ manner: Manner, seed: UInt64, into count: inout Count) {
    var settings = GossipSettings()
    settings.lifeguard = manner.lifeguard
    settings.forgivesOwnPauses = manner.forgiving
    let sim = SimulatedGossip(seed: seed)
    sim.startAcquainted(count: Self.nodes, settings: settings)
    sim.run(for: .seconds(5))
    stopAndGo(sim, seed: seed, for: .seconds(90))
    sim.run(for: .seconds(30))
    for host in sim.hosts {
      for (_, fact) in host.facts {
        switch fact {
        case .died(let id) where id >= SimulatedGossip.id(Self.stopped): count.healthyDeclaredDead += 1
        case .suspected(let id, _) where id >= SimulatedGossip.id(Self.stopped): count.healthySuspected += 1
        case .died: count.stoppedDeclaredDead += 1
        default: break
        }
      }
    }
  }

  private func stopAndGo(_ sim: SimulatedGossip, seed: UInt64, for span: TimeSpan) {
    var script = SeededGenerator(seed: seed)
    func about(_ length: TimeSpan) -> TimeSpan {
      TimeSpan(nanoseconds: length.nanoseconds / 2 + script.span(below: length).nanoseconds)
    }
    let end = sim.now + span
    var next = (0..<Self.stopped).map { _ in sim.now + script.span(below: Self.asleep) }
    while let soonest = next.min(), soonest < end, let index = next.firstIndex(of: soonest) {
      sim.run(for: soonest - sim.now)
      if sim.hosts[index].isPaused {
        sim.resume(index)
        next[index] = sim.now + about(Self.awake)
      } else {
        sim.pause(index)
        next[index] = sim.now + about(Self.asleep)
      }
    }
    for index in 0..<Self.stopped where sim.hosts[index].isPaused { sim.resume(index) }
  }

  @Test("A member alone in standing still is declared dead by the others, says otherwise when it runs again, and joins")
  func pausedAlone() {
    let sim = SimulatedGossip(seed: 5)
    sim.start(count: 10)
    #expect(sim.run(for: .seconds(10)) { $0.hasConverged })
    sim.pause(7)
    let isDead = sim.run(for: .seconds(60)) { sim in
      sim.hosts.indices.allSatisfy { $0 == 7 || sim.hosts[$0].node.member(SimulatedGossip.id(7))?.standing == .dead }
    }
    #expect(isDead)
    sim.resume(7)
    let returned = sim.now
    #expect(sim.run(for: .seconds(6)) { $0.hasConverged })
    print("back after \((sim.now - returned).milliseconds) ms")
    #expect(sim.hosts[7].node.counters.refutations >= 1)
    #expect(sim.hosts[7].node.counters.overslept >= 1)
    for (index, host) in sim.hosts.enumerated() where index != 7 {
      for (_, fact) in host.facts {
        if case .died(let id) = fact { #expect(id == SimulatedGossip.id(7)) }
      }
    }
  }
}
