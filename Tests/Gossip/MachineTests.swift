import Core
import Testing

@testable import Gossip

@Suite("Parts of the machine")
struct MachineTests {
  @Test("Logarithms agree with known values")
  func logarithms() {
    #expect(Logarithm.natural(1) == 0)
    #expect(abs(Logarithm.natural(2.718281828459045) - 1) < 1e-15)
    #expect(abs(Logarithm.decimal(100) - 2) < 1e-14)
    #expect(abs(Logarithm.decimal(4096) - 3.612359947967774) < 1e-14)
    #expect(abs(Logarithm.natural(0.5) + 0.6931471805599453) < 1e-15)
  }

  @Test("A suspect's time shrinks from the longest to the shortest as independent confirmations arrive")
  func suspicionShrinks() {
    let settings = GossipSettings()
    var suspicion = Suspicion(since: .zero, accuser: NodeID(1), members: 100, settings: settings)
    // 4 · log10(100) · 1 s, six times that, and between them in steps of log(c + 1) / log(4).
    #expect(suspicion.deadline == Instant.zero + .seconds(48))
    let isNews = [1, 2].map { suspicion.confirm(by: NodeID($0)) }
    #expect(isNews == [false, true], "who accused before confirms nothing")
    #expect(suspicion.deadline.nanoseconds / 1_000_000 == 28_000)
    let isMoreNews = [3, 4, 5].map { suspicion.confirm(by: NodeID($0)) }
    #expect(isMoreNews == [true, true, false], "more than are wanted are not passed on")
    #expect(suspicion.deadline.nanoseconds / 1_000_000 == 8000)
  }

  @Test("In a cluster too small for confirmations nobody waits for them, and plain SWIM never does")
  func suspicionInSmallClusters() {
    #expect(Suspicion(since: .zero, accuser: NodeID(1), members: 2, settings: GossipSettings()).deadline == .zero + .seconds(4))
    var plain = GossipSettings()
    plain.lifeguard = false
    #expect(Suspicion(since: .zero, accuser: NodeID(1), members: 100, settings: plain).deadline == .zero + .seconds(8))
  }

  @Test("Local health worsens to its bound, recovers by success, and blames only what nobody nacked")
  func health() {
    var health = LocalHealth(isWatched: true)
    health.probeSucceeded()
    #expect(health.score == 0)
    health.probeFailed(nacksMissed: 0, nacksExpected: 3)
    #expect(health.score == 0)
    health.probeFailed(nacksMissed: 2, nacksExpected: 3)
    health.refuted()
    #expect(health.score == 3)
    for _ in 0..<20 { health.probeFailed(nacksMissed: 0, nacksExpected: 0) }
    #expect(health.multiplier == LocalHealth.worst + 1)
    health.probeSucceeded()
    #expect(health.score == LocalHealth.worst - 1)
  }

  @Test("Rumours are told newest first, each so many times, one about each member")
  func rumours() {
    var rumours = Rumours()
    for byte: UInt8 in 1...3 { rumours.add(Bytes([UInt8](repeating: byte, count: 20)), about: NodeID(UInt64(byte))) }
    func told(_ limit: Int, times: Int = 3) -> [UInt8] {
      var buffer = ByteBuffer()
      let count = rumours.tell(into: &buffer, limit: limit, times: times)
      #expect(buffer.count == count * 20)
      return (0..<count).map { buffer.bytes.byte(at: $0 * 20) }
    }
    #expect(told(45) == [3, 2])
    // The one told least goes before those told once, of which the newer goes first.
    #expect(told(45) == [1, 3])
    rumours.add(Bytes([UInt8](repeating: 9, count: 20)), about: NodeID(2))
    #expect(rumours.count == 3)
    #expect(told(100) == [9, 1, 3])
    #expect(told(100) == [9, 1])
    #expect(told(100) == [9])
    #expect(rumours.isEmpty)
  }

  @Test("Every member is probed once before any is probed again")
  func roundRobin() {
    var node = GossipNode(
      id: SimulatedGossip.id(0), address: SimulatedGossip.address(0), profile: SimulatedGossip.profile(0), seed: 4, at: .zero)
    var output = GossipOutput()
    for index in 1...9 {
      let claim = Claim(standing: .alive, subject: SimulatedGossip.id(index), incarnation: 1, address: SimulatedGossip.address(index))
      node.apply(claim, profile: SimulatedGossip.profile(index).encoded, at: .zero, into: &output)
    }
    var rounds: [[GossipAddress]] = []
    for _ in 0..<3 {
      var round: [GossipAddress] = []
      while round.count < 9 {
        output.removeAll()
        let now = node.nextTick
        node.tick(at: now, into: &output)
        guard let probe = node.probe, !probe.isAnswered, let packet = output.packets.first else { continue }
        round.append(packet.to)
        node.receiveAck(probe.sequence, byStream: false, at: now, into: &output)
      }
      #expect(Set(round).count == 9)
      rounds.append(round)
    }
    #expect(rounds[1] != rounds[2], "the order is another in every round")
  }

  @Test("A suspect is told of the suspicion in the ping itself, and its answer refutes")
  func buddy() throws {
    var output = GossipOutput()
    var nodes = [0, 1].map {
      GossipNode(
        id: SimulatedGossip.id($0), address: SimulatedGossip.address($0), profile: SimulatedGossip.profile($0),
        seed: UInt64($0), at: .zero)
    }
    let claim = Claim(standing: .alive, subject: nodes[1].id, incarnation: 1, address: nodes[1].address)
    nodes[0].apply(claim, profile: nodes[1].profileBytes, at: .zero, into: &output)
    nodes[0].apply(Claim(standing: .suspect, subject: nodes[1].id, incarnation: 1, accuser: nodes[0].id), profile: Bytes(), at: .zero, into: &output)
    nodes[0].rumours = Rumours()
    output.removeAll()
    while output.packets.isEmpty { nodes[0].tick(at: nodes[0].nextTick, into: &output) }
    let ping = try #require(output.packets.first)
    output.removeAll()
    nodes[1].receive(packet: ping.bytes.bytes, from: nodes[0].address, at: nodes[0].nextTick, into: &output)
    let ack = try #require(output.packets.first)
    nodes[0].receive(packet: ack.bytes.bytes, from: nodes[1].address, at: nodes[0].nextTick, into: &output)
    #expect(nodes[0].member(nodes[1].id)?.standing == .alive)
    #expect(nodes[0].member(nodes[1].id)?.incarnation == 2)
    #expect(nodes[0].probe?.isAnswered == true)
  }

  @Test("The dead of another's state are suspects here, those who left are gone, and dead strangers are not taken up")
  func stateOfAnother() {
    var node = GossipNode(
      id: SimulatedGossip.id(0), address: SimulatedGossip.address(0), profile: SimulatedGossip.profile(0), seed: 1, at: .zero)
    var output = GossipOutput()
    for index in 1...2 {
      let claim = Claim(standing: .alive, subject: SimulatedGossip.id(index), incarnation: 1, address: SimulatedGossip.address(index))
      node.apply(claim, profile: SimulatedGossip.profile(index).encoded, at: .zero, into: &output)
    }
    func says(_ standing: Standing, _ index: Int) -> GossipMessage {
      .claim(Claim(standing: standing, subject: SimulatedGossip.id(index), incarnation: 1, accuser: NodeID(5)))
    }
    let state = CodecTests.frame([says(.dead, 1), says(.left, 2), says(.dead, 3)], form: .state)
    node.receive(request: state.span.bytes, from: SimulatedGossip.address(5), at: .zero, into: &output)
    #expect(output.streamReply != nil)
    #expect(node.members.map(\.standing) == [.suspect, .left])
  }
}
