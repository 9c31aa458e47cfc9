import Core
import Feeds
import Testing
import WebSocket

@testable import Edge

@Suite("WebSocket")
struct WebSocketTests {
  private func open(_ harness: EdgeHarness) throws -> TestClient { try harness.connect(sending: TestClient.upgrade) }

  private func events(_ client: TestClient) -> [String] {
    client.messages().filter { $0.contains("\"op\":\"event\"") }.compactMap { $0.text(between: "\"data\":\"", and: "\"") }
  }

  @Test("A client is welcomed, subscribes, and hears what is published, also by itself")
  func subscribe() throws {
    let harness = try EdgeHarness()
    let client = try open(harness)
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"s1\",\"topics\":[\"a/#\"]}")
    harness.settle()
    client.sendFrame("{\"op\":\"publish\",\"ref\":\"p1\",\"topic\":\"a/b\",\"data\":\"hello\"}")
    client.sendFrame("{\"topic\":\"a/c\",\"ref\":7}\nbytes", .binary)
    harness.settle()
    let messages = client.messages()
    #expect(messages[0].contains("\"op\":\"welcome\""))
    #expect(messages[1].contains("\"op\":\"subscribed\",\"id\":\"s1\"") && messages[1].contains("\"resumed\":false"))
    #expect(messages.contains { $0.contains("\"op\":\"published\",\"ref\":\"p1\"") })
    #expect(messages.contains { $0.contains("\"op\":\"published\",\"ref\":7") })
    #expect(events(client).sorted() == ["bytes", "hello"])
  }

  @Test("Operations sent at once are carried out one after another", arguments: 1...5)
  func atOnce(seed: UInt64) throws {
    let harness = try EdgeHarness()
    harness.publish("a", "a0")
    harness.publish("b", "b0")
    harness.delays = SeededGenerator(seed: seed)
    let client = try harness.connect()
    client.send(TestClient.upgrade)
    for name in ["a", "b", "c"] { client.sendFrame("{\"op\":\"subscribe\",\"id\":\"\(name)\",\"topics\":[\"\(name)\"],\"since\":\"earliest\"}") }
    client.sendFrame("{\"op\":\"unsubscribe\",\"id\":\"b\"}")
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"d\",\"topics\":[\"#\"]}")
    harness.settle()
    for name in ["a", "b", "c", "d"] { harness.publish(name, name + "1") }
    let messages = client.messages()
    let answers = messages.compactMap { $0.text(between: "\"op\":\"", and: "\",\"cursor") }.filter { $0.hasPrefix("subscribed") }
    #expect(answers == ["a", "b", "c", "d"].map { "subscribed\",\"id\":\"\($0)" })
    #expect(messages.contains { $0.contains("\"op\":\"unsubscribed\",\"id\":\"b\"") })
    #expect(events(client).sorted() == ["a0", "a1", "b0", "b1", "c1", "d1"])
  }

  @Test("A second subscription brings its history while the first goes on; what both want comes once", arguments: 1...6)
  func secondLeg(seed: UInt64) throws {
    let harness = try EdgeHarness()
    for number in 0..<30 { harness.publish("h/\(number % 5)", "\(number)") }
    let client = try open(harness)
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"live\",\"topics\":[\"h/1\",\"h/2\"]}")
    harness.settle()
    harness.delays = SeededGenerator(seed: seed)
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"all\",\"topics\":[\"h/+\"],\"since\":\"earliest\"}")
    for number in 30..<90 {
      harness.publish("h/\(number % 5)", "\(number)", settling: false)
      harness.turn()
    }
    harness.settle()
    #expect(events(client).compactMap { Int($0) }.sorted() == Array(0..<90))
  }

  @Test("Whoever unsubscribes hears no more of it, and all of the rest")
  func unsubscribe() throws {
    let harness = try EdgeHarness()
    let client = try open(harness)
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"1\",\"topics\":[\"a\"]}")
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"2\",\"topics\":[\"b\"]}")
    harness.settle()
    harness.publish("a", "a1", settling: false)
    client.sendFrame("{\"op\":\"unsubscribe\",\"id\":\"1\"}")
    harness.publish("b", "b1", settling: false)
    harness.settle()
    harness.publish("a", "a2")
    harness.publish("b", "b2")
    let heard = events(client)
    #expect(heard.filter { $0.hasPrefix("b") } == ["b1", "b2"])
    #expect(!heard.contains("a2"))
    client.sendFrame("{\"op\":\"unsubscribe\",\"id\":\"2\"}")
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"2\",\"topics\":[\"a\"],\"since\":\"earliest\"}")
    harness.settle()
    #expect(events(client).suffix(2) == ["a1", "a2"])
  }

  @Test("A subscription goes on from a cursor, and is told of what is gone")
  func cursors() throws {
    let harness = try EdgeHarness()
    let positions = (0..<6).map { harness.publish("a", "\($0)") }
    harness.shard(of: "a").expire(before: Offset(3))
    let client = try open(harness)
    client.sendFrame("{\"op\":\"subscribe\",\"id\":\"s\",\"topics\":[\"a\"],\"cursor\":\"\(harness.cursor([positions[0]]))\"}")
    harness.settle()
    let messages = client.messages()
    #expect(messages.contains { $0.contains("\"resumed\":true") })
    #expect(messages.contains { $0.contains("\"op\":\"gap\",\"id\":\"s\",\"reason\":\"expired\"") })
    #expect(events(client) == ["2", "3", "4", "5"])
  }

  @Test("What is wrong is answered by name, and the connection goes on", arguments: [
    ("{", "bad-json"), ("[]", "bad-message"), ("{}", "bad-message"), ("{\"op\":\"dance\"}", "unknown-op"),
    ("{\"op\":\"subscribe\",\"id\":\"x\"}", "bad-request"), ("{\"op\":\"subscribe\",\"topics\":[\"a\"]}", "bad-request"),
    ("{\"op\":\"subscribe\",\"id\":\"x\",\"topics\":[\"a/#/b\"]}", "bad-request"), ("{\"op\":\"unsubscribe\",\"id\":\"x\"}", "no-such-id"),
    ("{\"op\":\"publish\",\"topic\":\"a/#\",\"data\":1}", "bad-request"), ("{\"op\":\"publish\",\"topic\":\"$a\",\"data\":1}", "forbidden"),
    ("{\"op\":\"ack\"}", "bad-request"),
  ])
  func errors(text: String, code: String) throws {
    let harness = try EdgeHarness()
    let client = try open(harness)
    client.sendFrame(text)
    client.sendFrame("{\"op\":\"ping\",\"ref\":1}")
    harness.settle()
    let messages = client.messages()
    #expect(messages.contains { $0.contains("\"op\":\"error\"") && $0.contains("\"code\":\"\(code)\"") })
    #expect(messages.last == "{\"op\":\"pong\",\"ref\":1}")
  }

  @Test("An id is used once at a time")
  func idInUse() throws {
    let harness = try EdgeHarness()
    let client = try open(harness)
    for _ in 0..<2 { client.sendFrame("{\"op\":\"subscribe\",\"id\":\"x\",\"topics\":[\"a\"]}") }
    harness.settle()
    #expect(client.messages().last?.contains("\"code\":\"id-in-use\"") == true)
  }

  @Test("An idle socket is pinged, whether it follows or not; a close is answered and ends it")
  func heartbeatAndClose() throws {
    let harness = try EdgeHarness()
    let idle = try open(harness)
    let following = try open(harness)
    following.sendFrame("{\"op\":\"subscribe\",\"id\":\"x\",\"topics\":[\"a\"]}")
    harness.settle()
    harness.pass(.seconds(32))
    #expect(idle.messages().filter { $0 == "ping" }.count == 2)
    #expect(following.messages().filter { $0 == "ping" }.count == 2)
    idle.sendFrame("\u{03}\u{e8}", .ping)
    harness.settle()
    #expect(idle.messages().last == "pong")
    idle.sendFrame("", .close)
    harness.settle()
    #expect(idle.messages().last == "close 0")
    #expect(idle.hasEnded)
    following.send([0xff, 0xff])
    harness.settle()
    #expect(following.messages().last == "close 1002")
  }

  @Test("What is no WebSocket is refused, and what the client offers decides")
  func handshake() throws {
    let harness = try EdgeHarness()
    let refusal = try #require(try harness.connect(sending: request("/v1/ws")).answers().first)
    #expect(refusal.status == 426)
    #expect(refusal.body.contains("\"detail\":\"This address speaks WebSocket: send Upgrade: websocket.\""), "a sentence, like every other")
    let other = TestClient.upgrade.dropLast() + "Sec-WebSocket-Protocol: other\r\n\r\n"
    #expect(try harness.connect(sending: String(other)).answers().first?.status == 400)
    let foreign = TestClient.upgrade.dropLast() + "Origin: http://evil.example\r\n\r\n"
    #expect(try harness.connect(sending: String(foreign)).answers().first?.status == 403)
    let offered = TestClient.upgrade.dropLast() + "Sec-WebSocket-Protocol: tidings.v1\r\n\r\n"
    #expect(try harness.connect(sending: String(offered)).take().contains("Sec-WebSocket-Protocol: tidings.v1"))
  }
}
