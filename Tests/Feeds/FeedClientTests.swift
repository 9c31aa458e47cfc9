import Core
import Feeds
import Testing

@Suite("Feed client")
struct FeedClientTests {
  let edge = EdgeID(1)
  let shard = ShardID(0)

  /// The change the client wants to tell its shard.
  private func told(_ client: inout FeedClient) throws -> InterestChange {
    let change = client.change(for: edge)
    return try #require(change)
  }

  private func filter(_ text: String) throws -> Filter { try Filter(text) }

  @Test("A filter is asked for once however many hold it, and let go with the last")
  func holders() throws {
    var client = FeedClient(shard: shard)
    let a = try filter("a")
    client.hold(a)
    client.hold(a)
    let change = try told(&client)
    #expect(change.add == [a] && change.remove.isEmpty)
    #expect(!client.hasChange)
    #expect(client.liveFrom(a) == nil && client.coverage(of: [a]) == nil)
    let becameLive = client.live(InterestReply(shard: shard, ticket: change.ticket, liveFrom: Offset(7)))
    #expect(becameLive)
    #expect(client.liveFrom(a) == Offset(7) && client.coverage(of: [a]) == Offset(7) && client.upTo == Offset(7))
    client.release(a)
    #expect(!client.hasChange)
    client.release(a)
    let last = try told(&client)
    #expect(last.remove == [a] && last.add.isEmpty)
    #expect(client.heldFilters == 0)
  }

  @Test("What nobody heard of is not said: held and released, or released and held, within a turn")
  func withinATurn() throws {
    var client = FeedClient(shard: shard)
    let a = try filter("a")
    client.hold(a)
    client.release(a)
    #expect(!client.hasChange)
    client.hold(a)
    let change = try told(&client)
    _ = client.live(InterestReply(shard: shard, ticket: change.ticket, liveFrom: Offset(3)))
    client.release(a)
    client.hold(a)
    #expect(!client.hasChange)
    #expect(client.liveFrom(a) == Offset(3))
    client.take(FeedPush(shard: shard, pieces: [Pushes.record(4, "a")], upTo: Offset(4)))
    #expect(client.coverage(of: [a]) == Offset(3))
  }

  @Test("A filter let go before its answer and held again waits for the answer of its own question")
  func reheld() throws {
    var client = FeedClient(shard: shard)
    let a = try filter("a")
    client.hold(a)
    let first = try told(&client)
    client.release(a)
    _ = try told(&client)
    client.hold(a)
    let third = try told(&client)
    _ = client.live(InterestReply(shard: shard, ticket: first.ticket, liveFrom: Offset(2)))
    #expect(client.liveFrom(a) == nil)
    _ = client.live(InterestReply(shard: shard, ticket: third.ticket, liveFrom: Offset(9)))
    #expect(client.liveFrom(a) == Offset(9))
  }

  @Test("A feed that broke asks for everything held anew and covers nothing until it is answered")
  func reopen() throws {
    var client = FeedClient(shard: shard)
    let (a, b) = (try filter("a"), try filter("b/#"))
    client.hold(a)
    client.hold(b)
    let change = try told(&client)
    _ = client.live(InterestReply(shard: shard, ticket: change.ticket, liveFrom: Offset(1)))
    client.take(FeedPush(shard: shard, pieces: [Pushes.record(2, "a")], upTo: Offset(2)))
    client.reopen()
    #expect(client.coverage(of: [a]) == nil)
    let again = try told(&client)
    #expect(again.add == [a, b] && again.remove.isEmpty)
    let isOfTheOldOpening = !client.admits(FeedPush(shard: shard, pieces: [Pushes.record(7, "a")], upTo: Offset(7)))
    #expect(isOfTheOldOpening)
    // The answer to the old question, on its way when the feed broke.
    let wasWaitedFor = client.live(InterestReply(shard: shard, ticket: change.ticket, liveFrom: Offset(1)))
    #expect(!wasWaitedFor)
    let isLiveAtOnce = client.live(InterestReply(shard: shard, ticket: again.ticket, liveFrom: Offset(8)))
    #expect(!isLiveAtOnce && client.upTo == Offset(2), "what was kept meanwhile comes first")
    let asked = client.catchUp(for: EdgeID(1), maximumBytes: 1000)
    let read = try #require(asked)
    #expect(read.filters == [a, b] && read.start == .after(Offset(2)))
    let second = client.catchUp(for: EdgeID(1), maximumBytes: 1000)
    #expect(second == nil, "one at a time")
    // Pushed before the read is answered, and partly in the answer too.
    let isFirst = client.admits(FeedPush(shard: shard, pieces: [Pushes.record(9, "a"), Pushes.record(11, "a")], upTo: Offset(11)))
    #expect(!isFirst)
    let page = ReadReply.Page(pieces: [Pushes.record(5, "a"), Pushes.record(9, "a")], upTo: Offset(9), committed: Offset(9))
    guard case .page(let missed) = client.takes(ReadReply(shard: shard, ticket: read.ticket, result: .success(page))) else {
      Issue.record("the read was not taken")
      return
    }
    client.take(missed)
    let released = client.caughtUp()
    let held = try #require(released)
    for push in held { client.take(push) }
    #expect(held.map { $0.upTo } == [Offset(11)] && held.flatMap(\.pieces).count == 1)
    #expect(client.upTo == Offset(11) && client.coverage(of: [a, b]) == Offset(1), "there was no break for those who followed")
    var seen: [UInt64] = []
    client.cache.forEach(after: Offset(1)) {
      seen.append($0.offset.value)
      return true
    }
    #expect(seen == [2, 5, 9, 11])
  }

  @Test("A filter that is new while a feed catches up is live from where that ends")
  func newcomer() throws {
    var client = FeedClient(shard: shard)
    let (a, b) = (try filter("a"), try filter("b"))
    client.hold(a)
    let change = try told(&client)
    _ = client.live(InterestReply(shard: shard, ticket: change.ticket, liveFrom: Offset(1)))
    client.reopen()
    client.hold(b)
    let again = try told(&client)
    _ = client.live(InterestReply(shard: shard, ticket: again.ticket, liveFrom: Offset(4)))
    let asked = client.catchUp(for: EdgeID(1), maximumBytes: 1000)
    let read = try #require(asked)
    #expect(read.filters == [a])
    _ = client.admits(FeedPush(shard: shard, pieces: [Pushes.record(5, "b")], upTo: Offset(5)))
    let page = ReadReply.Page(pieces: [], upTo: Offset(6), committed: Offset(6))
    if case .page(let push) = client.takes(ReadReply(shard: shard, ticket: read.ticket, result: .success(page))) { client.take(push) }
    let held = client.caughtUp()
    #expect(held?.isEmpty == true)
    #expect(client.liveFrom(a) == Offset(1) && client.liveFrom(b) == Offset(6))
  }

  @Test("More than may be held is read instead")
  func overflow() throws {
    var client = FeedClient(shard: shard)
    client.hold(try filter("a"))
    _ = client.live(InterestReply(shard: shard, ticket: try told(&client).ticket, liveFrom: Offset(1)))
    client.reopen()
    _ = client.live(InterestReply(shard: shard, ticket: try told(&client).ticket, liveFrom: Offset(2)))
    let large = Bytes([UInt8](repeating: 0, count: (1 << 20) + 1))
    _ = client.admits(FeedPush(shard: shard, pieces: [large], upTo: Offset(9)))
    let asked = client.catchUp(for: EdgeID(1), maximumBytes: 1000)
    let read = try #require(asked)
    let page = ReadReply.Page(pieces: [], upTo: Offset(3), committed: Offset(9))
    if case .page(let push) = client.takes(ReadReply(shard: shard, ticket: read.ticket, result: .success(page))) { client.take(push) }
    let isDone = client.caughtUp() != nil
    #expect(!isDone && client.wantsCatchUp, "there is more to read")
    let next = client.catchUp(for: EdgeID(1), maximumBytes: 1000)
    #expect(next?.start == .after(Offset(3)))
  }

  /// The shard's side, obvious: filters as often as they were added, a log of topics.
  private struct Shard {
    var held: [Filter] = []
    var log: [String] = []
    var outbox: [ShardReply] = []

    mutating func change(_ change: InterestChange) {
      for filter in change.remove { if let index = held.firstIndex(of: filter) { held.remove(at: index) } }
      held += change.add
      outbox.append(.interest(InterestReply(shard: ShardID(0), ticket: change.ticket, liveFrom: Offset(UInt64(log.count)))))
    }

    mutating func publish(_ topics: [String]) {
      var pieces: [Bytes] = []
      for topic in topics {
        log.append(topic)
        let record = Pushes.record(UInt64(log.count), topic)
        if held.contains(where: { filter in Bytes(topic).withUnsafeBytes { filter.matches($0) } }) { pieces.append(record) }
      }
      if !pieces.isEmpty { outbox.append(.push(FeedPush(shard: ShardID(0), pieces: pieces, upTo: Offset(UInt64(log.count))))) }
    }
  }

  @Test("Against a model: everything after the coverage that a filter wants is in the cache, and the shard holds what is held", arguments: 1...20)
  func model(seed: UInt64) throws {
    var chance = SeededGenerator(seed: seed)
    var client = FeedClient(shard: shard, cacheBytes: 2000)
    var model = Shard()
    var changes: [InterestChange] = []
    let filters = try ["a", "b", "a/+", "a/#", "#", "c/1"].map { try Filter($0) }
    let topics = ["a", "b", "a/1", "a/2", "c/1", "c/2"]
    var holders = [Int](repeating: 0, count: filters.count)
    for _ in 0..<600 {
      let index = chance.below(filters.count)
      switch chance.below(8) {
      case 0:
        client.hold(filters[index])
        holders[index] += 1
      case 1 where holders[index] > 0:
        client.release(filters[index])
        holders[index] -= 1
      case 2: if let change = client.change(for: edge) { changes.append(change) }
      case 3: if !changes.isEmpty { model.change(changes.removeFirst()) }
      case 4, 5: model.publish((0...chance.below(3)).map { _ in topics[chance.below(topics.count)] })
      default:
        guard !model.outbox.isEmpty else { continue }
        switch model.outbox.removeFirst() {
        case .interest(let reply): _ = client.live(reply)
        case .push(let push): client.take(push)
        default: break
        }
      }
      try check(client, model, filters, holders, seed)
    }
    while let change = client.change(for: edge) { changes.append(change) }
    for change in changes { model.change(change) }
    let expected = filters.indices.filter { holders[$0] > 0 }.map { filters[$0].description }
    #expect(model.held.map(\.description).sorted() == expected.sorted(), "seed \(seed)")
  }

  private func check(_ client: FeedClient, _ model: Shard, _ filters: [Filter], _ holders: [Int], _ seed: UInt64) throws {
    for (filter, count) in zip(filters, holders) {
      guard count > 0, let coverage = client.coverage(of: [filter]) else { continue }
      #expect(coverage <= client.upTo)
      var found: [UInt64] = []
      client.cache.forEach(after: coverage) { record in
        if filter.matches(record.topic) { found.append(record.offset.value) }
        return true
      }
      let wanted = model.log.indices.filter { index in Bytes(model.log[index]).withUnsafeBytes { filter.matches($0) } }.map { UInt64($0 + 1) }
      try #require(found == wanted.filter { $0 > coverage.value && $0 <= client.upTo.value }, "seed \(seed), \(filter)")
    }
  }
}
