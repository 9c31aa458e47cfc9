import Core
import Feeds
import Testing

@testable import Edge

@Suite("Limits, time and the end")
struct LimitTests {
  @Test("A head that does not become whole is refused in time, also the second one of a connection")
  func slowHead() throws {
    let harness = try EdgeHarness()
    let client = try harness.connect(sending: "GET /healthz HT")
    harness.pass(.seconds(5))
    client.send("TP/1.1\r\nHost: h\r\n\r\n")
    harness.settle()
    #expect(client.answers().map(\.status) == [200])
    harness.pass(.seconds(4))
    // What began then is long over: this one has its own ten seconds.
    client.send("GET /heal")
    harness.settle()
    harness.pass(.seconds(8))
    #expect(client.answers().isEmpty)
    harness.pass(.seconds(4))
    #expect(client.answers().map(\.status) == [408])
    #expect(client.hasEnded)
  }

  @Test("A body may not pause for long, nor take for ever")
  func slowBody() throws {
    let harness = try EdgeHarness()
    let head = "POST /v1/topics/a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n"
    let pausing = try harness.connect(sending: head)
    let dripping = try harness.connect(sending: head)
    for second in 0..<70 {
      if second == 20 { #expect(pausing.answers().map(\.status) == [408]) }
      if second == 55 { #expect(dripping.answers().isEmpty) }
      if second % 2 == 0, !dripping.hasEnded { dripping.send("x") }
      harness.pass(.seconds(1))
    }
    #expect(dripping.answers().map(\.status) == [408])
    #expect(harness.shard(of: "a").log.isEmpty)
  }

  @Test("A connection without a request is let go, one that waits for an answer is not")
  func idle() throws {
    let harness = try EdgeHarness()
    let silent = try harness.connect()
    let used = try harness.connect(sending: request("/healthz"))
    let waiting = try harness.connect(sending: request("/v1/events?topic=a&wait=60"))
    let stream = try harness.connect(sending: request("/v1/events?topic=a", eventStream))
    harness.pass(.seconds(50))
    waiting.send("")
    harness.pass(.seconds(40))
    #expect(silent.hasEnded && used.hasEnded)
    #expect(waiting.answers().map(\.status) == [204])
    #expect(!waiting.hasEnded && !stream.hasEnded)
  }

  @Test("Past the most connections a client is told to come later")
  func connections() throws {
    let harness = try EdgeHarness { $0.maximumConnections = 2 }
    let first = try harness.connect()
    _ = try harness.connect()
    let third = try harness.connect(sending: request("/v1/cluster"))
    harness.settle()
    #expect(third.answers().first?.status == 503)
    #expect(third.hasEnded)
    first.close()
    harness.settle()
    #expect(try harness.connect(sending: request("/healthz")).answers().map(\.status) == [200])
  }

  @Test("A full node tells how it is, once a connection, and nothing else")
  func reserve() throws {
    let harness = try EdgeHarness { $0.maximumConnections = 1 }
    let only = try harness.connect()
    for path in ["/healthz", "/readyz"] {
      let client = try harness.connect(sending: request(path) + request(path))
      let answers = client.answers()
      #expect(answers.map(\.status) == [200] && answers[0]["Connection"] == "close" && client.hasEnded, "\(path)")
    }
    let publisher = try harness.connect(sending: post("/v1/topics/a", "x"))
    #expect(publisher.answers().map(\.status) == [503] && publisher.hasEnded)
    #expect(harness.shard(of: "a").log.isEmpty)
    // Whoever says nothing, or never comes to the end, has its place for a moment only.
    let silent = try harness.connect()
    let slow = try harness.connect(sending: "GET /heal")
    harness.pass(.seconds(1))
    slow.send("t")
    harness.pass(.milliseconds(1500))
    #expect(silent.answers().map(\.status) == [503] && slow.answers().map(\.status) == [503])
    #expect(silent.hasEnded && slow.hasEnded)
    // The reserve has an end too, and is given back.
    for _ in 0..<2 {
      let many = try (0...ConnectionBudget.reserve).map { _ in try harness.connect() }
      harness.settle()
      #expect(many.count { $0.hasEnded } == 1)
      harness.pass(.seconds(5))
      #expect(many.count { $0.hasEnded } == many.count)
    }
    #expect(try harness.connect(sending: request("/healthz")).answers().map(\.status) == [200])
    only.close()
    harness.pass(.seconds(5))
    let regular = try harness.connect(sending: request("/v1/topics/a"))
    #expect(regular.answers().first?.status != 503 && !regular.hasEnded)
  }

  @Test("What is too large is refused", arguments: [
    ("POST /v1/topics/a HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n", 413),
    ("GET /healthz HTTP/1.1\r\nHost: h\r\nX: " + String(repeating: "x", count: 20_000) + "\r\n\r\n", 431),
  ])
  func tooLarge(text: String, status: Int) throws {
    let harness = try EdgeHarness()
    #expect(try harness.connect(sending: text).answers().map(\.status) == [status])
  }

  @Test("Draining tells every client in its own words to come back elsewhere, and loses nothing that was answered")
  func drain() throws {
    let harness = try EdgeHarness()
    let idle = try harness.connect(sending: request("/healthz"))
    let pooled = try harness.connect(sending: request("/healthz"))
    let upload = try harness.connect(sending: "POST /v1/topics/c HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhal")
    let stream = try harness.connect(sending: request("/v1/events?topic=a", eventStream))
    let socket = try harness.connect(sending: TestClient.upgrade)
    socket.sendFrame("{\"op\":\"subscribe\",\"id\":\"1\",\"topics\":[\"a\"]}")
    let poll = try harness.connect(sending: request("/v1/events?topic=a&wait=60"))
    let slow = try harness.connect(buffer: 4096)
    slow.isStalled = true
    slow.send(request("/tidings.js"))
    harness.settle()
    _ = (idle.answers(), pooled.answers(), stream.take())
    harness.delays = SeededGenerator(seed: 1)
    let publisher = try harness.connect()
    publisher.send(post("/v1/topics/b", "x"))
    harness.turn()
    harness.edge.drain(over: .seconds(4))
    harness.settle()
    let late = try harness.connect(sending: request("/v1/events?topic=a", eventStream))
    #expect(late.answers().map(\.status) == [503])
    // A proxy that has not noticed sends one more request over a connection that it keeps.
    harness.pass(.seconds(1))
    pooled.send(post("/v1/topics/c", "x"))
    harness.settle()
    let last = try #require(pooled.answers().first)
    #expect(last.status == 200 && last["Connection"] == "close" && pooled.hasEnded && !idle.hasEnded)
    harness.pass(.seconds(4))
    upload.send("f!")
    harness.settle()
    #expect(idle.hasEnded && upload.answers().map(\.status) == [200] && upload.hasEnded)
    #expect(stream.hasEnded && stream.take().contains("retry: "))
    #expect(socket.messages().contains { $0.contains("\"op\":\"drain\",\"reconnectAfter\":") } && socket.messages().last == "close 1001")
    let answer = try #require(poll.answers().first)
    #expect(answer.status == 204 && answer["Retry-After"] != nil && answer["Tidings-Cursor"] != nil)
    #expect(publisher.answers().map(\.status) == [200])
    #expect(publisher.hasEnded && poll.hasEnded)
    slow.isStalled = false
    harness.settle()
    #expect(slow.answers().first?.status == 200)
    harness.pass(.seconds(15))
    for client in [idle, pooled, upload, stream, socket, poll, publisher, slow, late] { client.close() }
    harness.settle()
    #expect(harness.edge.connectionCount == 0)
  }

  @Test("Whoever follows the status hears that the connection lives, though nothing changes")
  func statusHeartbeat() throws {
    let harness = try EdgeHarness()
    let client = try harness.connect(sending: request("/v1/cluster/events", eventStream))
    _ = client.take()
    harness.pass(.seconds(33))
    #expect(client.take().times(of: ":\n\n") == 2)
  }

  @Test("What expired on its way to the edge is not delivered, and what follows it is")
  func expired() throws {
    let harness = try EdgeHarness(shards: 1)
    let stream = try harness.connect(sending: request("/v1/events?topic=x", eventStream))
    for (payload, lifetime) in [("short", 1000), ("long", 60_000)] as [(String, UInt32)] {
      let batch = PublishBatch(edge: EdgeID(99))
      var draft = RecordDraft()
      draft.flags = .text
      draft.timeToLiveMilliseconds = lifetime
      draft.encode(topic: "x", payload: Array(payload.utf8), into: &batch.records)
      batch.entries.append(PublishEntry(ticket: Ticket(0), length: batch.records.count, wantsAnswer: false))
      harness.shards[0].publish(batch, at: harness.loop.wallTime)
    }
    harness.loop.move(by: .seconds(2))
    harness.settle()
    #expect(stream.events().map(\.data) == ["long"])
  }

  @Test("The limit of connections holds for all reactors together, not for a part of it each")
  func sharedLimit() throws {
    let budget = ConnectionBudget(limit: 3)
    let first = try EdgeHarness { $0.connectionBudget = budget }
    let second = try EdgeHarness { $0.connectionBudget = budget }
    let clients = try [first, first, first].map { try $0.connect(sending: request("/healthz")) }
    #expect(clients.allSatisfy { $0.answers().map(\.status) == [200] })
    let refused = try second.connect(sending: request("/"))
    second.settle()
    #expect(refused.answers().map(\.status) == [503])
    clients[0].close()
    first.settle()
    #expect(try second.connect(sending: request("/healthz")).answers().map(\.status) == [200])
  }
}

extension String {
  /// How often `part` is in it.
  fileprivate func times(of part: String) -> Int {
    indices.count { self[$0...].hasPrefix(part) }
  }
}
