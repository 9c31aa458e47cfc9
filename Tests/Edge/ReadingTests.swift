import Core
import Feeds
import HTTP
import Testing

@testable import Edge

@Suite("Reading")
struct ReadingTests {
  // MARK: Streams

  @Test("A stream tells where it starts, then every message with its cursor")
  func stream() throws {
    let harness = try EdgeHarness()
    harness.publish("a", "before")
    let client = try harness.connect(sending: request("/v1/events?topic=a", eventStream))
    #expect(client.lastEventID == harness.cursor([Position(harness.shard(of: "a").id, Offset(1))]))
    #expect(client.events().isEmpty)
    let position = harness.publish("a", "one\ntwo", type: "note")
    let event = try #require(client.events().first)
    #expect(event.data == "one\ntwo" && event.type == "note" && event.id == harness.cursor([position]))
  }

  @Test("A stream of several names on several shards joins what is pushed, and stops asking")
  func severalShards() throws {
    let harness = try EdgeHarness()
    let (first, second) = (harness.topic(in: 0), harness.topic(in: 1))
    let client = try harness.connect(sending: request("/v1/events?topic=\(first)&topic=\(second)", eventStream))
    let reads = harness.shards.map(\.reads)
    harness.publish(first, "1")
    harness.publish(second, "2")
    #expect(client.events().map(\.data) == ["1", "2"])
    #expect(harness.shards.map(\.reads) == reads)
  }

  @Test("Overlapping filters deliver once")
  func overlap() throws {
    let harness = try EdgeHarness()
    harness.publish("a/b", "0")
    let target = "/v1/events?topic=a/b&topic=a/%23&topic=%2B/b&topic=%23&since=earliest"
    let client = try harness.connect(sending: request(target, eventStream))
    harness.publish("a/b", "1")
    #expect(client.events().map(\.data) == ["0", "1"])
  }

  @Test("A wildcard's cursor names every shard, and goes on from there in all of them")
  func vectorCursor() throws {
    let harness = try EdgeHarness()
    for number in 0..<20 { harness.publish("n/\(number)", "\(number)") }
    let first = try harness.connect(sending: request("/v1/events?topic=n/%2B&since=earliest", eventStream))
    #expect(Set(first.events().map(\.data)).count == 20)
    #expect(first.lastEventID == harness.end)
    first.close()
    for number in 20..<40 { harness.publish("n/\(number)", "\(number)") }
    let second = try harness.connect(sending: request("/v1/events?topic=n/%2B", eventStream, "Last-Event-ID: \(first.lastEventID)"))
    #expect(second.events().map { Int($0.data) ?? -1 }.sorted() == Array(20..<40))
  }

  @Test("No cursor is told before the place in every shard is known", arguments: ["since=5m", "last=2"])
  func startsFirst(start: String) throws {
    let harness = try EdgeHarness()
    for number in 0..<40 { harness.publish("n/\(number % 8)", "old\(number)") }
    harness.loop.move(by: .seconds(600))
    for number in 0..<40 { harness.publish("n/\(number % 8)", "new\(number)") }
    harness.delays = SeededGenerator(seed: 21)
    let client = try harness.connect(sending: request("/v1/events?topic=n/%23&\(start)", eventStream))
    let events = client.events()
    #expect(events.count == (start == "last=2" ? 16 : 40))
    // Whoever is cut anywhere and comes back must not be given more than what comes after.
    for event in events {
      let cursor = try Cursor(parsing: event.id)
      #expect(harness.shards.allSatisfy { $0.committed == .zero || cursor[$0.id] > .zero })
    }
  }

  @Test("A stream and a poll are told of what is gone, and go on behind it", arguments: ["expired", "foreign", "future"])
  func gaps(reason: String) throws {
    let harness = try EdgeHarness()
    let topics = (0..<4).map { harness.topic(in: $0, "g/") }
    for _ in 0..<5 { for topic in topics { harness.publish(topic, "x") } }
    var from = harness.cursor(topics.indices.map { Position(ShardID($0), Offset(1)) })
    switch reason {
    case "expired": for shard in harness.shards { shard.expire(before: Offset(4)) }
    case "foreign": from = Cursor(cluster: ClusterID(5), positions: [Position(ShardID(0), Offset(2))]).description
    default: from = harness.cursor(topics.indices.map { Position(ShardID($0), Offset(100)) })
    }
    let expected = reason == "expired" ? 8 : reason == "foreign" ? 20 : 0
    let stream = try harness.connect(sending: request("/v1/events?topic=g/%2B&cursor=\(from)", eventStream))
    let gaps = stream.events().filter { $0.type == "tidings.gap" }
    #expect(gaps.count == (reason == "foreign" ? 1 : 4))
    #expect(gaps.allSatisfy { $0.data.contains("\"reason\":\"\(reason)\"") })
    #expect(stream.events().count - gaps.count == expected)
    #expect(stream.lastEventID == harness.end)
    let answer = try #require(try harness.connect(sending: request("/v1/events?topic=g/%2B&cursor=\(from)")).answers().first)
    #expect(answer.body.contains("\"gap\":{\"reason\":\"\(reason)\""))
    #expect(answer.body.components(of: "\"topic\"") == expected)
    if reason != "foreign" {
      // One gap tells of all shards': behind it none is left as it was.
      let to = try Cursor(parsing: try #require(answer.body.text(between: "\"to\":\"", and: "\"")))
      #expect(harness.shards.allSatisfy { to[$0.id] == (reason == "expired" ? Offset(3) : Offset(5)) || to[$0.id] == $0.committed })
    }
    #expect(answer["Tidings-Cursor"] == harness.end)
  }

  @Test("Current values, then everything later: nothing missed, nothing doubled", arguments: 1...8)
  func snapshotAndFollow(seed: UInt64) throws {
    let harness = try EdgeHarness()
    harness.delays = SeededGenerator(seed: seed)
    for number in 0..<10 { harness.publish("s/\(number)", "\(number)", retain: true) }
    let client = try harness.connect()
    client.send(request("/v1/events?topic=s/%2B&retained=true", eventStream, "X: \(seed)"))
    // Each topic's value grows by ten with every message; what a follower holds must go up by tens from somewhere.
    for number in 10..<60 {
      harness.publish("s/\(number % 10)", "\(number)", retain: true, settling: false)
      if number % 3 == 0 { harness.turn() }
    }
    harness.settle()
    var newest: [Int: Int] = [:]
    for event in client.events() {
      let value = try #require(Int(event.data))
      if let before = newest[value % 10] { #expect(value == before + 10) }
      newest[value % 10] = value
    }
    #expect(newest == Dictionary(uniqueKeysWithValues: (0..<10).map { ($0, 50 + $0) }))
  }

  @Test("The cleared value is told to followers")
  func cleared() throws {
    let harness = try EdgeHarness()
    harness.publish("a", "x", retain: true)
    let client = try harness.connect(sending: request("/v1/events?topic=a&retained=true", eventStream))
    _ = try harness.connect(sending: request("/v1/topics/a", method: "DELETE"))
    #expect(client.events().first?.data == "x")
    // An event without data is not an event to an EventSource; the stream says it all the same.
    #expect(String(decoding: client.received, as: UTF8.self).contains("event: tidings.cleared"))
  }

  @Test("A line a message for programs")
  func lines() throws {
    let harness = try EdgeHarness()
    let client = try harness.connect(sending: request("/v1/events?topic=a", "Accept: application/x-ndjson"))
    harness.publish("a", "1")
    harness.publish("a", "2")
    #expect(client.lines.count == 2)
    #expect(client.lines.allSatisfy { $0.hasPrefix("{\"topic\":\"a\"") && $0.hasSuffix("}") })
  }

  @Test("An idle stream is kept open with comments that carry the cursor where it moved")
  func heartbeat() throws {
    let harness = try EdgeHarness()
    let topic = harness.topic(in: 0, "x")
    let other = harness.topic(in: 0, "y")
    let client = try harness.connect(sending: request("/v1/events?topic=\(topic)", eventStream))
    _ = try harness.connect(sending: request("/v1/events?topic=\(other)", eventStream))
    let position = harness.publish(other, "elsewhere")
    _ = client.take()
    harness.pass(.seconds(17))
    let text = client.take()
    #expect(text.hasPrefix(":\n"))
    #expect(text.contains("id: \(harness.cursor([position]))\n\n"))
    harness.pass(.seconds(40))
    #expect(client.take().components(of: ":\n") == 2)
  }

  // MARK: Polls

  @Test("A poll answers at once; its tag makes the same poll 304 until something comes")
  func poll() throws {
    let harness = try EdgeHarness()
    harness.publish("a", "1")
    let client = try harness.connect(sending: request("/v1/events?topic=a&since=earliest"))
    let answer = try #require(client.answers().first)
    let tag = try #require(answer["ETag"])
    #expect(answer.body.contains("\"data\":\"1\""))
    client.send(request("/v1/events?topic=a&since=earliest", "If-None-Match: \(tag)"))
    harness.settle()
    #expect(client.answers().first?.status == 304)
    harness.publish("a", "2")
    client.send(request("/v1/events?topic=a&since=earliest", "If-None-Match: \(tag)"))
    harness.settle()
    #expect(client.answers().first?.body.contains("\"data\":\"2\"") == true)
  }

  @Test("Polls with a limit take a long log in steps, each message once", arguments: [1, 7, 1000])
  func limit(limit: Int) throws {
    let harness = try EdgeHarness()
    for shard in harness.shards { shard.pageBytes = 300 }
    for number in 0..<120 { harness.publish("n/\(number)", "\(number)", settling: false) }
    let client = try harness.connect()
    var cursor = "since=earliest"
    var found: [Int] = []
    for _ in 0..<200 {
      client.send(request("/v1/events?topic=n/%2B&limit=\(limit)&\(cursor)"))
      harness.settle()
      let answer = try #require(client.answers().first)
      let numbers = answer.body.all(between: "\"data\":\"", and: "\"").compactMap { Int($0) }
      #expect(numbers.count <= limit)
      if numbers.isEmpty { break }
      found += numbers
      cursor = "cursor=" + (try #require(answer["Tidings-Cursor"]))
    }
    #expect(found.sorted() == Array(0..<120))
  }

  @Test("A full answer that begins at a time names the place in every shard")
  func limitAndTime() throws {
    let harness = try EdgeHarness()
    for number in 0..<40 { harness.publish("n/\(number)", "old") }
    harness.loop.move(by: .seconds(600))
    for number in 0..<40 { harness.publish("n/\(number)", "new") }
    let client = try harness.connect(sending: request("/v1/events?topic=n/%2B&since=5m&limit=3"))
    var answer = try #require(client.answers().first)
    var count = 0
    while answer.body.contains("\"data\"") {
      #expect(!answer.body.contains("\"old\""))
      count += answer.body.components(of: "\"new\"")
      client.send(request("/v1/events?topic=n/%2B&limit=3&cursor=" + (try #require(answer["Tidings-Cursor"]))))
      harness.settle()
      answer = try #require(client.answers().first)
    }
    #expect(count == 40)
  }

  // MARK: Long-polls

  @Test("A long-poll is answered by the first message, for everyone who waits, whatever their places")
  func longPoll() throws {
    let harness = try EdgeHarness()
    let early = try harness.connect(sending: request("/v1/events?topic=a&wait=30"))
    let limited = try harness.connect(sending: request("/v1/events?topic=a&wait=30&limit=1"))
    let head = try harness.connect(sending: request("/v1/events?topic=a&wait=30", "Origin: http://localhost"))
    #expect(early.answers().isEmpty)
    harness.publish("a", "1", settling: false)
    harness.publish("a", "2", settling: false)
    harness.settle()
    #expect(early.answers().first?.body.components(of: "\"data\"") == 2)
    let one = try #require(limited.answers().first)
    #expect(one.body.components(of: "\"data\"") == 1)
    #expect(head.answers().first?["Access-Control-Allow-Origin"] == "http://localhost")
    limited.send(request("/v1/events?topic=a&wait=30&cursor=" + (try #require(one["Tidings-Cursor"]))))
    harness.settle()
    #expect(limited.answers().first?.body.contains("\"data\":\"2\"") == true)
  }

  @Test("What long-polls are answered with counts as delivered, each message once, with the time it took")
  func longPollFigures() throws {
    let harness = try EdgeHarness(shards: 1)
    let plain = try (0..<3).map { _ in try harness.connect(sending: request("/v1/events?topic=a&wait=30")) }
    let other = try harness.connect(sending: request("/v1/events?topic=a&wait=30", "Origin: http://localhost"))
    harness.settle()
    try harness.connect(sending: post("/v1/topics/a", "1")).close()
    harness.settle()
    #expect((plain + [other]).map { $0.answers().first?.status } == [200, 200, 200, 200])
    let report = harness.edge.report()
    #expect(report.delivered[Transport.longPoll.rawValue] == 4 && report.deliveredTotal == 4)
    #expect(harness.edge.totals.delivered == 4, "rates count it too")
    #expect(report.latencies[Transport.longPoll.rawValue].total == 4)
  }

  @Test("A long-poll that nothing came for is 204 with a cursor, and misses nothing after it")
  func longPollTimeout() throws {
    let harness = try EdgeHarness()
    let client = try harness.connect(sending: request("/v1/events?topic=a&wait=5"))
    harness.pass(.seconds(4))
    #expect(client.answers().isEmpty)
    harness.pass(.seconds(2))
    let answer = try #require(client.answers().first)
    #expect(answer.status == 204)
    let cursor = try #require(answer["Tidings-Cursor"])
    harness.publish("a", "meanwhile")
    client.send(request("/v1/events?topic=a&wait=5&cursor=\(cursor)"))
    harness.settle()
    #expect(client.answers().first?.body.contains("meanwhile") == true)
  }

  @Test("No wait is longer than a minute, however long it says it is", arguments: ["61", "86400s", "9300000000", "\(Int.max)"])
  func longestWait(wait: String) throws {
    let harness = try EdgeHarness()
    let client = try harness.connect(sending: request("/v1/events?topic=a&wait=\(wait)"))
    harness.pass(.seconds(59))
    #expect(client.answers().isEmpty)
    harness.pass(.seconds(2))
    #expect(client.answers().first?.status == 204)
  }

  @Test("A length of time counts back from now, even none; a time before 1970 is one", arguments: [("0s", false), ("1s", false), ("1h", true), ("1969-12-31T23:59:59Z", true)])
  func since(since: String, reachesBack: Bool) throws {
    let harness = try EdgeHarness()
    harness.publish("a", "old")
    harness.pass(.seconds(60))
    let client = try harness.connect(sending: request("/v1/events?topic=a&since=\(since)"))
    #expect(client.answers().first?.body.contains("\"old\"") == reachesBack)
  }

  @Test("A long-poll whose time ends in the turn that brings a message is answered with it")
  func longPollRace() throws {
    let harness = try EdgeHarness()
    let client = try harness.connect(sending: request("/v1/events?topic=a&wait=5"))
    harness.publish("a", "just", settling: false)
    let reply = try #require(harness.shard(of: "a").takeReply())
    harness.loop.move(by: .seconds(5))
    harness.edge.receive(reply)
    harness.settle()
    #expect(client.answers().first?.body.contains("just") == true)
  }

  @Test("A long-poll that fills up from recent messages is answered")
  func longPollFull() throws {
    let harness = try EdgeHarness()
    let follower = try harness.connect(sending: request("/v1/events?topic=a", eventStream))
    let start = follower.lastEventID
    for number in 0..<20 { harness.publish("a", "\(number)") }
    let client = try harness.connect(sending: request("/v1/events?topic=a", "Accept: application/json"))
    _ = client.answers()
    client.send(request("/v1/events?topic=a&wait=30&limit=4&cursor=\(start)"))
    harness.settle()
    #expect(client.answers().first?.body.components(of: "\"data\"") == 4)
    // Again, now that the filter is live and the messages are at hand.
    client.send(request("/v1/events?topic=a&wait=30&limit=4&cursor=\(start)"))
    harness.settle()
    #expect(client.answers().first?.body.components(of: "\"data\"") == 4)
  }

  @Test("Large answers to long-polls leave no memory behind")
  func longPollMemory() throws {
    let harness = try EdgeHarness()
    let client = try harness.connect()
    let payload = String(repeating: "x", count: 40_000)
    for _ in 0..<20 {
      client.send(request("/v1/events?topic=a&wait=30"))
      harness.settle()
      harness.publish("a", payload)
      #expect(client.answers().count == 1)
    }
    #expect(harness.edge.fanout.arenas[Int(EventFormat.json.rawValue)].allocatedBytes <= 2 * RenderArena.chunkSize)
  }

  @Test("History is newest first, and goes on before a cursor")
  func history() throws {
    let harness = try EdgeHarness()
    for number in 0..<5 { harness.publish("a", "\(number)") }
    let client = try harness.connect(sending: request("/v1/history?topic=a&limit=3"))
    let first = try #require(client.answers().first)
    #expect(first.body.all(between: "\"data\":\"", and: "\"") == ["4", "3", "2"])
    let before = try #require(first.body.text(between: "\"before\":\"", and: "\""))
    client.send(request("/v1/history?topic=a&limit=3&before=\(before)"))
    harness.settle()
    #expect(client.answers().first?.body.all(between: "\"data\":\"", and: "\"") == ["1", "0"])
  }

  @Test("A list of topics may come as a JSON body", arguments: ["POST", "QUERY"])
  func body(method: String) throws {
    let harness = try EdgeHarness()
    harness.publish("a", "1")
    harness.publish("b", "2")
    let text = post("/v1/events", "{\"topics\":[\"a\",\"b\"],\"since\":\"earliest\"}", method: method, "Content-Type: application/json")
    let answer = try #require(try harness.connect(sending: text).answers().first)
    #expect(answer.body.components(of: "\"data\"") == 2)
  }
}

extension String {
  func components(of part: String) -> Int { all(between: part, and: "").count }

  func text(between start: String, and end: String) -> String? { all(between: start, and: end).first }

  /// Every stretch that begins behind `start` and ends before the next `end`.
  func all(between start: String, and end: String) -> [String] {
    var found: [String] = []
    var rest = Array(utf8)[...]
    let (start, end) = (Array(start.utf8), Array(end.utf8))
    func find(_ part: [UInt8], _ bytes: ArraySlice<UInt8>) -> Int? {
      guard bytes.count >= part.count else { return nil }
      return (bytes.startIndex...(bytes.endIndex - part.count)).first { bytes[$0..<$0 + part.count].elementsEqual(part) }
    }
    while let at = find(start, rest) {
      rest = rest[(at + start.count)...]
      guard let stop = find(end, rest) else { return found }
      found.append(String(decoding: rest[..<stop], as: UTF8.self))
    }
    return found
  }
}
