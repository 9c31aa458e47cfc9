import Core
import Links
import Reactor
import Testing
import Wire

@Suite("Who is not talked to", .timeLimit(.minutes(1)))
struct RefusalTests {
  /// Whether the text says what to do and not only what is wrong.
  private func expectAdvice(_ fact: LinkFact?, _ words: String) {
    #expect(fact != nil)
    #expect(fact?.text.contains(words) == true, "\(fact?.text ?? "")")
  }

  @Test("A node with another secret is refused, told on both sides once a minute, and learns nothing")
  func anotherSecret() throws {
    let one = try TestNode(1)
    let two = try TestNode(2, secret: otherSecret)
    let cluster = TestCluster(one, two)
    two.connect(to: one)
    #expect(cluster.turn { one.wasTold(.notAMember) && two.wasTold(.notAMember) })
    cluster.turn(for: .seconds(55))
    #expect(one.facts.count == 1 && two.facts.count == 1)
    expectAdvice(one.facts[0], "--cluster-secret-file")
    expectAdvice(two.facts[0], "--cluster-secret-file")
    #expect(one.port.counters.handshakesRefused > 5, "counted every time")
    #expect(one.port.counters.handshakesRefused < 30, "what does not pass by itself is not tried often")
    #expect(one.events.isEmpty && two.events.isEmpty && two.hellos.isEmpty)
    cluster.turn(for: .seconds(15))
    #expect(one.facts.count == 2 && two.facts.count == 2)
  }

  @Test("A node of another cluster is sent away with a word")
  func otherCluster() throws {
    let one = try TestNode(1)
    let two = try TestNode(2, cluster: 8)
    let cluster = TestCluster(one, two)
    one.connect(to: two)
    #expect(cluster.turn { one.wasTold(.farewell(.wrongCluster)) })
    expectAdvice(two.fact(.refused(.wrongCluster)), "check the join addresses")
    #expect(one.events.isEmpty && two.events.isEmpty)
    #expect(two.port.counters.wire[.wrongCluster] == 1)
    #expect(one.port.status[0].problem?.contains("cluster") == true)
    #expect(one.port.status[0].state == .waiting)
  }

  @Test("A node that dials itself says so")
  func itself() throws {
    let one = try TestNode(1)
    let cluster = TestCluster(one)
    one.port.connect(to: NodeID(2), at: one.address)
    #expect(cluster.turn { one.wasTold(.farewell(.ownAddress)) })
    expectAdvice(one.fact(.refused(.ownAddress)), "join addresses")
    #expect(one.events.isEmpty)
  }

  @Test("Another node than the one that was looked for is not taken for it")
  func otherNode() throws {
    let one = try TestNode(1)
    let two = try TestNode(2)
    let cluster = TestCluster(one, two)
    one.port.connect(to: NodeID(3), at: two.address)
    #expect(cluster.turn { two.wasTold(.farewell(.otherNode)) })
    expectAdvice(one.fact(.refused(.otherNode)), "its address was given to another")
    #expect(!one.port.isLinked(to: NodeID(3)) && one.events.isEmpty)
    #expect(two.events == [.linked(one.id, dialled: false), .unlinked(one.id, dialled: false)])
  }

  @Test("A second process with one identity is sent away while the first is linked")
  func sameIdentity() throws {
    let one = try TestNode(1)
    let two = try TestNode(2, incarnation: 5)
    let copy = try TestNode(2, incarnation: 6)
    let cluster = TestCluster(one, two, copy)
    two.connect(to: one)
    #expect(cluster.turn { two.isLinked(to: one) })
    copy.connect(to: one)
    #expect(cluster.turn { copy.wasTold(.farewell(.sameIdentity)) })
    expectAdvice(one.fact(.refused(.sameIdentity)), "data directory was copied")
    #expect(two.isLinked(to: one) && !copy.isLinked(to: one))
    // It passes when the first is gone.
    two.die()
    #expect(cluster.turn { copy.isLinked(to: one) })
  }

  @Test("A copy of this very node is told what it is")
  func copyOfItself() throws {
    let one = try TestNode(1, incarnation: 5)
    let copy = try TestNode(1, incarnation: 6)
    let cluster = TestCluster(one, copy)
    copy.port.connect(to: NodeID(2), at: one.address)
    #expect(cluster.turn { copy.wasTold(.farewell(.sameIdentity)) })
    #expect(one.wasTold(.refused(.sameIdentity)) && one.events.isEmpty)
  }

  @Test("A node that links again before its old connection was seen to end replaces it")
  func superseded() throws {
    let one = try TestNode(1)
    let two = try TestNode(2)
    let relay = try Relay(to: one.address)
    let cluster = TestCluster(one, two)
    cluster.meanwhile = { relay.turn() }
    two.port.connect(to: one.id, at: relay.address)
    #expect(cluster.turn { two.isLinked(to: one) })
    relay.stands = true
    two.port.connect(to: one.id, at: one.address)
    #expect(cluster.turn(until: { two.isLinked(to: one) && one.events.count == 3 }, within: .milliseconds(100)))
    #expect(one.events[1] == .unlinked(two.id, dialled: false) && one.events[2] == .linked(two.id, dialled: false))
    #expect(one.wasTold(.superseded))
    relay.cut()
    cluster.turn(for: .seconds(5))
    #expect(one.events.count == 3 && two.isLinked(to: one), "the end of the old one ends nothing else")
  }

  @Test("Removed nodes, and all while draining, are sent away; draining passes")
  func removedAndDraining() throws {
    let one = try TestNode(1)
    let two = try TestNode(2)
    let cluster = TestCluster(one, two)
    one.port.setRemoved([two.id])
    one.port.isDraining = true
    two.connect(to: one)
    #expect(cluster.turn { two.wasTold(.farewell(.removed)) })
    one.port.setRemoved([])
    #expect(cluster.turn { two.wasTold(.farewell(.draining)) })
    one.port.isDraining = false
    #expect(cluster.turn { two.isLinked(to: one) })
  }
}
