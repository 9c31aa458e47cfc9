import Core
import Feeds
import Testing

@testable import Presence

@Suite struct PresenceTableTests {
  private let room = topic("room/1")
  private let edge = EdgeID(1)
  private let now = Instant(nanoseconds: 5)

  private func settled(_ change: (inout PresenceSettings) -> Void = { _ in }) -> PresenceTable {
    var settings = PresenceSettings()
    settings.settling = .zero
    change(&settings)
    var table = PresenceTable(shard: PresenceWorld.shard, settings: settings)
    table.begin(1, at: now)
    return table
  }

  private func entry(_ id: String, connections: Int = 1, data: String = "", topic name: String = "room/1", since: Int64 = 10) -> PresenceEntry {
    PresenceEntry(
      topic: topic(name), member: PresenceMember(id: Bytes(id), data: Bytes(data), since: WallTime(milliseconds: since), connections: connections))
  }

  private func whole(_ source: UInt64, _ sequence: UInt64, _ entries: [PresenceEntry], watch: [Topic] = []) -> PresenceAnnouncement {
    PresenceAnnouncement(source: source, sequence: sequence, begins: true, completes: true, entries: entries, watch: watch)
  }

  private func ask(_ table: PresenceTable, _ filters: [String], limit: Int = 100, after: String? = nil, count: Bool = false) throws -> PresenceList {
    let filters = try filters.map { text in try Filter(text) }
    return table.answer(PresenceQuestion(filters: filters, limit: limit, after: after.map { Bytes($0) }, wantsCountOnly: count))
  }

  @Test("The same member of two edges is one, with both their connections, and is there until neither has it")
  func sameMember() throws {
    var table = settled()
    _ = table.announce(whole(1, 1, [entry("ann", connections: 2, since: 30)]), from: edge, at: now)
    _ = table.announce(whole(2, 1, [entry("ann", since: 20), entry("bob")]), from: EdgeID(2), at: now)
    let list = try ask(table, ["room/1"])
    #expect(list.count == 2 && !list.isPartial && !list.isTruncated)
    #expect(list.topics[0].members.map(\.connections) == [3, 1])
    #expect(list.topics[0].members[0].since == WallTime(milliseconds: 20))
    _ = table.announce(PresenceAnnouncement(source: 1, sequence: 2, entries: [entry("ann", connections: 0)]), from: edge, at: now)
    #expect(try ask(table, ["room/1"]).topics[0].members.map(\.connections) == [1, 1])
    _ = table.announce(whole(2, 2, []), from: EdgeID(2), at: now)
    #expect(try ask(table, ["room/1"]) == PresenceList(topics: [], count: 0))
    #expect(table.memberCount == 0 && table.byteCount == 0)
  }

  @Test("An old announcement does not undo a newer one, and one that is repeated is answered as before")
  func order() throws {
    var table = settled { $0.topicMembers = 1 }
    let first = PresenceAnnouncement(source: 1, sequence: 7, begins: true, completes: true, entries: [entry("ann"), entry("bob")])
    let receipt = table.announce(first, from: edge, at: now)
    #expect(receipt.refused == [PresenceDenial(topic: room, id: Bytes("bob"), reason: .topicFull)])
    #expect(table.announce(first, from: edge, at: now) == receipt)
    _ = table.announce(PresenceAnnouncement(source: 1, sequence: 8, entries: [entry("ann", connections: 0)]), from: edge, at: now)
    let late = table.announce(first, from: edge, at: now)
    #expect(!late.wantsWhole && late.refused.isEmpty)
    #expect(table.memberCount == 0)
  }

  @Test("What does not follow on what is known is answered with the wish for everything, and changes nothing")
  func missing() throws {
    var table = settled()
    #expect(table.announce(PresenceAnnouncement(source: 1, sequence: 4, entries: [entry("ann")]), from: edge, at: now).wantsWhole)
    _ = table.announce(whole(1, 5, [entry("ann")]), from: edge, at: now)
    #expect(table.announce(PresenceAnnouncement(source: 1, sequence: 7, entries: [entry("bob")]), from: edge, at: now).wantsWhole)
    #expect(try ask(table, ["room/1"]).count == 1)
    table.begin(2, at: now)
    #expect(table.announce(PresenceAnnouncement(source: 1, sequence: 8, entries: [entry("bob")]), from: edge, at: now).wantsWhole)
    #expect(table.memberCount == 0)
  }

  @Test("A whole announcement in parts takes out what it does not name, at its end and not before")
  func parts() throws {
    var table = settled()
    _ = table.announce(whole(1, 1, [entry("ann"), entry("bob"), entry("cid")]), from: edge, at: now)
    _ = table.announce(PresenceAnnouncement(source: 1, sequence: 2, begins: true, entries: [entry("cid")]), from: edge, at: now)
    #expect(try ask(table, ["room/1"]).count == 3)
    _ = table.announce(PresenceAnnouncement(source: 1, sequence: 3, completes: true, entries: [entry("dan")]), from: edge, at: now)
    #expect(try ask(table, ["room/1"]).topics[0].members.map(\.id.text) == ["cid", "dan"])
  }

  @Test("Bounds of a topic, of the shard and of its bytes are kept, and who is refused is named with the reason")
  func bounds() throws {
    var table = settled { settings in
      settings.topicMembers = 2
      settings.shardMembers = 4
      settings.shardBytes = 40
    }
    let entries = [entry("a"), entry("b"), entry("c"), entry("a", topic: "x"), entry("d", data: String(repeating: "1", count: 40), topic: "y")]
    var receipt = table.announce(whole(1, 1, entries), from: edge, at: now)
    #expect(receipt.refused.map(\.reason) == [.topicFull, .shardFull])
    receipt = table.announce(PresenceAnnouncement(source: 1, sequence: 2, entries: [entry("e", topic: "y"), entry("f", topic: "z")]), from: edge, at: now)
    #expect(receipt.refused == [PresenceDenial(topic: topic("z"), id: Bytes("f"), reason: .shardFull)])
    // Another connection of somebody who is there is nobody new.
    #expect(table.announce(whole(2, 1, [entry("a")]), from: EdgeID(2), at: now).refused.isEmpty)
    #expect(table.memberCount == 4 && table.denied == 3)
    // Room again.
    let swap = [entry("a", connections: 0, topic: "x"), entry("f", topic: "z")]
    #expect(table.announce(PresenceAnnouncement(source: 1, sequence: 3, entries: swap), from: edge, at: now).refused.isEmpty)
  }

  @Test("A list is in order, goes on behind a name, and says when there is more")
  func paging() throws {
    var table = settled()
    _ = table.announce(whole(1, 1, ["c", "a", "é", "b"].map { entry($0) } + [entry("x", topic: "room/2"), entry("y", topic: "hall")]), from: edge, at: now)
    let first = try ask(table, ["room/1"], limit: 2)
    #expect(first.topics[0].members.map(\.id.text) == ["a", "b"] && first.count == 4 && first.isTruncated)
    let rest = try ask(table, ["room/1"], limit: 2, after: "b")
    #expect(rest.topics[0].members.map(\.id.text) == ["c", "é"] && !rest.isTruncated)
    let many = try ask(table, ["room/+", "room/1", "nowhere"], limit: 4)
    #expect(many.topics.map(\.topic.description) == ["room/1", "room/2"])
    #expect(many.topics.map(\.count) == [4, 1] && many.count == 5 && many.isTruncated)
    #expect(many.topics[1].members.isEmpty)
    let numbers = try ask(table, ["#"], limit: 2, count: true)
    #expect(numbers.topics.map(\.count) == [1, 4] && numbers.count == 6 && numbers.isTruncated)
    #expect(numbers.topics.allSatisfy { $0.members.isEmpty })
  }

  @Test("A state and changes larger than a message come in parts, and make a whole at the other end")
  func large() throws {
    var world = PresenceWorld(edges: 2)
    world.watch(1, room)
    world.run(200)
    for number in 0..<2500 { world.enter(0, room, "member-\(number)", data: "\"\(String(repeating: "x", count: 300))\"") }
    world.run(1000)
    #expect(world.edges[1].lists[room]?.count == 2500)
    #expect(world.edges[1].told.count > 3)
    #expect(world.edges[1].told.allSatisfy { $0.joined.count <= PresenceLimits.messageEntries })
    world.watch(0, room)
    world.run(200)
    #expect(world.edges[0].lists[room]?.count == 2500)
    #expect(world.edges[0].told.count == 1)
    world.elect()
    world.run(8000)
    #expect(world.table.memberCount == 2500)
    #expect(world.edges[1].lists[room]?.count == 2500)
    #expect(world.left(0).isEmpty && world.left(1).isEmpty)
  }
}
