import Core
import Feeds
import Testing

@testable import Edge

@Suite("Subscriptions of one socket")
struct SubscriptionTests {
  private func open(_ harness: EdgeHarness) throws -> TestClient { try harness.connect(sending: TestClient.upgrade) }

  private func operations(_ client: TestClient, _ name: String) -> [String] { client.messages().filter { $0.contains("\"op\":\"\(name)\"") } }

  private func data(_ messages: [String]) -> [String] { messages.compactMap { $0.text(between: "\"data\":\"", and: "\"") } }

  /// What a client makes of what it hears: its cursor, and what was wrong about it.
  private struct Listener {
    var places: [ShardID: Offset] = [:]
    var cursor: Cursor { Cursor(cluster: EdgeHarness.cluster, positions: places.map { Position($0.key, $0.value) }) }
    var heard: [String] = []
    var faults: [String] = []
    var isSubscribed = false
    var taken = 0

    mutating func listen(to client: TestClient) throws {
      let messages = client.messages()
      for message in messages[taken...] { try take(message) }
      taken = messages.count
    }

    mutating func take(_ message: String) throws {
      if message.contains("\"op\":\"subscribed\"") || message.contains("\"op\":\"cursor\"") {
        let told = try Cursor(parsing: try #require(message.text(between: "\"cursor\":\"", and: "\"")))
        if message.contains("\"op\":\"cursor\"") {
          for position in told.positions where position.offset < cursor[position.shard] { faults.append("\(message) goes back from \(cursor)") }
        }
        for position in told.positions { places[position.shard] = position.offset }
        isSubscribed = true
      } else if message.contains("\"op\":\"event\"") {
        if !isSubscribed { faults.append("\(message) came before its subscription") }
        let position = try #require(message.text(between: "\"position\":\"", and: "\""))
        let place = try Cursor(parsing: "v1~\(EdgeHarness.cluster)~\(position)").positions[0]
        if place.offset <= cursor[place.shard] { faults.append("\(position) comes after \(cursor)") }
        places[place.shard] = place.offset
        heard.append(try #require(message.text(between: "\"data\":\"", and: "\"")))
      }
    }
  }

  @Test("Positions never go back, and a client that comes back with the union of its filters misses nothing", arguments: 1...12)
  func cursorIsTrue(seed: UInt64) throws {
    var chance = SeededGenerator(seed: seed)
    let harness = try EdgeHarness { settings in
      settings.fanout.recentCacheBytes = 4 << 10
      settings.fanout.readerBuffer = 2048
    }
    for shard in harness.shards { shard.pageBytes = 1500 }
    var published = 0
    func publish() {
      harness.publish("s/\(chance.below(6))", "\(published) " + String(repeating: "p", count: chance.below(200)), settling: false)
      published += 1
    }
    for _ in 0..<60 { publish() }
    harness.settle()
    let client = try open(harness)
    harness.delays = SeededGenerator(seed: seed &+ 77)
    let wishes = ["\"since\":\"earliest\"", "\"since\":\"latest\"", "\"last\":3", "\"cursor\":\"v1~\(EdgeHarness.cluster)~0.3~1.5~2.2\"", "\"since\":\"1h\""]
    let topics = ["s/0", "s/+", "s/1\",\"s/2", "#", "s/4"]
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"0\",\"topics\":[\"s/+\"],\"since\":\"earliest\"}")
    var listener = Listener()
    for round in 1..<80 {
      if round % 10 == 0, round < 70 {
        client.sendFrame(
          "{\"op\":\"subscribe\",\"id\":\"\(round)\",\"topics\":[\"\(topics[chance.below(topics.count)])\"],\(wishes[chance.below(wishes.count)])}")
      }
      if chance.below(3) == 0 { client.isStalled.toggle() }
      for _ in 0..<chance.below(5) { publish() }
      for _ in 0...chance.below(4) { harness.turn() }
      if chance.below(9) == 0 { harness.pass(.seconds(16)) }
      try listener.listen(to: client)
    }
    // Cut here: what comes after the cursor, and nothing else, is still to come.
    let cut = listener
    let rest = try open(harness)
    rest.sendFrame("{\"op\":\"subscribe\",\"id\":\"r\",\"topics\":[\"s/+\"],\"cursor\":\"\(cut.cursor)\"}")
    client.isStalled = false
    harness.settle()
    try listener.listen(to: client)
    #expect(listener.faults.isEmpty, "seed \(seed)")
    #expect(Set(listener.heard).count == listener.heard.count, "seed \(seed)")
    #expect(listener.heard.count == published, "seed \(seed)")
    let later = data(operations(rest, "event"))
    #expect(Set(cut.heard).union(later).count == published, "seed \(seed)")
  }

  @Test("A subscription from a place that does not exist yet is told so, and holds nobody up")
  func future() throws {
    let harness = try EdgeHarness()
    harness.publish("f", "1")
    let client = try open(harness)
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"a\",\"topics\":[\"f\"]}")
    harness.settle()
    let shard = harness.shard(of: "f").id
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"b\",\"topics\":[\"f\",\"f/+\"],\"cursor\":\"\(harness.cursor([Position(shard, Offset(99))]))\"}")
    harness.settle()
    harness.publish("f", "2")
    let messages = client.messages()
    #expect(messages.contains { $0.hasPrefix("{\"op\":\"gap\",\"id\":\"b\",\"reason\":\"future\"") })
    #expect(messages.filter { $0.contains("\"op\":\"subscribed\"") }.count == 2)
    #expect(data(messages) == ["2"])
  }

  @Test("Current values come behind the answer to their subscription, and then what is later")
  func retained() throws {
    let harness = try EdgeHarness()
    harness.publish("v/1", "one", retain: true)
    harness.publish("v/2", "two", retain: true)
    let client = try open(harness)
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"v\",\"topics\":[\"v/+\"],\"retained\":true}")
    harness.settle()
    harness.publish("v/1", "three")
    let messages = client.messages()
    #expect(messages[1].contains("subscribed"))
    #expect(data(messages).sorted() == ["one", "three", "two"])
    #expect(data(messages).last == "three")
  }

  // MARK: Consumers

  private func consumer(_ harness: EdgeHarness, _ name: String) throws -> Cursor {
    try #require(harness.shards.lazy.compactMap { $0.cursor(ofConsumer: name) }.first)
  }

  @Test("A socket reads as a consumer: made at its first use, moved by what was written, gone on with later")
  func asConsumer() throws {
    let harness = try EdgeHarness()
    for number in 0..<4 { harness.publish("c/\(number)", "\(number)") }
    let first = try open(harness)
    first.sendFrame("{\"op\":\"subscribe\",\"id\":\"s\",\"topics\":[\"c/#\"],\"consumer\":\"billing\",\"since\":\"earliest\"}")
    harness.settle()
    let messages = first.messages()
    #expect(messages[1].hasPrefix("{\"op\":\"subscribed\",\"id\":\"s\",\"cursor\":\"v1~") && messages[1].hasSuffix("\"resumed\":false}"))
    #expect(data(messages).sorted() == ["0", "1", "2", "3"])
    harness.pass(.seconds(2))
    first.close()
    harness.settle()
    harness.publish("c/9", "9")
    let second = try open(harness)
    second.sendFrame("{\"op\":\"subscribe\",\"id\":\"s\",\"consumer\":\"billing\"}")
    harness.settle()
    let later = second.messages()
    #expect(later[1].hasSuffix("\"resumed\":true}"))
    #expect(data(later) == ["9"])
  }

  @Test("With explicit acknowledgement only what the client says moves the consumer", arguments: [true, false])
  func explicit(byPosition: Bool) throws {
    let harness = try EdgeHarness()
    for number in 0..<3 { harness.publish("e", "\(number)") }
    let client = try open(harness)
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"s\",\"topics\":[\"e\"],\"consumer\":\"c\",\"ack\":\"explicit\",\"since\":\"earliest\"}")
    harness.settle()
    harness.pass(.seconds(3))
    let shard = harness.shard(of: "e").id
    #expect(try consumer(harness, "c")[shard] == .zero)
    let place = Position(shard, Offset(2))
    client.sendFrame(
      byPosition
        ? "{\"op\":\"ack\",\"id\":\"s\",\"position\":\"\(shard.value).2\"}" : "{\"op\":\"ack\",\"consumer\":\"c\",\"cursor\":\"\(harness.cursor([place]))\"}")
    harness.settle()
    #expect(try consumer(harness, "c")[shard] == Offset(2))
    client.sendFrame("{\"op\":\"ack\",\"ref\":1,\"consumer\":\"nobody\",\"cursor\":\"\(harness.cursor([place]))\"}")
    harness.settle()
    #expect(client.messages().last?.contains("\"ref\":1,\"code\":\"no-such-consumer\"") == true)
  }

  @Test("What is wrong with a consumer is said to its subscription, and what is followed beside it goes on")
  func refused() throws {
    let harness = try EdgeHarness()
    let client = try open(harness)
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"a\",\"topics\":[\"a\"]}")
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"b\",\"consumer\":\"none\"}")
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"c\",\"topics\":[\"c\"],\"consumer\":\"new\",\"last\":3}")
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"d\",\"topics\":[\"d\"],\"consumer\":\"well\"}")
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"e\",\"topics\":[\"e\"],\"consumer\":\"well\"}")
    client.sendFrame("{\"op\":\"unsubscribe\",\"id\":\"d\"}")
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"f\",\"topics\":[\"e\"],\"consumer\":\"well\"}")
    harness.settle()
    harness.publish("a", "still here")
    let messages = client.messages()
    for (id, code) in [("b", "no-such-consumer"), ("c", "bad-request"), ("e", "id-in-use"), ("f", "consumer-differs")] {
      #expect(messages.contains { $0.hasPrefix("{\"op\":\"error\",\"id\":\"\(id)\",\"code\":\"\(code)\"") })
    }
    #expect(data(messages) == ["still here"])
  }

  @Test("A socket whose shards move on without a match is told its cursor with the heartbeat, and only then")
  func idleCursor() throws {
    let harness = try EdgeHarness(shards: 1)
    let client = try open(harness)
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"s\",\"topics\":[\"quiet\"]}")
    harness.settle()
    harness.publish("other", "1")
    harness.pass(.seconds(16))
    #expect(operations(client, "cursor") == ["{\"op\":\"cursor\",\"cursor\":\"\(harness.end)\"}"])
    harness.pass(.seconds(40))
    #expect(operations(client, "cursor").count == 1)
  }
}
