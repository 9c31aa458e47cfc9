import Core
import Testing

@testable import Gossip

@Suite("Coming, going, and being wrongly thought gone")
struct MembershipTests {
  private func cluster(_ count: Int, seed: UInt64 = 21, settings: GossipSettings = GossipSettings()) -> SimulatedGossip {
    let sim = SimulatedGossip(seed: seed)
    sim.start(count: count, settings: settings)
    #expect(sim.run(for: .seconds(15)) { $0.hasConverged }, "seed \(seed)")
    return sim
  }

  private func facts(_ sim: SimulatedGossip, at host: Int, about index: Int) -> [String] {
    sim.hosts[host].facts.compactMap { entry in
      switch entry.fact {
      case .joined(let member): member.id == SimulatedGossip.id(index) ? "joined" : nil
      case .updated(let member): member.id == SimulatedGossip.id(index) ? "updated" : nil
      case .suspected(let id, _): id == SimulatedGossip.id(index) ? "suspected" : nil
      case .cleared(let id): id == SimulatedGossip.id(index) ? "cleared" : nil
      case .died(let id): id == SimulatedGossip.id(index) ? "died" : nil
      case .left(let id): id == SimulatedGossip.id(index) ? "left" : nil
      case .forgotten(let id): id == SimulatedGossip.id(index) ? "forgotten" : nil
      case .selfSuspected: nil
      }
    }
  }

  @Test("Who leaves is told of as left, never as suspected or dead, within 5 periods")
  func leaving() {
    let sim = cluster(20)
    sim.act(4) { node, now, output in node.leave(at: now, into: &output) }
    let isGone = sim.run(for: .seconds(5)) { sim in
      sim.hosts[4].node.hasLeft
        && sim.hosts.indices.allSatisfy { $0 == 4 || sim.hosts[$0].node.member(SimulatedGossip.id(4))?.standing == .left }
    }
    #expect(isGone)
    sim.stop(4)
    sim.run(for: .seconds(40))
    for index in sim.hosts.indices where index != 4 {
      #expect(facts(sim, at: index, about: 4) == ["joined", "left"])
    }
  }

  @Test("A member that restarts after its death joins again, though it remembers no incarnation")
  func rejoin() {
    let sim = cluster(8)
    // It has said several things of itself, so that it comes back with an incarnation that looks old.
    for _ in 0..<5 { sim.act(6) { node, _, _ in node.update(profile: node.profile) } }
    sim.run(for: .seconds(10))
    sim.stop(6)
    #expect(sim.run(for: .seconds(60)) { sim in sim.hosts[0].node.member(SimulatedGossip.id(6))?.standing == .dead })
    sim.run(for: .seconds(5))
    sim.start(6, boot: 2)
    let returned = sim.now
    #expect(sim.run(for: .seconds(6)) { $0.hasConverged })
    print("rejoined after \((sim.now - returned).milliseconds) ms")
    #expect(sim.hosts[6].node.incarnation > 6)
    #expect(sim.hosts[0].node.member(SimulatedGossip.id(6))?.profile.boot == 2)
    #expect(facts(sim, at: 0, about: 6).suffix(2) == ["died", "joined"])
  }

  @Test("A restart so fast that nobody missed the member is told as a death and a joining")
  func quickRestart() {
    let sim = cluster(8)
    sim.stop(6)
    sim.start(6, boot: 2)
    let isNoticed = sim.run(for: .seconds(6)) { sim in
      sim.hosts.indices.allSatisfy { $0 == 6 || sim.hosts[$0].node.member(SimulatedGossip.id(6))?.profile.boot == 2 }
    }
    #expect(isNoticed)
    for index in sim.hosts.indices where index != 6 {
      #expect(facts(sim, at: index, about: 6).filter { $0 != "updated" }.suffix(2) == ["died", "joined"])
    }
  }

  @Test("A false accusation is answered with a later incarnation and forgotten by all")
  func refutation() {
    let sim = cluster(12)
    let before = sim.hosts[2].node.incarnation
    let lie = Claim(standing: .suspect, subject: SimulatedGossip.id(2), incarnation: before, accuser: SimulatedGossip.id(9))
    sim.act(9) { node, now, output in node.apply(lie, profile: Bytes(), at: now, into: &output) }
    #expect(!sim.hasConverged)
    #expect(sim.run(for: .seconds(8)) { $0.hasConverged })
    #expect(sim.hosts[2].node.incarnation == before + 1)
    #expect(facts(sim, at: 9, about: 2) == ["joined", "suspected", "cleared"])
    #expect(
      sim.hosts[2].facts.contains {
        if case .selfSuspected(let accuser) = $0.fact { accuser == SimulatedGossip.id(9) } else { false }
      })
  }

  @Test("Where datagrams do not get through at all, streams keep members alive and the counters say so")
  func streamsOnly() {
    let sim = cluster(5)
    sim.weather.loss = 1
    sim.run(for: .seconds(60))
    #expect(sim.hasConverged)
    #expect(sim.hosts.allSatisfy { $0.node.counters.streamAcks > 10 })
    for host in sim.hosts { #expect(!host.facts.contains { if case .died = $0.fact { true } else { false } }) }
  }

  @Test("The dead are remembered for their time and then forgotten; memory is bounded")
  func forgetting() {
    var settings = GossipSettings()
    settings.memory = .seconds(120)
    let sim = cluster(6, settings: settings)
    sim.stop(5)
    #expect(sim.run(for: .seconds(60)) { sim in sim.hosts[0].node.member(SimulatedGossip.id(5))?.standing == .dead })
    sim.run(for: .seconds(100))
    #expect(sim.hosts[0].node.member(SimulatedGossip.id(5)) != nil)
    sim.run(for: .seconds(80))
    for index in 0..<5 { #expect(sim.hosts[index].node.member(SimulatedGossip.id(5)) == nil) }
    #expect(facts(sim, at: 0, about: 5).last == "forgotten")
    #expect(sim.hosts[0].node.rumours.isEmpty)
  }

  @Test("No more members than the limit are taken up, and the dead make room for the living")
  func memberLimit() {
    var node = GossipNode(
      id: SimulatedGossip.id(0), address: SimulatedGossip.address(0), profile: SimulatedGossip.profile(0), seed: 1, at: .zero)
    var output = GossipOutput()
    let profile = SimulatedGossip.profile(1).encoded
    func join(_ index: Int) {
      let claim = Claim(standing: .alive, subject: SimulatedGossip.id(index), incarnation: 1, address: SimulatedGossip.address(index))
      node.apply(claim, profile: profile, at: .zero, into: &output)
      // What was said of it does not matter here, and taking it back in each time would be slow.
      node.rumours = Rumours()
    }
    for index in 1...GossipLimits.members + 3 { join(index) }
    #expect(node.members.count == GossipLimits.members)
    #expect(node.counters.membersRefused == 3)
    let death = Claim(standing: .dead, subject: SimulatedGossip.id(9), incarnation: 1, accuser: SimulatedGossip.id(8))
    node.apply(death, profile: Bytes(), at: .zero, into: &output)
    join(GossipLimits.members + 1)
    #expect(node.members.count == GossipLimits.members)
    #expect(node.member(SimulatedGossip.id(9)) == nil)
    #expect(node.member(SimulatedGossip.id(GossipLimits.members + 1)) != nil)
  }
}
