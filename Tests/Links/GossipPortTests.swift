import Core
import Gossip
import Links
import Reactor
import Testing
import Wire

@Suite("Gossip through the cluster's port", .timeLimit(.minutes(1)))
struct GossipPortTests {
  private static var quick: GossipSettings {
    var settings = GossipSettings()
    settings.period = .milliseconds(100)
    settings.pingTimeout = .milliseconds(50)
    settings.exchangePeriod = .seconds(2)
    settings.exchangeTimeout = .seconds(1)
    settings.seedPeriod = .milliseconds(200)
    settings.leavePeriod = .milliseconds(20)
    return settings
  }

  private static func nodes(_ count: Int, _ links: LinkSettings = LinkSettings()) throws -> [TestNode] {
    try (1...count).map { number in
      let node = try TestNode(UInt64(number), settings: links)
      try node.startGossip(quick)
      return node
    }
  }

  private func alive(_ node: TestNode) -> Set<NodeID> {
    Set((node.gossip?.members ?? []).filter { $0.standing == .alive }.map(\.id))
  }

  @Test("Three nodes find each other from one seed, and notice the death of one")
  func three() throws {
    let nodes = try Self.nodes(3)
    for node in nodes.dropFirst() { node.seeds = [nodes[0].address] }
    let cluster = TestCluster(nodes)
    #expect(cluster.turn { nodes.allSatisfy { alive($0).count == 2 } })
    #expect(nodes[1].gossip?.members.first { $0.id == nodes[2].id }.map { SocketAddress($0.address) } == nodes[2].address)
    cluster.turn(for: .seconds(2))
    #expect(nodes.allSatisfy { node in !node.gossipFacts.contains { if case .suspected = $0 { true } else { false } } })
    nodes[2].die()
    cluster.nodes.removeLast()
    #expect(cluster.turn { nodes[..<2].allSatisfy { $0.gossipFacts.contains(.died(nodes[2].id)) } })
    #expect(alive(nodes[0]) == [nodes[1].id] && alive(nodes[1]) == [nodes[0].id])
    #expect(nodes.allSatisfy { $0.port.counters.unlinked == 0 }, "streams of the gossip are no links")
  }

  @Test("News of a node reach the others, and who leaves says goodbye")
  func updateAndLeave() throws {
    let nodes = try Self.nodes(3)
    for node in nodes.dropFirst() { node.seeds = [nodes[0].address] }
    let cluster = TestCluster(nodes)
    #expect(cluster.turn { nodes.allSatisfy { alive($0).count == 2 } })
    var profile = MemberProfile(role: .broker, boot: 1, name: "renamed")
    profile.cluster = ClusterID(7)
    nodes[0].gossip?.update(profile: profile)
    #expect(cluster.turn { nodes.dropFirst().allSatisfy { $0.gossip?.members.first { $0.id == nodes[0].id }?.profile.name == "renamed" } })
    var isDone = false
    nodes[1].gossip?.leave { isDone = true }
    #expect(cluster.turn { isDone })
    #expect(cluster.turn { nodes[0].gossipFacts.contains(.left(nodes[1].id)) && nodes[2].gossipFacts.contains(.left(nodes[1].id)) })
  }

  @Test("A node with another secret learns nothing by datagram or stream, and both sides are told")
  func strangers() throws {
    let one = try TestNode(1)
    let two = try TestNode(2, secret: otherSecret)
    try one.startGossip(Self.quick)
    try two.startGossip(Self.quick)
    two.seeds = [one.address]
    let cluster = TestCluster(one, two)
    #expect(cluster.turn { two.wasTold(.joinFailed) && one.wasTold(.notAMember) })
    #expect(two.fact(.joinFailed)?.text.contains("--cluster-secret-file") == true)
    // Nobody gossips with anybody here, so the datagrams of a stranger are sent by hand.
    let socket = try UDPSocket.bind(loopback)
    defer { socket.close() }
    var packet = [UInt8](repeating: 9, count: 60)
    packet[0] = 1
    _ = packet.withUnsafeBytes { socket.send($0.baseAddress!, count: $0.count, to: one.address) }
    _ = packet.withUnsafeBytes { socket.send($0.baseAddress!, count: 3, to: one.address) }
    #expect(cluster.turn { one.gossip?.portCounters.unknownKey == 1 && one.gossip?.portCounters.malformed == 1 })
    #expect(one.facts.filter { $0.kind == .unopenable }.count == 1)
    #expect(one.fact(.unopenable)?.text.contains("--cluster-secret-file") == true)
    #expect(alive(one).isEmpty && alive(two).isEmpty && one.gossipFacts.isEmpty && two.gossipFacts.isEmpty)
  }

  @Test("A join address that is the node itself, nobody, or of another cluster is told and does no harm")
  func badSeeds() throws {
    let one = try TestNode(1)
    let two = try TestNode(2)
    let foreign = try TestNode(3, cluster: 8)
    try one.startGossip(Self.quick)
    try two.startGossip(Self.quick)
    try foreign.startGossip(Self.quick, cluster: 8)
    let nobody = try TCPListener.claim(loopback, loops: 1)[0]
    let gone = nobody.boundAddress
    nobody.close()
    // By another name of the same machine: what a node thinks its address is says nothing of this one.
    let relay = try Relay(to: one.address)
    one.seeds = [relay.address, gone, foreign.address, two.address]
    let cluster = TestCluster(one, two, foreign)
    cluster.meanwhile = { relay.turn() }
    #expect(cluster.turn { one.wasTold(.ownJoinAddress) && foreign.wasTold(.foreignGossip) && alive(one) == [two.id] })
    #expect(one.fact(.ownJoinAddress)?.address == relay.address)
    let failed = one.facts.filter { $0.kind == .joinFailed }.compactMap(\.address)
    #expect(failed.contains(gone) && failed.contains(foreign.address))
    #expect(alive(foreign).isEmpty)
  }

  @Test("A seed that is not up yet is joined when it is")
  func lateSeed() throws {
    let one = try TestNode(1)
    try one.startGossip(Self.quick)
    let late = try TestNode(2)
    let address = late.address
    late.die()
    one.seeds = [address]
    let cluster = TestCluster(one)
    cluster.turn(for: .seconds(1))
    #expect(one.wasTold(.joinFailed) && alive(one).isEmpty)
    let two = try TestNode(2, at: address)
    try two.startGossip(Self.quick)
    cluster.nodes.append(two)
    #expect(cluster.turn { alive(one) == [two.id] && alive(two) == [one.id] })
  }

  @Test("Twelve nodes that all ask one seed at once come to know each other, and no stream is left open")
  func manyStreams() throws {
    // Two answers at once are few for so many: the others ask again.
    var settings = LinkSettings()
    settings.gossipAnswers = 2
    let nodes = try Self.nodes(12, settings)
    for node in nodes.dropFirst() { node.seeds = [nodes[0].address] }
    let cluster = TestCluster(nodes)
    #expect(cluster.turn(until: { nodes.allSatisfy { alive($0).count == 11 } }, within: .seconds(20)))
    #expect(cluster.turn { nodes[0].port.connectionCount == 0 })
    #expect(nodes[0].port.counters.gossipAnswered >= 11)
  }

  @Test("A node that answers no more questions at once refuses the rest, and they are asked again")
  func crowded() throws {
    var settings = LinkSettings()
    settings.gossipAnswers = 0
    let one = try TestNode(1, settings: settings)
    let two = try TestNode(2)
    try one.startGossip(Self.quick)
    try two.startGossip(Self.quick)
    two.seeds = [one.address]
    let cluster = TestCluster(one, two)
    cluster.turn(for: .seconds(1))
    #expect(alive(two).isEmpty && two.wasTold(.joinFailed) && two.port.counters.gossipAsked > 2)
    #expect(one.port.counters.gossipAnswered == 0 && one.port.connectionCount == 0)
  }
}
