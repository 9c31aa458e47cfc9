import Core
import TestSupport
import Testing

@testable import Placement

/// Brokers without data on a network that loses, delays, doubles and reorders, with processes that stop and come back
/// with what their disk holds.
struct SimulatedBirth {
  struct Host {
    var node: BirthNode
    var terms: BirthTerms
    var disk: BirthRecord
    var isUp = true
    var births: [BirthCertificate] = []
  }

  static let step = TimeSpan.milliseconds(100)

  var hosts: [Host] = []
  var now = Instant.zero
  var random: SeededGenerator
  var lossPercent = 0
  /// Who sees and reaches whom; nil is everyone.
  var isCut: (Int, Int) -> Bool = { _, _ in false }
  private var mail: [(at: Instant, from: Int, to: Int, bytes: [UInt8])] = []

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  static func id(_ index: Int) -> NodeID { NodeID(UInt64(10 + index)) }
  static let terms = BirthTerms(expect: 3, shards: 16, replicas: 3)

  mutating func add(_ terms: BirthTerms = SimulatedBirth.terms, record: BirthRecord = .none) {
    let id = Self.id(hosts.count)
    let node = BirthNode(id: id, terms: terms, record: record, seed: random.next(), at: now)
    hosts.append(Host(node: node, terms: terms, disk: record))
  }

  mutating func restart(_ index: Int) {
    hosts[index].isUp = true
    hosts[index].node = BirthNode(
      id: Self.id(index), terms: hosts[index].terms, record: hosts[index].disk, seed: random.next(), at: now)
  }

  mutating func run(for span: TimeSpan) {
    let end = now + span
    while now < end {
      now = now + Self.step
      for index in hosts.indices where hosts[index].isUp { turn(index) }
      let due = mail.filter { $0.at <= now }
      mail.removeAll { $0.at <= now }
      for letter in due { deliver(letter.bytes, from: letter.from, to: letter.to) }
    }
  }

  private mutating func turn(_ index: Int) {
    let seen = hosts.indices.filter { $0 != index && hosts[$0].isUp && !isCut($0, index) }
    let candidates = seen.map { other in
      var cluster: ClusterID?
      if case .born(let certificate) = hosts[other].disk { cluster = certificate.cluster }
      return BirthCandidate(id: Self.id(other), expect: hosts[other].terms.expect, cluster: cluster)
    }
    var output = BirthOutput()
    hosts[index].node.see(candidates, at: now, into: &output)
    carryOut(output, at: index)
  }

  private mutating func deliver(_ bytes: [UInt8], from: Int, to: Int) {
    guard hosts[to].isUp, !isCut(from, to), let message = birthMessage(bytes) else { return }
    var output = BirthOutput()
    hosts[to].node.receive(message, from: Self.id(from), at: now, into: &output)
    carryOut(output, at: to)
  }

  private mutating func carryOut(_ output: BirthOutput, at index: Int) {
    if let record = output.record { hosts[index].disk = record }
    if let certificate = output.born { hosts[index].births.append(certificate) }
    for (to, message) in output.messages {
      var buffer = ByteBuffer()
      message.encode(into: &buffer)
      let bytes = buffer.freeze().array
      for _ in 0..<(random.below(10) == 0 ? 2 : 1) where random.below(100) >= lossPercent {
        mail.append((now + random.below(500).milliseconds, index, Int(to.value) - 10, bytes))
      }
    }
  }

  var clusters: Set<ClusterID> { Set(hosts.flatMap(\.births).map(\.cluster)) }
}

extension Int {
  fileprivate var milliseconds: TimeSpan { .milliseconds(self) }
}

@Suite("The birth of a cluster")
struct BirthTests {
  @Test("Three brokers that see each other become one cluster of the three, told once to each")
  func three() {
    var sim = SimulatedBirth(seed: 1)
    for _ in 0..<3 { sim.add() }
    sim.run(for: .seconds(6))
    #expect(sim.clusters.count == 1)
    for host in sim.hosts {
      #expect(host.births.count == 1)
      #expect(host.births.first?.members == [0, 1, 2].map(SimulatedBirth.id))
    }
  }

  @Test("One that expects nobody is born at once")
  func alone() {
    var node = BirthNode(id: NodeID(1), terms: BirthTerms(expect: 1, shards: 16, replicas: 3), record: .none, seed: 1, at: .zero)
    var output = BirthOutput()
    node.tick(at: .zero, into: &output)
    #expect(output.born?.members == [NodeID(1)])
    #expect(output.record == .born(output.born!))
    #expect(output.messages.isEmpty)
  }

  @Test("Of five that expect three the lowest three are born, the others wait to be admitted")
  func more() {
    var sim = SimulatedBirth(seed: 2)
    for _ in 0..<5 { sim.add() }
    sim.run(for: .seconds(10))
    #expect(sim.clusters.count == 1)
    #expect(sim.hosts.map(\.births.count) == [1, 1, 1, 0, 0])
    #expect(sim.hosts[4].node.status == .waitsForAdmission(sim.clusters.first!))
  }

  @Test("Brokers that expect different numbers are not alike: nothing is born, and each says why")
  func differentExpect() {
    var sim = SimulatedBirth(seed: 3)
    sim.add()
    sim.add()
    sim.add(BirthTerms(expect: 2, shards: 16, replicas: 3))
    sim.run(for: .seconds(60))
    #expect(sim.clusters.isEmpty)
    #expect(sim.hosts[0].node.status == .waitsForBrokers(seen: 2, expect: 3, otherwise: 1))
    #expect(sim.hosts[0].node.status.description.contains("--bootstrap-expect"))
  }

  @Test("Brokers that want other shards are not alike either, which comes out when one proposes")
  func differentTerms() {
    var sim = SimulatedBirth(seed: 4)
    sim.add()
    sim.add()
    sim.add(BirthTerms(expect: 3, shards: 32, replicas: 3))
    sim.run(for: .seconds(60))
    #expect(sim.clusters.isEmpty)
    #expect(sim.hosts[0].node.status.description.contains("--shards"))
  }

  @Test("A broker with data takes no part in another birth, and its cluster is what the others wait for")
  func withData() {
    let old = BirthCertificate(cluster: ClusterID(7), terms: SimulatedBirth.terms, members: [NodeID(1), NodeID(2), NodeID(3)])
    var sim = SimulatedBirth(seed: 5)
    for _ in 0..<3 { sim.add() }
    sim.add(record: .born(old))
    sim.run(for: .seconds(30))
    #expect(sim.clusters.isEmpty)
    #expect(sim.hosts[0].node.status == .waitsForAdmission(ClusterID(7)))
    // Asked all the same, by one that does not see it, it refuses.
    var output = BirthOutput()
    let proposal = BirthCertificate(
      cluster: ClusterID(8), terms: SimulatedBirth.terms, members: [0, 1, 3].map(SimulatedBirth.id))
    sim.hosts[3].node.receive(.propose(proposal), from: SimulatedBirth.id(0), at: sim.now, into: &output)
    #expect(output.messages.map(\.message) == [.refuse(ClusterID(8), .hasCluster)] && output.record == nil)
  }

  @Test("A promise binds: nobody confirms a second proposal, a lower one neither, before the first is withdrawn")
  func promiseBinds() {
    var node = BirthNode(id: NodeID(5), terms: SimulatedBirth.terms, record: .none, seed: 1, at: .zero)
    var output = BirthOutput()
    func certificate(_ cluster: UInt64, _ members: [UInt64]) -> BirthCertificate {
      BirthCertificate(cluster: ClusterID(cluster), terms: SimulatedBirth.terms, members: members.map { NodeID($0) })
    }
    let first = certificate(1, [3, 5, 9])
    node.receive(.propose(first), from: NodeID(3), at: .zero, into: &output)
    #expect(output.record == .promised(first) && output.messages.map(\.message) == [.confirm(ClusterID(1))])
    output.removeAll()
    node.receive(.propose(certificate(2, [2, 5, 9])), from: NodeID(2), at: .zero, into: &output)
    node.receive(.withdraw(ClusterID(1)), from: NodeID(9), at: .zero, into: &output)
    #expect(output.record == nil && output.messages.map(\.message) == [.refuse(ClusterID(2), .promisedAnother)])
    output.removeAll()
    node.receive(.withdraw(ClusterID(1)), from: NodeID(3), at: .zero, into: &output)
    #expect(output.record == BirthRecord.none)
    node.receive(.start(first), from: NodeID(3), at: .zero, into: &output)
    #expect(output.born == nil, "what was withdrawn is not started")
  }

  @Test("With a third of the messages lost and processes that stop and start, it is one cluster or none, and one in the end")
  func lossAndRestarts() {
    var born = 0
    for seed: UInt64 in 1...200 {
      var sim = SimulatedBirth(seed: seed)
      sim.lossPercent = 30
      for _ in 0..<3 { sim.add() }
      var dice = SeededGenerator(seed: seed)
      for _ in 0..<12 {
        let index = dice.below(3)
        if sim.hosts[index].isUp { sim.hosts[index].isUp = false } else { sim.restart(index) }
        sim.run(for: .milliseconds(300 + dice.below(3000)))
        #expect(sim.clusters.count <= 1, "seed \(seed)")
      }
      if !sim.clusters.isEmpty { born += 1 }
      for index in 0..<3 where !sim.hosts[index].isUp { sim.restart(index) }
      sim.run(for: .seconds(90))
      #expect(sim.clusters.count == 1, "seed \(seed): \(sim.hosts.map(\.node.status))")
      for host in sim.hosts {
        guard case .born = host.disk else { Issue.record("seed \(seed): \(host.node.status)"); continue }
      }
    }
    print("seeds 1...200: \(born) were born while processes stopped and started")
    #expect(born > 20 && born < 200, "the experiment meets both")
  }

  @Test("A proposer that vanishes for good releases the others after their patience, and they are born with another")
  func vanishedProposer() {
    var sim = SimulatedBirth(seed: 6)
    for _ in 0..<3 { sim.add() }
    func isBound(_ index: Int) -> Bool {
      if case .promised = sim.hosts[index].disk { true } else { false }
    }
    while !(isBound(1) && isBound(2)), sim.now < .zero + .seconds(10) { sim.run(for: SimulatedBirth.step) }
    // Both have confirmed, and the later word has not reached the proposer.
    #expect(isBound(0) && isBound(1) && isBound(2))
    sim.hosts[0].isUp = false
    sim.add()
    sim.run(for: .seconds(20))
    #expect(sim.clusters.isEmpty)
    sim.run(for: .seconds(30))
    #expect(sim.clusters.count == 1)
    #expect(sim.hosts[1].births.first?.members == [1, 2, 3].map(SimulatedBirth.id))
  }

  @Test("Messages and records read back as written, and no part of one is taken for one")
  func codec() throws {
    let certificate = BirthCertificate(cluster: ClusterID(9), terms: SimulatedBirth.terms, members: [1, 2, 3].map { NodeID($0) })
    let cluster = certificate.cluster
    let messages: [BirthMessage] = [
      .propose(certificate), .confirm(cluster), .withdraw(cluster), .start(certificate), .started(cluster),
    ] + BirthRefusal.allCases.map { .refuse(cluster, $0) }
    for message in messages {
      var buffer = ByteBuffer()
      message.encode(into: &buffer)
      let outcomes = try CodecVerifier.verify(buffer.freeze().array, isPart: { partial, _ in partial == nil }) { pieces in
        [birthMessage(pieces.flatMap { $0 })]
      }
      #expect(outcomes == [message])
    }
    for record in [BirthRecord.none, .promised(certificate), .born(certificate)] {
      var buffer = ByteBuffer()
      record.encode(into: &buffer)
      let outcomes = try CodecVerifier.verify(buffer.freeze().array, isPart: { partial, _ in partial == nil }) { pieces in
        [birthRecord(pieces.flatMap { $0 })]
      }
      #expect(outcomes == [record])
    }
    #expect(throws: PlacementRefusal.unknownKind(77)) { try BirthMessage(decoding: ([1, 77] as [UInt8]).span.bytes) }
    #expect(throws: PlacementRefusal.unknownVersion(3)) { try BirthRecord(decoding: ([3, 0] as [UInt8]).span.bytes) }
  }
}
