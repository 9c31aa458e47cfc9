@testable import Client
import Core
import Foundation
import Glibc
import HTTP
import JSON
import Testing

@Suite("Publishing")
struct PublishTests {
  private func client(_ server: ScriptedServer) -> HTTPClient {
    HTTPClient(server: ServerURL(host: "127.0.0.1", port: server.port), token: "secret")
  }

  @Test("one message is one request with its headers, and connections are kept until the node closes them")
  func single() throws {
    let receipt = ScriptedServer.answer(#"{"topic":"a/b c","cursor":"v1~0123456789ab~0.1"}"#)
    let last = ScriptedServer.answer("{\"position\":\"0.1\"}", extra: "Connection: close\r\n")
    let server = ScriptedServer([[receipt, last], [receipt]])
    let publisher = Publisher(client: client(server))
    var options = PublishOptions(topic: "a/b c")
    #expect(try publisher.publish(Bytes("hello"), options).status == 200)
    options.retain = true
    options.eventType = "greeting"
    options.timeToLive = "30s"
    options.idempotencyKey = "k1"
    options.ifMatch = "0.1"
    options.isAcknowledged = false
    options.contentType = "application/json"
    #expect(try publisher.publish(Bytes("{}"), options).body.text.contains("0.1"))
    #expect(try publisher.clear(topic: "x").isSuccess)
    let requests = server.requests
    #expect(requests[0].hasPrefix("POST /v1/topics/a/b%20c HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\nAuthorization: Bearer secret\r\n"))
    #expect(requests[0].contains("Content-Type: text/plain; charset=utf-8\r\n"))
    #expect(requests[0].hasSuffix("Content-Length: 5\r\n\r\nhello"))
    for line in ["PUT /v1/topics/a/b%20c ", "Tidings-Event: greeting\r\n", "Tidings-TTL: 30s\r\n", "Idempotency-Key: k1\r\n", "If-Match: 0.1\r\n", "Tidings-Ack: none\r\n"] {
      #expect(requests[1].contains(line), "\(line)")
    }
    #expect(requests[2].hasPrefix("DELETE /v1/topics/x HTTP/1.1\r\n"))
  }

  @Test("a refusal carries what the node said")
  func refusal() throws {
    let problem = #"{"type":"about:blank","title":"Too large","status":413,"detail":"at most 1MiB"}"#
    let server = ScriptedServer([[ScriptedServer.answer(problem, status: "413 Content Too Large", type: "application/problem+json", extra: "Retry-After: 7\r\n")]])
    let expected = Problem(status: 413, title: "Too large", detail: "at most 1MiB", retryAfter: .seconds(7))
    #expect(throws: ClientFailure.refused(expected)) { try Publisher(client: client(server)).publish(Bytes("x"), PublishOptions(topic: "t")) }
    #expect(expected.description == "the node answered 413, Too large: at most 1MiB")
  }

  @Test("answers in chunks, after interim answers, or until the end of the connection are read whole")
  func framings() throws {
    let server = ScriptedServer([
      [
        "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nuntil the end",
      ],
      ["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"], ["nonsense\r\n\r\n"],
    ])
    let client = client(server)
    let request = ClientRequest(.get, "/")
    #expect(try client.perform(request).body.text == "abcde")
    #expect(try client.perform(request).status == 204)
    #expect(try client.perform(request).body.text == "until the end")
    #expect(throws: ClientFailure.disconnected) { try client.perform(request) }
    #expect {
      try client.perform(request)
    } throws: {
      if case ClientFailure.malformedAnswer = $0 { true } else { false }
    }
  }

  @Test("a question is asked anew when the kept connection turns out to be closed")
  func staleConnection() throws {
    let answer = ScriptedServer.answer("{}")
    for _ in 0..<20 {
      let client = client(ScriptedServer([[answer], [answer], [answer]]))
      for _ in 0..<3 { #expect(try client.perform(ClientRequest(.get, "/v1/cluster")).status == 200) }
    }
  }

  @Test("nobody listening is said with a hint")
  func unreachable() throws {
    let silent = SilentPort()
    let client = HTTPClient(server: ServerURL(host: "127.0.0.1", port: silent.port))
    var failure: ClientFailure?
    do throws(ClientFailure) { _ = try client.perform(ClientRequest(.get, "/")) } catch { failure = error }
    #expect(failure?.description == "cannot reach 127.0.0.1:\(silent.port): Connection refused")
    #expect(failure?.hint?.contains("tidings serve") == true)
    #expect(failure?.isTransient == true)
  }

  @Test("lines become one batch in order, and failures are named by their line")
  func lines() throws {
    let folder = TemporaryFolder()
    let input = folder.open("input", "one\n\nthr\"ee\nlast without an end")
    defer { close(input) }
    let server = ScriptedServer([[ScriptedServer.answer(#"{"results":[{"position":"0.1"},{},{"error":{"status":429,"detail":"too fast"}}]}"#), ScriptedServer.answer("[{}]")]])
    var failures: [LinePublisher.Failure] = []
    let publisher = LinePublisher(client: client(server), options: PublishOptions(topic: "t"), input: input, keyPrefix: "r", seed: 1) { failures.append($0) }
    let summary = try publisher.run()
    #expect(summary == LinePublisher.Summary(published: 3, failed: 1))
    #expect(failures == [LinePublisher.Failure(line: 3, reason: "too fast")])
    let bodies = server.requests.map { $0.components(separatedBy: "\r\n\r\n").last }
    let start = #"{"topic":"t","datacontenttype":"text/plain; charset=utf-8","key":"r-"#
    #expect(
      bodies == [
        start + "1\",\"data\":\"one\"}\n" + start + "2\",\"data\":\"\"}\n" + start + #"3","data":"thr\"ee"}"# + "\n",
        start + "4\",\"data\":\"last without an end\"}\n",
      ])
    #expect(server.requests.first?.contains("Content-Type: application/x-ndjson\r\n") == true)
  }

  @Test("with keys a batch whose fate is unknown is sent again, unchanged; without, that is said")
  func repeated() throws {
    let folder = TemporaryFolder()
    let success = ScriptedServer.answer(#"[{"position":"0.1"}]"#)
    let server = ScriptedServer([[""], [ScriptedServer.answer("{}", status: "503 Service Unavailable")], [success]])
    let input = folder.open("input", "a\n")
    defer { close(input) }
    let keyed = LinePublisher(client: client(server), options: PublishOptions(topic: "t"), input: input, keyPrefix: "r", seed: 1) { _ in }
    #expect(try keyed.run() == LinePublisher.Summary(published: 1, failed: 0))
    #expect(server.requests.count == 3)
    #expect(Set(server.requests).count == 1)

    lseek(input, 0, SEEK_SET)
    var failures: [LinePublisher.Failure] = []
    let bare = LinePublisher(client: client(ScriptedServer([[""]])), options: PublishOptions(topic: "t"), input: input, seed: 1) { failures.append($0) }
    #expect(throws: ClientFailure.disconnected) { try bare.run() }
    #expect(failures == [LinePublisher.Failure(line: 1, reason: "the node closed the connection; it may have been published")])
  }

  @Test("a batch takes lines until it is full, and says when one is not what it should be")
  func batches() {
    var options = PublishOptions(topic: "t")
    options.contentType = "application/json"
    options.eventType = "e"
    var batch = LineBatch(options, keyPrefix: nil)
    func add(_ text: String) -> LineBatch.Addition { Bytes(text).withUnsafeBytes { batch.add($0, number: 1) } }
    #expect(add("{\"a\": [1,\t2]}") == .added)
    #expect(add("{oops}") == .unfit("not JSON at column 2: expected a member name in quotes or '}'"))
    #expect(options.complaint(about: Bytes("{\"a\": 1}").bytes) == nil)
    #expect(options.complaint(about: Bytes("[1,\n 2,,]").bytes)?.hasPrefix("not JSON at line 2, column 4: ") == true)
    #expect(PublishOptions(topic: "t").complaint(about: Bytes("{oops}").bytes) == nil)
    let encoded = Bytes(copying: batch.body.bytes).text
    #expect(encoded == #"{"topic":"t","type":"e","datacontenttype":"application/json","data":{"a": [1,2]}}"# + "\n")
    #expect(add(" \"text\"") == .added)
    #expect(Bytes(copying: batch.body.bytes).text.hasSuffix("\"data_base64\":\"ICJ0ZXh0Ig==\"}\n"))
    let large = "[\"" + String(repeating: "x", count: LineBatch.maximumBytes) + "\"]"
    #expect(add(large) == .full)
    batch.removeAll()
    #expect(add(large) == .added)
    batch.removeAll()
    for _ in 0..<LineBatch.maximumLines { _ = add("1") }
    #expect(add("1") == .full)
    #expect(batch.numbers.count == LineBatch.maximumLines)
  }

  @Test("bytes that are not text travel as base64")
  func binaryLine() {
    var batch = LineBatch(PublishOptions(topic: "t"), keyPrefix: nil)
    let added = Bytes([0xFF, 0x00, 0x01]).withUnsafeBytes { batch.add($0, number: 1) }
    #expect(added == .added)
    let encoded = Bytes(copying: batch.body.bytes).text
    #expect(encoded.contains(#""data_base64":"/wAB""#))
  }

  @Test("an answer that does not account for every message is not believed")
  func answers() throws {
    func failures(_ body: String, _ count: Int, status: Int = 200) throws -> [String] {
      let answer = ClientAnswer(status: status, contentType: "", retryAfter: nil, body: Bytes(body))
      return try BatchAnswer(answer, expecting: count).failures.map { "\($0.index) \($0.reason)" }
    }
    #expect(try failures("[{},{}]", 2).isEmpty)
    #expect(try failures(#"[{"status":200},{"status":400,"title":"Bad topic"},{"error":"no"}]"#, 3, status: 207) == ["1 Bad topic", "2 no"])
    #expect(throws: ClientFailure.malformedAnswer("1 results for 2 messages")) { try failures("[{}]", 2) }
    #expect(throws: ClientFailure.malformedAnswer("it has no results")) { try failures("{}", 2) }
    #expect(throws: ClientFailure.refused(Problem(status: 413, title: "Too large", detail: ""))) { try failures(#"{"title":"Too large"}"#, 2, status: 413) }
  }
}
