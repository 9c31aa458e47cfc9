import Core
import Feeds
import HTTP
import Testing

@testable import Edge

@Suite("Requests and answers")
struct RequestTests {
  @Test("A publish is answered with where it stands")
  func publish() throws {
    let harness = try EdgeHarness()
    let client = try harness.connect(sending: post("/v1/topics/orders/42", "hello", "Content-Type: text/plain"))
    let answer = try #require(client.answers().first)
    #expect(answer.status == 200)
    let shard = harness.shard(of: "orders/42")
    #expect(answer.body.contains("\"topic\":\"orders/42\""))
    #expect(answer.body.contains("\"position\":\"\(shard.id).1\""))
    #expect(answer.body.contains("\"duplicate\":false"))
    #expect(shard.log[0].view.payload.elementsEqual("hello".utf8))
  }

  @Test("Pipelined requests are answered in order, even when shards answer out of order")
  func pipelined() throws {
    let harness = try EdgeHarness()
    harness.delays = SeededGenerator(seed: 11)
    let client = try harness.connect()
    var text = ""
    for number in 0..<100 {
      text += number % 7 == 0 ? request("/healthz") : post("/v1/topics/t\(number)", "x")
    }
    client.send(text)
    harness.settle()
    let answers = client.answers()
    #expect(answers.count == 100)
    for (number, answer) in answers.enumerated() {
      #expect(answer.body.contains(number % 7 == 0 ? "alive" : "\"topic\":\"t\(number)\""))
    }
  }

  @Test("More pipelined requests than may be under way are all answered")
  func manyPipelined() throws {
    let harness = try EdgeHarness()
    let client = try harness.connect()
    client.send(String(repeating: post("/v1/topics/a", "x"), count: 1000))
    harness.settle()
    #expect(client.answers().count == 1000)
  }

  @Test("Answers that pile up hold requests back, and their leaving lets them go on")
  func pipelinedPages() throws {
    let harness = try EdgeHarness()
    let client = try harness.connect()
    client.isStalled = true
    client.send(String(repeating: request("/tidings.js"), count: 400))
    harness.settle()
    #expect(harness.edge.report().queuedBytes < 2 << 20)
    client.isStalled = false
    harness.settle()
    let answers = client.answers()
    #expect(answers.count == 400)
    #expect(answers.allSatisfy { $0.status == 200 && $0.body.contains("export") })
  }

  @Test("A read waits for the publishes before it and sees them")
  func readBehindPublish() throws {
    let harness = try EdgeHarness()
    let text = post("/v1/topics/a", "one") + post("/v1/topics/a", "two") + request("/v1/events?topic=a&since=earliest") + request("/healthz")
    let answers = try harness.connect(sending: text).answers()
    #expect(answers.map(\.status) == [200, 200, 200, 200])
    #expect(answers[2].body.contains("\"one\"") && answers[2].body.contains("\"two\""))
  }

  @Test("Nothing behind a request that ends the connection is carried out")
  func behindClose() throws {
    let harness = try EdgeHarness()
    harness.delays = SeededGenerator(seed: 3)
    let text = post("/v1/topics/a", "one") + post("/v1/topics/b", "two", "Connection: close") + post("/v1/topics/a", "three")
    let client = try harness.connect(sending: text)
    #expect(client.answers().count == 2)
    #expect(client.hasEnded)
    #expect(harness.shard(of: "a").log.allSatisfy { !$0.view.payload.elementsEqual("three".utf8) })
  }

  @Test("A broken request is answered once, behind the answers before it, and the connection ends")
  func broken() throws {
    let harness = try EdgeHarness()
    harness.delays = SeededGenerator(seed: 5)
    let client = try harness.connect(sending: post("/v1/topics/a", "one") + "GET  / HTTP/1.1\r\n\r\n")
    client.send("more of the same\r\n\r\n")
    harness.settle()
    let answers = client.answers()
    #expect(answers.map(\.status) == [200, 400])
    #expect(answers.last?["Content-Type"] == "application/problem+json")
    #expect(client.hasEnded)
  }

  @Test("HEAD is answered like GET, without the body")
  func head() throws {
    let harness = try EdgeHarness()
    harness.publish("a", "value", retain: true)
    let text = request("/healthz", method: "HEAD") + request("/v1/topics/a", method: "HEAD") + request("/v1/topics/a")
    let client = try harness.connect(sending: text)
    let answers = client.answers(to: [.head, .head, .get])
    #expect(answers.map(\.status) == [200, 200, 200])
    #expect(answers.map(\.body) == ["", "", "value"])
    #expect(answers[1]["Content-Length"] == "5")
  }

  @Test("A current value comes as it was published, with an ETag that makes the next one 304")
  func currentValue() throws {
    let harness = try EdgeHarness()
    let client = try harness.connect(sending: post("/v1/topics/a", "{\"x\":1}", method: "PUT", "Content-Type: application/json", "Tidings-Event: set"))
    _ = client.answers()
    client.send(request("/v1/topics/a"))
    harness.settle()
    let value = try #require(client.answers().first)
    #expect(value.body == "{\"x\":1}")
    #expect(value["Content-Type"] == "application/json")
    #expect(value["Tidings-Event"] == "set")
    let tag = try #require(value["ETag"])
    client.send(request("/v1/topics/a", "If-None-Match: \(tag)") + request("/v1/topics/none") + request("/v1/topics/a", method: "DELETE"))
    client.send(request("/v1/topics/a"))
    harness.settle()
    #expect(client.answers().map(\.status) == [304, 404, 200, 404])
  }

  @Test("What cannot be served is a problem document that says what to do", arguments: [
    ("GET", "/nowhere", 404), ("PATCH", "/v1/topics/a", 405), ("GET", "/v1/events", 400), ("GET", "/v1/events?topic=a/%23/b", 400),
    ("GET", "/v1/events?topic=a&curser=x", 400), ("GET", "/v1/events?topic=a&cursor=nonsense", 400), ("GET", "/v1/history?topic=%23", 400),
    ("GET", "/v1/consumers/none", 404), ("GET", "/v1/topics/%ff", 400), ("GET", "/v1/topics/%23", 400),
  ])
  func problems(method: String, target: String, status: Int) throws {
    let harness = try EdgeHarness()
    let client = try harness.connect(sending: request(target, method: method))
    let answer = try #require(client.answers().first)
    #expect(answer.status == status)
    #expect(answer["Content-Type"] == "application/problem+json")
    #expect(answer.body.contains("\"status\":\(status)") && answer.body.contains("\"detail\":\""))
  }

  @Test("What a shard refuses is told with its own status")
  func refusals() throws {
    let expected: [(Refusal, Int)] = [
      (.diskFull, 507), (.journalFailed("why"), 503), (.overloaded, 503), (.damaged("there"), 500), (.headMoved(Offset(3)), 412),
    ]
    for (refusal, status) in expected {
      let harness = try EdgeHarness()
      for shard in harness.shards { shard.refusal = refusal }
      let answers = try harness.connect(sending: post("/v1/topics/a", "x") + request("/v1/events?topic=a&since=earliest")).answers()
      #expect(answers.map(\.status) == [status, status])
    }
  }

  @Test("Preflights and origins are answered by the rules for origins")
  func origins() throws {
    let harness = try EdgeHarness()
    let preflight = request("/v1/topics/a", method: "OPTIONS", "Origin: http://localhost:3000", "Access-Control-Request-Method: POST")
    let client = try harness.connect(sending: preflight + request("/healthz", "Origin: http://evil.example") + request("/healthz", "Origin: http://h"))
    let answers = client.answers(to: [.options, .get, .get])
    #expect(answers.map(\.status) == [204, 403, 200])
    #expect(answers[0]["Access-Control-Allow-Origin"] == "http://localhost:3000")
    #expect(answers[0]["Access-Control-Allow-Methods"]?.contains("POST") == true)
    #expect(answers[2]["Access-Control-Allow-Origin"] == "http://h")
    client.send(request("/v1/events", method: "OPTIONS"))
    harness.settle()
    #expect(client.answers().first?["Allow"]?.contains("QUERY") == true)
  }

  @Test("A client that asked to be told to go on is told so")
  func goOn() throws {
    let harness = try EdgeHarness()
    let client = try harness.connect()
    client.send("POST /v1/topics/a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    harness.settle()
    #expect(client.take().hasPrefix("HTTP/1.1 100 "))
    client.send("abc")
    harness.settle()
    #expect(client.answers().map(\.status) == [200])
  }

  @Test("The status asked for first of all is answered to who asked")
  func statusFirst() throws {
    let harness = try EdgeHarness()
    let client = try harness.connect(sending: request("/v1/cluster"))
    #expect(harness.pages.asked.first?.ticket != Ticket(0))
    harness.pages.answerAll("{\"ok\":true}")
    harness.settle()
    #expect(client.answers().first?.body == "{\"ok\":true}")
  }

  @Test("What is wanted of a node reaches the cluster, and its answer whoever wanted it")
  func wishes() throws {
    let harness = try EdgeHarness()
    let client = try harness.connect()
    func post(_ path: String) -> (status: Int, body: String)? {
      client.send("POST \(path) HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
      harness.settle()
      return client.answers().last.map { ($0.status, $0.body) }
    }
    #expect(post("/v1/cluster/nodes/broker%201/drain")?.status == 202)
    #expect(post("/v1/cluster/nodes/a/leave")?.status == 202)
    #expect(harness.pages.wishes == ["drain broker 1", "leave a"])
    let refusals: [(NodeWishAnswer, Int)] = [(.unknown("who?"), 404), (.conflict("no"), 409), (.unavailable("later"), 503)]
    for (answer, status) in refusals {
      harness.pages.wishAnswer = answer
      #expect(post("/v1/cluster/nodes/a/resume")?.status == status)
    }
    #expect(post("/v1/cluster/nodes/a/explode")?.status == 404)
    #expect(post("/v1/cluster/nodes//drain")?.status == 404)
    client.send(request("/v1/cluster/nodes/a/drain"))
    harness.settle()
    #expect(client.answers().last?.status == 405)
  }

  @Test("A client that only finished sending gets what it is owed, and then the end")
  func halfClose() throws {
    let harness = try EdgeHarness()
    harness.delays = SeededGenerator(seed: 9)
    let client = try harness.connect()
    client.send(post("/v1/topics/a", "x") + request("/v1/events?topic=a&since=earliest"))
    client.finishSending()
    harness.settle()
    #expect(client.answers().map(\.status) == [200, 200])
    #expect(client.hasEnded)
    #expect(harness.edge.connectionCount == 0)
  }

  @Test("A client that is gone with its last bytes leaves nothing behind")
  func goneAtOnce() throws {
    let harness = try EdgeHarness()
    let client = try harness.connect()
    client.send(request("/v1/events?topic=a", eventStream))
    client.close()
    harness.settle()
    #expect(harness.edge.connectionCount == 0)
    #expect(harness.loop.watchedCount == 0)
  }
}
