import Core
import Feeds
import Testing

@testable import Edge

@Suite("Durable consumers")
struct ConsumerTests {
  private func cursor(_ harness: EdgeHarness, _ name: String) throws -> Cursor {
    try #require(harness.shards.lazy.compactMap { $0.cursor(ofConsumer: name) }.first)
  }

  @Test("A consumer goes on where its streams have come to")
  func stream() throws {
    let harness = try EdgeHarness()
    for number in 0..<5 { harness.publish("c/\(number)", "\(number)") }
    let target = "/v1/events?topic=c/%23&consumer=reader&since=earliest"
    let first = try harness.connect(sending: request(target, eventStream))
    #expect(first.events().count == 5)
    harness.pass(.seconds(2))
    first.close()
    harness.settle()
    for number in 5..<9 { harness.publish("c/\(number)", "\(number)") }
    let second = try harness.connect(sending: request("/v1/events?consumer=reader", eventStream))
    #expect(second.events().map(\.data).sorted() == ["5", "6", "7", "8"])
    harness.pass(.seconds(2))
    #expect(try cursor(harness, "reader").description == harness.end)
  }

  @Test("Polls acknowledge by reading on, unless they say otherwise")
  func poll() throws {
    let harness = try EdgeHarness()
    harness.publish("a", "1")
    let client = try harness.connect(sending: request("/v1/events?topic=a&consumer=c&since=earliest&ack=explicit"))
    #expect(client.answers().first?.body.contains("\"1\"") == true)
    client.send(request("/v1/events?consumer=c"))
    harness.settle()
    let answer = try #require(client.answers().first)
    #expect(answer.body.contains("\"1\""))
    client.send(request("/v1/events?consumer=c"))
    harness.settle()
    #expect(client.answers().first?.body.contains("\"events\":[]") == true)
  }

  @Test("What waits for its socket is not acknowledged")
  func notAhead() throws {
    let harness = try EdgeHarness()
    for _ in 0..<50 { harness.publish("a", String(repeating: "x", count: 1000), settling: false) }
    harness.settle()
    let client = try harness.connect(buffer: 4096)
    client.isStalled = true
    client.send(request("/v1/events?topic=a&consumer=c&since=earliest", eventStream))
    harness.settle()
    harness.pass(.seconds(3))
    #expect(try cursor(harness, "c")[harness.shard(of: "a").id] == .zero)
    client.isStalled = false
    harness.pass(.seconds(3))
    #expect(try cursor(harness, "c")[harness.shard(of: "a").id] == Offset(50))
  }

  @Test("Consumers are listed, shown, acknowledged and deleted")
  func routes() throws {
    let harness = try EdgeHarness()
    for _ in 0..<3 { harness.publish("a", "x") }
    let client = try harness.connect()
    for name in ["one", "two"] { client.send(request("/v1/events?topic=a&consumer=\(name)&ack=explicit&since=earliest")) }
    let position = Position(harness.shard(of: "a").id, Offset(2))
    client.send(post("/v1/consumers/one/ack", "{\"cursor\":\"\(harness.cursor([position]))\"}"))
    client.send(request("/v1/consumers") + request("/v1/consumers/one") + request("/v1/consumers/two", method: "DELETE"))
    client.send(request("/v1/consumers/two") + post("/v1/consumers/one/ack", "{}") + request("/v1/events?topic=b&consumer=one"))
    harness.settle()
    let answers = client.answers()
    #expect(answers.map(\.status) == [200, 200, 200, 200, 200, 204, 404, 400, 409])
    #expect(answers[3].body.all(between: "\"name\":\"", and: "\"") == ["one", "two"])
    #expect(answers[4].body.contains(harness.cursor([position])))
  }
}
