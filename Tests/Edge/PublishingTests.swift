import Core
import Feeds
import HTTP
import Reactor
import Testing

@testable import Edge

@Suite("Publishing")
struct PublishingTests {
  @Test("What the headers say goes with the message")
  func headers() throws {
    let harness = try EdgeHarness()
    let text = post("/v1/topics/a%2Fb", "{}", "Content-Type: application/json", "Tidings-Event: made", "Idempotency-Key: k1", "Tidings-TTL: 30s")
    let client = try harness.connect(sending: text + text)
    let answers = client.answers()
    #expect(answers.map(\.status) == [200, 200])
    #expect(answers[0].body.contains("\"duplicate\":false") && answers[1].body.contains("\"duplicate\":true"))
    let shard = harness.shard(of: "a/b")
    try #require(shard.log.count == 1)
    let record = shard.log[0].view
    #expect(record.type.elementsEqual("made".utf8) && record.contentType.elementsEqual("application/json".utf8))
    #expect(record.timeToLiveMilliseconds == 30_000)
    #expect(record.flags == [.text, .json])
  }

  @Test("A publish may name the topic's last offset, in any of its spellings")
  func condition() throws {
    let harness = try EdgeHarness()
    let position = harness.publish("a", "1")
    let client = try harness.connect()
    func status(_ condition: String) throws -> Int {
      client.send(post("/v1/topics/a", "x", "If-Match: \(condition)"))
      harness.settle()
      return try #require(client.answers().first).status
    }
    #expect(try status("0") == 412)
    #expect(try status("\"1\"") == 200)
    #expect(try status("\(position.shard).2") == 200)
    #expect(try status("\"\(harness.cursor([Position(position.shard, Offset(3))]))\"") == 200)
    #expect(try status("W/what") == 400)
    #expect(try status("3") == 412)
  }

  @Test("Who does not wait is answered at once")
  func accepted() throws {
    let harness = try EdgeHarness()
    let client = try harness.connect(sending: post("/v1/topics/a", "x", "Tidings-Ack: none"))
    #expect(client.answers().first?.status == 202)
    #expect(harness.shard(of: "a").log.count == 1)
  }

  @Test("What cannot be published is refused by name", arguments: [
    ("/v1/topics/%23", "", 400), ("/v1/topics/$SYS/x", "", 403), ("/v1/topics/a", "Tidings-TTL: soon", 400), ("/v1/topics/a", "Tidings-Ack: maybe", 400),
    ("/v1/topics/a", "Content-Type: nonsense", 415), ("/v1/topics/a", "Idempotency-Key: ", 400),
  ])
  func refused(target: String, header: String, status: Int) throws {
    let harness = try EdgeHarness()
    let text = header.isEmpty ? post(target, "x") : post(target, "x", header)
    let client = try harness.connect(sending: text + request("/healthz"))
    #expect(client.answers().map(\.status) == [status, 200])
    #expect(harness.shards.allSatisfy { $0.log.isEmpty })
  }

  @Test("A batch answers for each message, in order, whichever shard is first", arguments: ["array", "lines"])
  func batch(form: String) throws {
    let harness = try EdgeHarness()
    harness.delays = SeededGenerator(seed: 4)
    var events = (0..<20).map { "{\"topic\":\"t\($0)\",\"data\":{\"n\":\($0)}}" }
    events[7] = "{\"topic\":\"a/#\",\"data\":1}"
    events[9] = "{\"topic\":\"$x\",\"data\":1}"
    events[11] = "{\"topic\":\"b\",\"data_base64\":\"//8=\",\"retain\":true,\"ttl\":\"1m\",\"type\":\"bin\"}"
    let body = form == "array" ? "[" + events.joined(separator: ",") + "]" : events.joined(separator: "\n") + "\n"
    let type = form == "array" ? "application/json" : "application/x-ndjson"
    let answer = try #require(try harness.connect(sending: post("/v1/publish", body, "Content-Type: \(type)")).answers().first)
    #expect(answer.status == 200)
    #expect(answer.body.contains("\"published\":18,\"failed\":2}"))
    #expect(answer.body.contains("{\"index\":7,\"error\":") && answer.body.contains("{\"index\":9,\"error\":"))
    #expect(answer.body.all(between: "{\"topic\":\"t", and: "\"").compactMap { Int($0) } == (0..<20).filter { ![7, 9, 11].contains($0) })
    let record = try #require(harness.shard(of: "b").log.first { $0.topic == Bytes("b") }).view
    #expect(record.payload.elementsEqual([0xff, 0xff]) && record.flags == [.retain])
    #expect(harness.edge.gathers.count == 0)
  }

  @Test("A batch whose client is gone is forgotten when its messages are published")
  func batchOfTheGone() throws {
    let harness = try EdgeHarness()
    let client = try harness.connect()
    client.send(post("/v1/publish", "[{\"topic\":\"a\",\"data\":1},{\"topic\":\"b\",\"data\":2}]", "Content-Type: application/json"))
    harness.edge.flushOutput()
    client.close()
    harness.settle()
    #expect(harness.edge.gathers.count == 0)
    #expect(harness.edge.connectionCount == 0)
  }

  @Test("A batch that is no batch is refused with line and column")
  func badBatch() throws {
    let harness = try EdgeHarness()
    let client = try harness.connect(sending: post("/v1/publish", "[{\"topic\":\n  x}]", "Content-Type: application/json"))
    let answer = try #require(client.answers().first)
    #expect(answer.status == 400)
    #expect(answer.body.contains("line 2"))
  }

  @Test("Bytes that are no text come as base64, JSON as JSON, text as a string")
  func payloads() throws {
    let harness = try EdgeHarness()
    let stream = try harness.connect(sending: request("/v1/events?topic=p&format=json", eventStream))
    let bare = try harness.connect(sending: request("/v1/events?topic=p", eventStream))
    let client = try harness.connect()
    client.send(post("/v1/topics/p", "{\"a\": 1}", "Content-Type: application/json"))
    client.send(Array(post("/v1/topics/p", "xx").utf8.dropLast(2)) + [0xff, 0x00])
    client.send(post("/v1/topics/p", "{\"a\": 1}"))
    harness.settle()
    let data = stream.events().map(\.data)
    try #require(data.count == 3)
    #expect(data[0].contains("\"data\":{\"a\": 1}"))
    #expect(data[1].contains("\"data_base64\":\"/wA=\""))
    #expect(data[2].contains("\"data\":\"{\\\"a\\\": 1}\""))
    #expect(bare.events().map(\.data) == ["{\"a\": 1}", "/wA=", "{\"a\": 1}"])
  }

  @Test("Publishing without a pause keeps no memory of what was published")
  func topics() throws {
    let harness = try EdgeHarness()
    let client = try harness.connect()
    let text = post("/v1/topics/\(String(repeating: "t", count: 500))", "x")
    client.send(text)
    harness.turn()
    for _ in 0..<2000 {
      // The next is there before the last one is answered.
      client.send(text)
      harness.turn()
    }
    harness.settle()
    #expect(client.answers().count == 2001)
    guard let key = harness.edge.connections.keys.first, case .http(let session)? = harness.edge.connections[key]?.role else {
      Issue.record("the connection is gone")
      return
    }
    #expect(session.topics.capacity < 64 << 10)
  }
}
