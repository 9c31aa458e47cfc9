import Core
import Feeds
import Testing

@testable import Presence

@Suite("Presence over edges and leaders") struct PresenceWorldTests {
  private let room = topic("room/1")

  @Test("Who hears of a topic is told the state first, then who comes and goes, then who has other data")
  func news() {
    var world = PresenceWorld(edges: 2)
    world.enter(0, room, "ann")
    world.run(6000)
    world.watch(1, room)
    world.run(200)
    #expect(world.edges[1].told.map(\.isState) == [true])
    #expect(world.edges[1].lists[room] == ["ann"])
    world.enter(1, room, "bob", data: "1")
    world.enter(0, room, "bob", data: "1")
    world.leave(0, room, "ann")
    world.run(300)
    #expect(world.edges[1].lists[room] == ["bob"])
    world.edges[0].announcer.change(room, Bytes("bob"), data: Bytes("2"))
    world.run(300)
    #expect(world.edges[1].told.last?.joined.map(\.data.text) == ["2"])
    #expect(world.edges[1].told.last?.count == 1)
    // Another connection less is no news.
    let before = world.edges[1].told.count
    world.leave(0, room, "bob")
    world.run(300)
    #expect(world.edges[1].told.count == before)
    #expect(world.edges[0].entered == ["room/1/ann", "room/1/bob", "room/1/bob"])
  }

  @Test("Changes are announced at most every 100 ms, and a quiet edge speaks once a second")
  func pace() {
    var announcer = PresenceAnnouncer(shard: PresenceWorld.shard, source: 1)
    var table = PresenceTable(shard: PresenceWorld.shard)
    table.begin(1, at: .zero)
    var sent: [Int] = []
    for millisecond in 0..<3000 {
      let now = Instant(nanoseconds: Int64(millisecond) * 1_000_000)
      if millisecond < 500 { announcer.enter(room, Bytes("m\(millisecond)"), data: Bytes(), since: WallTime(milliseconds: 0)) }
      guard let request = announcer.next(at: now, from: EdgeID(1)), case .announce(let announcement) = request.operation else { continue }
      sent.append(millisecond)
      let receipt = table.announce(announcement, from: EdgeID(1), at: now)
      _ = announcer.take(PresenceReply(shard: PresenceWorld.shard, ticket: request.ticket, result: .success(.receipt(receipt))), at: now)
    }
    #expect(sent == [0, 1, 101, 201, 301, 401, 501, 1501, 2501])
    #expect(table.memberCount == 500)
  }

  @Test("An edge that is killed loses its members after the grace, and no other edge does")
  func killed() {
    var world = PresenceWorld(edges: 3)
    world.watch(2, room)
    world.enter(0, room, "ann")
    world.enter(0, room, "both")
    world.enter(1, room, "bob")
    world.enter(1, room, "both")
    world.run(6000)
    world.kill(0)
    world.run(4900)
    #expect(world.left(2).isEmpty)
    world.run(300)
    #expect(world.left(2) == ["ann"])
    #expect(world.ids(room) == ["bob", "both"])
  }

  @Test("An edge that falls silent loses its members after 10 s")
  func silent() {
    var world = PresenceWorld(edges: 2)
    world.watch(1, room)
    world.enter(0, room, "ann")
    world.run(6000)
    world.edges[0].isDown = true
    world.run(8500)
    #expect(world.left(1).isEmpty)
    world.run(1700)
    #expect(world.left(1) == ["ann"])
  }

  @Test("Who comes back through another edge within the grace never left, as far as anybody hears")
  func wandering() {
    var world = PresenceWorld(edges: 3)
    world.watch(2, room)
    world.enter(0, room, "ann")
    world.run(6000)
    let told = world.edges[2].told.count
    world.kill(0)
    world.run(2000)
    world.enter(1, room, "ann")
    world.run(10_000)
    #expect(world.edges[2].told.count == told)
    #expect(world.ids(room) == ["ann"])
  }

  @Test("A link that breaks and comes back is no news")
  func relinked() {
    var world = PresenceWorld(edges: 2)
    world.watch(1, room)
    world.enter(0, room, "ann")
    world.run(6000)
    world.breakLink(0)
    world.breakLink(1)
    world.run(10_000)
    #expect(world.left(1).isEmpty)
    world.enter(0, room, "bob")
    world.run(300)
    #expect(world.edges[1].lists[room] == ["ann", "bob"])
  }

  @Test("A new leader knows everybody again after about a second, and tells of nobody who stayed that he left")
  func elected() {
    var world = PresenceWorld(edges: 3)
    world.watch(2, room)
    world.enter(0, room, "ann")
    world.enter(1, room, "bob")
    world.enter(1, room, "cid")
    world.run(6000)
    let told = world.edges[2].told.count
    // Gone with the old leader, so that nobody ever says so: he is missed once the new one has settled.
    world.kill(0)
    world.elect()
    #expect(world.ids(room).isEmpty)
    world.run(1200)
    #expect(world.ids(room) == ["bob", "cid"])
    #expect(!world.table.isSettled)
    // A leave during the settling is told when it is over.
    world.leave(1, room, "cid")
    world.run(3500)
    #expect(world.edges[2].told.count == told)
    world.run(600)
    #expect(world.table.isSettled)
    #expect(Set(world.left(2)) == ["ann", "cid"])
    #expect(world.edges[2].lists[room] == ["bob"])
  }

  @Test("A push that is lost is missed: by the next one, or by the next sign of life", arguments: [true, false])
  func lostPush(isFollowed: Bool) {
    var world = PresenceWorld(edges: 2)
    world.watch(1, room)
    world.enter(0, room, "ann")
    world.run(6000)
    world.losesNextPush = true
    world.enter(0, room, "bob")
    world.leave(0, room, "ann")
    world.run(150)
    #expect(world.edges[1].lists[room] == ["ann"])
    if isFollowed {
      world.enter(0, room, "cid")
      world.run(400)
      #expect(world.edges[1].lists[room] == ["bob", "cid"])
    } else {
      world.run(1500)
      #expect(world.edges[1].lists[room] == ["bob"])
    }
    #expect(world.left(1) == ["ann"])
  }

  @Test("Who stops hearing of a topic and begins again at once is told the state")
  func again() {
    var world = PresenceWorld(edges: 2)
    world.watch(1, room)
    world.enter(0, room, "ann")
    world.run(6000)
    world.edges[1].announcer.unwatch(room)
    world.edges[1].mirror.unwatch(room)
    world.watch(1, room)
    world.run(300)
    #expect(world.edges[1].lists[room] == ["ann"])
  }

  @Test("Whoever is refused hears of it, and is not there when there is room again")
  func denied() {
    var settings = PresenceSettings()
    settings.topicMembers = 1
    var world = PresenceWorld(edges: 1, settings: settings)
    world.enter(0, room, "ann")
    world.run(200)
    world.enter(0, room, "bob")
    world.run(200)
    #expect(world.edges[0].denied.map(\.id.text) == ["bob"])
    world.leave(0, room, "ann")
    world.run(200)
    #expect(world.ids(room).isEmpty)
    world.enter(0, room, "bob")
    world.run(200)
    #expect(world.ids(room) == ["bob"])
  }

  @Test("An edge that has nothing to say any more says nothing")
  func idle() {
    var world = PresenceWorld(edges: 1)
    world.enter(0, room, "ann")
    world.watch(0, room)
    world.run(1000)
    world.leave(0, room, "ann")
    world.edges[0].announcer.unwatch(room)
    world.run(1000)
    #expect(!world.edges[0].announcer.isActive)
    world.run(12_000)
    #expect(world.table.sourceCount == 0)
    world.enter(0, room, "ann")
    world.run(200)
    #expect(world.ids(room) == ["ann"])
  }

  @Test("Whatever is lost, whoever breaks and leads: nobody who stays is told to have left, and in the end all know who is there",
    arguments: [1, 42, 0x7072_6573] as [UInt64])
  func anything(seed: UInt64) {
    print("seed \(seed)")
    var random = SeededGenerator(seed: seed)
    var world = PresenceWorld(edges: 4)
    let rooms = [topic("a"), topic("b")]
    var present: [[Topic: [String: Int]]] = Array(repeating: [:], count: 4)
    for edge in 0..<4 { for room in rooms { world.watch(edge, room) } }
    for edge in 0..<4 { world.enter(edge, rooms[edge % 2], "steady-\(edge)") }
    world.run(6000)
    var lossy = false
    for step in 0..<3000 {
      if step % 300 == 0 { lossy = random.below(2) == 0 }
      let edge = random.below(4)
      let room = rooms[random.below(2)]
      let id = "m\(random.below(6))"
      switch random.below(40) {
      case 0..<8:
        world.enter(edge, room, id, data: "\(random.below(3))")
        present[edge][room, default: [:]][id, default: 0] += 1
      case 8..<16 where present[edge][room]?[id] ?? 0 > 0:
        world.leave(edge, room, id)
        present[edge][room]![id]! -= 1
      case 16 where random.below(4) == 0: world.breakLink(edge)
      case 17 where random.below(12) == 0: world.elect()
      default: break
      }
      var draw = random
      world.step(50) { lossy && draw.below(12) == 0 }
      random = draw
    }
    world.run(17_000)
    for edge in 0..<4 {
      #expect(world.left(edge).allSatisfy { !$0.hasPrefix("steady") })
      for (place, room) in rooms.enumerated() {
        var expected = Set((0..<4).flatMap { edge in (present[edge][room] ?? [:]).filter { $0.value > 0 }.map(\.key) })
        expected.formUnion((0..<4).filter { $0 % 2 == place }.map { "steady-\($0)" })
        #expect(world.edges[edge].lists[room] == expected)
        #expect(Set(world.ids(room)) == expected)
      }
    }
  }
}
