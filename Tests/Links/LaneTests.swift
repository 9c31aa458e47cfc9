import Core
import Links
import Testing
import Wire

@Suite("Lanes and their bounds", .timeLimit(.minutes(1)))
struct LaneTests {
  private static func linked(_ settings: LinkSettings = LinkSettings()) throws -> (TestNode, TestNode, TestCluster) {
    let one = try TestNode(1, settings: settings)
    let two = try TestNode(2, settings: settings)
    let cluster = TestCluster(one, two)
    one.connect(to: two)
    #expect(cluster.turn { one.isLinked(to: two) && two.events.count == 1 })
    return (one, two, cluster)
  }

  @Test("Something urgent overtakes eight megabytes of bulk that were queued before it")
  func overtaking() throws {
    let (one, two, cluster) = try Self.linked()
    for number in 1...8 { #expect(one.port.send(bulk(UInt64(number), bytes: 1 << 20), to: two.id)) }
    // The first turn fills the socket with bulk; only then comes what is urgent.
    two.isStopped = true
    _ = one.turn()
    #expect(one.port.status[0].queuedBytes > 2 << 20)
    #expect(one.port.send(urgent(100), to: two.id))
    #expect(one.port.send(live(101), to: two.id))
    two.isStopped = false
    #expect(cluster.turn { two.received.count == 10 })
    let order = two.received.compactMap(\.message.number)
    #expect(order.firstIndex(of: 100)! < order.firstIndex(of: 7)! && order.firstIndex(of: 101)! < order.firstIndex(of: 7)!, "\(order)")
    #expect(order.filter { $0 < 100 } == Array(1...8))
  }

  @Test("While the live lane is never empty, bulk still gets through")
  func notStarved() throws {
    let (one, two, cluster) = try Self.linked()
    #expect(one.port.send(bulk(1, bytes: 300_000), to: two.id))
    var sent: UInt64 = 1000
    // As much again as was taken: the live lane is full all the time.
    func refill() {
      while one.port.status[0].queuedBytes < 4 << 20 {
        sent += 1
        guard one.port.send(live(sent, results: 20_000), to: two.id) else { return }
      }
    }
    two.onMessage = { _, _ in refill() }
    refill()
    #expect(cluster.turn { two.received.contains { $0.message.number == 1 } })
    #expect(two.received.count > 3)
    two.onMessage = { _, _ in }
  }

  @Test("A lane takes no more than its bound, other lanes are not full with it, and room comes back")
  func sendBound() throws {
    let (one, two, cluster) = try Self.linked()
    two.isStopped = true
    var taken = 0
    while one.port.send(bulk(UInt64(taken), bytes: 1 << 20), to: two.id) {
      taken += 1
      try #require(taken < 100)
    }
    #expect(taken == 16)
    #expect(one.port.counters.overflows == 1)
    #expect(one.port.send(live(500), to: two.id) && one.port.send(urgent(501), to: two.id))
    two.isStopped = false
    #expect(cluster.turn { two.received.count == taken + 2 })
    #expect(one.port.send(bulk(0), to: two.id))
    #expect(one.isLinked(to: two))
  }

  @Test("Who does not take answers is cut off at the bound, told, and may come back")
  func answerBound() throws {
    var settings = LinkSettings()
    settings.liveBytes = 1 << 20
    settings.silenceLimit = .seconds(3600)
    let (one, two, cluster) = try Self.linked(settings)
    #expect(one.port.send(urgent(1), to: two.id))
    #expect(cluster.turn { two.received.count == 1 })
    let connection = two.received[0].peer.connection
    one.isStopped = true
    var answered = 0
    while two.port.answer(live(UInt64(answered), results: 10_000), on: connection) {
      answered += 1
      cluster.turn(for: .milliseconds(5))
      try #require(answered < 200)
    }
    #expect(two.fact(.tooSlow)?.node == one.id && two.port.counters.tooSlow == 1)
    #expect(two.events.last == .unlinked(one.id, dialled: false))
    #expect(!two.port.answer(live(1), on: connection))
    one.isStopped = false
    #expect(cluster.turn { two.events.last == .linked(one.id, dialled: false) })
    #expect(one.received.count < answered && one.received.map(\.message.number) == (0..<UInt64(one.received.count)).map { $0 })
  }

  @Test("A message that is too long for the others is told and not sent; the link goes on")
  func tooLong() throws {
    var settings = LinkSettings()
    settings.frameLimit = 1000
    let (one, two, cluster) = try Self.linked(settings)
    #expect(!one.port.send(bulk(1, bytes: 2000), to: two.id))
    #expect(one.wasTold(.unwritable))
    #expect(one.port.send(bulk(2, bytes: 900), to: two.id))
    #expect(cluster.turn { two.received.count == 1 })
  }

  @Test("A message that is too long for this node ends the link with a word")
  func tooLongForOther() throws {
    var settings = LinkSettings()
    settings.frameLimit = 1000
    let one = try TestNode(1)
    let two = try TestNode(2, settings: settings)
    let cluster = TestCluster(one, two)
    one.connect(to: two)
    #expect(cluster.turn { one.isLinked(to: two) })
    #expect(one.port.send(bulk(1, bytes: 2000), to: two.id))
    #expect(cluster.turn { one.wasTold(.farewell(.unreadable)) })
    #expect(two.wasTold(.refused(.unreadable)) && two.received.isEmpty && !one.isLinked(to: two))
    #expect(two.port.counters.wire[.unreadable] == 1 && one.port.counters.heard[.unreadable] == 1)
  }
}
