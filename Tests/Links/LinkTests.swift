import Core
import Links
import Reactor
import Testing
import Wire

@Suite("Links between nodes", .timeLimit(.minutes(1)))
struct LinkTests {
  @Test("Two nodes link, each hears who the other is, and messages of every lane go over and back")
  func exchange() throws {
    let one = try TestNode(1)
    let two = try TestNode(2)
    let cluster = TestCluster(one, two)
    one.connect(to: two)
    #expect(!one.port.send(live(1), to: two.id), "nothing is kept before there is a link")
    #expect(cluster.turn { one.isLinked(to: two) && two.events.count == 1 })
    #expect(one.events == [.linked(two.id, dialled: true)] && two.events == [.linked(one.id, dialled: false)])
    var said = one.port.own
    said.clock = one.loop.clockTime
    #expect(two.hellos[0] == said && one.hellos[0].shards == 16)
    two.onMessage = { message, peer in two.port.answer(message, on: peer.connection) }
    let sent: [NodeMessage] = [bulk(1), live(2), urgent(3), live(4), bulk(5), urgent(6)]
    for message in sent { #expect(one.port.send(message, to: two.id)) }
    #expect(cluster.turn { one.received.count == sent.count })
    #expect(two.received.map(\.message.number) == [3, 6, 2, 4, 1, 5], "urgent, then live, then bulk, each in order")
    #expect(Set(one.received.map(\.message.number)) == [1, 2, 3, 4, 5, 6])
    #expect(two.received.allSatisfy { $0.peer.node == one.id && !$0.peer.dialled })
    #expect(one.received.allSatisfy { $0.peer.node == two.id && $0.peer.dialled })
    #expect(!two.port.send(live(7), to: one.id), "a node sends only where it dialled")
    #expect(one.facts.isEmpty && two.facts.isEmpty)
  }

  @Test("Two nodes that need each other have a connection each way, and a status that says so")
  func bothWays() throws {
    let one = try TestNode(1)
    let two = try TestNode(2)
    let cluster = TestCluster(one, two)
    one.connect(to: two)
    two.connect(to: one)
    #expect(cluster.turn { one.isLinked(to: two) && two.isLinked(to: one) && one.port.status.first?.roundTrip != nil })
    #expect(one.port.connectionCount == 2)
    let status = one.port.status
    #expect(status.map(\.dialled) == [true, false] && status.allSatisfy { $0.state == .linked && $0.node == two.id && $0.problem == nil })
    #expect(status[0].address == two.address)
    one.port.disconnect(from: two.id)
    #expect(cluster.turn { two.events.contains(.unlinked(one.id, dialled: false)) })
    #expect(two.isLinked(to: one), "the other way is untouched")
    #expect(one.events.contains(.unlinked(two.id, dialled: true)) && one.port.status.map(\.dialled) == [false])
  }

  @Test("Idle links stay, by pings, and tell their round trip")
  func idle() throws {
    let one = try TestNode(1)
    let two = try TestNode(2)
    let cluster = TestCluster(one, two)
    one.connect(to: two)
    #expect(cluster.turn { one.isLinked(to: two) })
    cluster.turn(for: .seconds(20))
    #expect(one.isLinked(to: two) && one.events.count == 1 && two.events.count == 1)
    #expect(one.received.isEmpty && two.received.isEmpty, "what a link says of itself is nobody else's business")
    #expect(one.port.counters.messagesReceived >= 19)
  }

  @Test("A node that dies is told as gone, and linked again when it is back", arguments: [1, 2, 3])
  func revival(seed: UInt64) throws {
    let one = try TestNode(seed * 100)
    let two = try TestNode(2)
    let address = two.address
    let cluster = TestCluster(one, two)
    one.connect(to: two)
    #expect(cluster.turn { one.isLinked(to: two) })
    two.die()
    #expect(cluster.turn(until: { one.events.count == 2 }, within: .milliseconds(100)))
    #expect(one.events.last == .unlinked(two.id, dialled: true))
    #expect(!one.port.send(live(1), to: two.id))
    cluster.turn(for: .seconds(10))
    // Waits double from 50 ms to 5 s: in ten seconds some ten attempts are made, not hundreds.
    #expect((4...40).contains(one.port.counters.dials), "\(one.port.counters.dials) attempts")
    #expect(one.facts.filter { $0.kind == .unreachable }.count == 1)
    #expect(one.port.status[0].state != .linked && one.port.status[0].failures > 3 && one.port.status[0].problem != nil)
    let back = try TestNode(2, incarnation: 2, at: address)
    cluster.nodes = [one, back]
    #expect(cluster.turn(until: { one.isLinked(to: back) }, within: .seconds(6)))
    #expect(one.port.counters.reconnects == 1 && one.hellos.last?.incarnation == 2)
  }

  @Test("A node that moved is looked for at its new address at once")
  func move() throws {
    let one = try TestNode(1)
    let two = try TestNode(2)
    let elsewhere = try TestNode(2, incarnation: 2)
    let cluster = TestCluster(one, two, elsewhere)
    one.connect(to: two)
    #expect(cluster.turn { one.isLinked(to: two) })
    one.connect(to: two)
    #expect(one.port.counters.dials == 1, "the same address is no news")
    one.port.connect(to: two.id, at: elsewhere.address)
    #expect(cluster.turn(until: { one.isLinked(to: elsewhere) }, within: .milliseconds(100)))
    #expect(one.events == [.linked(two.id, dialled: true), .unlinked(two.id, dialled: true), .linked(two.id, dialled: true)])
    #expect(two.events.last == .unlinked(one.id, dialled: false))
  }

  @Test("A node that hangs is given up after three seconds, and linked again when it goes on")
  func hang() throws {
    let one = try TestNode(1)
    let two = try TestNode(2)
    let cluster = TestCluster(one, two)
    one.connect(to: two)
    #expect(cluster.turn { one.isLinked(to: two) })
    cluster.turn(for: .seconds(2))
    two.isStopped = true
    cluster.turn(for: .milliseconds(1900))
    #expect(one.isLinked(to: two))
    #expect(cluster.turn(until: { !one.isLinked(to: two) }, within: .milliseconds(2200)))
    #expect(one.wasTold(.silent) && one.port.counters.silences == 1)
    two.isStopped = false
    #expect(cluster.turn { one.isLinked(to: two) })
    #expect(two.events.first == .linked(one.id, dialled: false) && two.events.last == .linked(one.id, dialled: false))
  }

  @Test("A network that swallows everything makes both sides give up")
  func swallowed() throws {
    let one = try TestNode(1)
    let two = try TestNode(2)
    let relay = try Relay(to: two.address)
    let cluster = TestCluster(one, two)
    cluster.meanwhile = { relay.turn() }
    one.port.connect(to: two.id, at: relay.address)
    #expect(cluster.turn { one.isLinked(to: two) })
    relay.stands = true
    #expect(cluster.turn(until: { one.events.count == 2 && two.events.count == 2 }, within: .milliseconds(4200)))
    #expect(one.wasTold(.silent) && two.wasTold(.silent))
    relay.cut()
    relay.stands = false
    #expect(cluster.turn { one.isLinked(to: two) })
  }

  @Test("A farewell is said behind what waits, and nothing is dialled any more")
  func drain() throws {
    let one = try TestNode(1)
    let two = try TestNode(2)
    let cluster = TestCluster(one, two)
    one.connect(to: two)
    two.connect(to: one)
    #expect(cluster.turn { one.isLinked(to: two) && two.isLinked(to: one) })
    for number in 1...5 { #expect(one.port.send(bulk(UInt64(number), bytes: 500_000), to: two.id)) }
    one.port.close(saying: NodeFarewell(.draining, "this node is about to stop: try another one"))
    #expect(one.events.suffix(2).allSatisfy { if case .unlinked = $0 { true } else { false } })
    #expect(cluster.turn { one.port.connectionCount == 0 })
    #expect(two.received.map(\.message.number) == [1, 2, 3, 4, 5])
    #expect(two.fact(.farewell(.draining))?.text.contains("about to stop") == true)
    #expect(!two.isLinked(to: one))
    cluster.turn(for: .seconds(3))
    #expect(one.port.connectionCount == 0 && one.port.counters.linked == 2, "who comes again is not let in")
  }

  @Test("A message of many sealed frames arrives whole, also through a wire that passes single bytes")
  func pieces() throws {
    let one = try TestNode(1)
    let two = try TestNode(2)
    let relay = try Relay(to: two.address)
    relay.pieceBytes = 1
    let cluster = TestCluster(one, two)
    cluster.meanwhile = { relay.turn() }
    one.port.connect(to: two.id, at: relay.address)
    #expect(cluster.turn { one.isLinked(to: two) })
    for number in 1...20 { #expect(one.port.send(number % 2 == 0 ? live(UInt64(number)) : urgent(UInt64(number)), to: two.id)) }
    #expect(cluster.turn { two.received.count == 20 })
    let inOrder: [UInt64] = Array(stride(from: 1, through: 19, by: 2)) + Array(stride(from: 2, through: 20, by: 2))
    #expect(two.received.compactMap(\.message.number) == inOrder)
    relay.pieceBytes = 100_000
    #expect(one.port.send(live(99, results: 60_000), to: two.id))
    #expect(one.port.send(bulk(98, bytes: 1 << 20), to: two.id))
    #expect(cluster.turn { two.received.count == 22 })
    #expect(two.received.suffix(2).map(\.message.number) == [99, 98])
  }
}
