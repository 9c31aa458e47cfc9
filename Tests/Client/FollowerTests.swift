import Client
import Core
import Glibc
import Testing

@Suite("Following")
struct FollowerTests {
  private static let first = "v1~0123456789ab~0.1"
  private static let second = "v1~0123456789ab~0.2"
  private static let third = "v1~0123456789ab~0.3"

  private static func event(_ cursor: String, _ data: String) -> String {
    "id: \(cursor)\ndata: {\"topic\":\"t\",\"data\":\(data)}\n\n"
  }

  private struct Outcome {
    var output: String
    var cursor: String
    var notices: [String]
    var failure: ClientFailure?
  }

  private func follow(
    _ server: ScriptedServer, _ request: FollowRequest, limit: Int, style: EventPrinter.Style = .payload, kept: String? = nil
  ) throws -> Outcome {
    let folder = TemporaryFolder()
    let output = folder.open("output")
    defer { close(output) }
    let file = CursorFile(path: folder.path + "/cursor")
    if let kept { try file.write(kept) }
    var notices: [String] = []
    let printer = EventPrinter(style: style, output: output) { notices.append($0) }
    let follower = Follower(
      server: ServerURL(host: "127.0.0.1", port: server.port), request: request, cursorFile: file, limit: limit, sink: printer, seed: 7)
    var failure: ClientFailure?
    do throws(ClientFailure) { try follower.run() } catch { failure = error }
    return Outcome(output: folder.text("output"), cursor: folder.text("cursor"), notices: notices, failure: failure)
  }

  @Test("a stream that breaks in the middle of an event is resumed after the last whole one")
  func resumes() throws {
    let server = ScriptedServer([
      [ScriptedServer.stream("retry: 1\n\nid: v1~0123456789ab~0.0\n\n" + Self.event(Self.first, "\"one\"") + Self.event(Self.second, "{\"n\":2}") + "id: \(Self.third)\ndata: {\"topic\":")],
      [ScriptedServer.stream(Self.event(Self.third, "\"three\"") + Self.event("v1~0123456789ab~0.4", "\"four\""))],
    ])
    let outcome = try follow(server, FollowRequest(filters: ["a/#", "b c"], start: .earliest, retained: true), limit: 3)
    #expect(outcome.failure == nil)
    #expect(outcome.output == "one\n{\"n\":2}\nthree\n")
    #expect(outcome.cursor == Self.third + "\n")
    #expect(outcome.notices == ["the node ended the stream; trying again"])
    let targets = server.requests.map { $0.prefix { $0 != "\r\n" } }
    #expect(
      targets == [
        "GET /v1/events?topic=a%2F%23&topic=b%20c&format=json&since=earliest&retained=true HTTP/1.1",
        "GET /v1/events?topic=a%2F%23&topic=b%20c&format=json&cursor=\(Self.second) HTTP/1.1",
      ])
  }

  @Test("the cursor that an id without data gave is kept, before any event")
  func startingCursor() throws {
    let server = ScriptedServer([
      [ScriptedServer.stream("retry: 1\n\nid: \(Self.first)\n\n")],
      [ScriptedServer.stream(Self.event(Self.second, "\"x\""))],
    ])
    let outcome = try follow(server, FollowRequest(filters: ["t"]), limit: 1)
    #expect(outcome.output == "x\n")
    #expect(server.requests.last?.contains("cursor=\(Self.first) ") == true)
  }

  @Test("a kept cursor takes the place of the start, but a consumer's place is the node's to know")
  func keptCursor() throws {
    let server = ScriptedServer([[ScriptedServer.stream(Self.event(Self.third, "3"))]])
    let outcome = try follow(server, FollowRequest(filters: ["t"], start: .last(5)), limit: 1, kept: Self.second)
    #expect(outcome.cursor == Self.third + "\n")
    #expect(server.requests.first?.contains("cursor=\(Self.second)") == true)
    #expect(server.requests.first?.contains("last=") == false)
    #expect(
      FollowRequest(filters: ["t"], start: .consumer("c 1", since: nil)).target(resumingAt: Self.first)
        == "/v1/events?topic=t&format=json&consumer=c%201")
    #expect(
      FollowRequest(filters: ["t"], start: .consumer("c", since: "earliest")).target(resumingAt: nil) == "/v1/events?topic=t&format=json&consumer=c&since=earliest")
  }

  @Test("a gap is told in words, and in the output when that is JSON")
  func gap() throws {
    let gap = "event: tidings.gap\ndata: {\"reason\":\"expired\",\"skipped\":12}\n\n"
    let server = ScriptedServer([[ScriptedServer.stream(gap + Self.event(Self.first, "1"))]])
    let outcome = try follow(server, FollowRequest(filters: ["t"]), limit: 1, style: .json)
    #expect(outcome.output == "{\"gap\":{\"reason\":\"expired\",\"skipped\":12}}\n{\"topic\":\"t\",\"data\":1}\n")
    #expect(outcome.notices == ["gap: 12 events had expired before they were read"])
  }

  @Test("a refusal that waiting cannot cure ends it, one that it can does not")
  func refusals() throws {
    let problem = #"{"title":"Bad filter","status":400,"detail":"'#' must be last"}"#
    let refused = ScriptedServer([[ScriptedServer.answer(problem, status: "400 Bad Request", type: "application/problem+json")]])
    let outcome = try follow(refused, FollowRequest(filters: ["#/a"]), limit: 1)
    #expect(outcome.failure == .refused(Problem(status: 400, title: "Bad filter", detail: "'#' must be last")))

    let busy = ScriptedServer([
      [ScriptedServer.answer(#"{"title":"Starting"}"#, status: "503 Service Unavailable")], [ScriptedServer.stream(Self.event(Self.first, "true"))],
    ])
    let later = try follow(busy, FollowRequest(filters: ["t"]), limit: 1)
    #expect(later.failure == nil)
    #expect(later.output == "true\n")
    #expect(later.notices == ["the node answered 503: Starting; trying again"])
  }

  @Test("an answer that is no event stream is no Tidings node")
  func notAStream() throws {
    let server = ScriptedServer([[ScriptedServer.answer("<html>", type: "text/html")]])
    let outcome = try follow(server, FollowRequest(filters: ["t"]), limit: 1)
    #expect(outcome.failure == .malformedAnswer("“text/html” is not an event stream"))
    #expect(outcome.failure?.hint == "is it a Tidings node that listens there?")
  }

  @Test("payloads are printed as they were published")
  func payloads() throws {
    let events = [#""caf\u00e9 \"x\"""#, "[1,{\"a\":null}]", "null"].enumerated().map { Self.event("v1~0123456789ab~0.\($0.offset + 1)", $0.element) }
    let binary = "id: \(Self.third)\ndata: {\"data_base64\":\"AP8B\",\"topic\":\"t\"}\n\ndata: {\"topic\":\"t\"}\n\n"
      + "data: {\"data\":\"s\",\"datacontenttype\":\"application/json\"}\n\n"
    let server = ScriptedServer([[ScriptedServer.stream(events.joined() + binary)]])
    let folder = TemporaryFolder()
    let output = folder.open("output")
    defer { close(output) }
    let printer = EventPrinter(style: .payload, output: output) { _ in }
    let address = ServerURL(host: "127.0.0.1", port: server.port)
    try Follower(server: address, request: FollowRequest(filters: ["t"]), limit: 6, sink: printer, seed: 1).run()
    var printed = [UInt8](repeating: 0, count: 100)
    let count = pread(output, &printed, 100, 0)
    #expect(Array(printed[..<count]) == Array("café \"x\"\n[1,{\"a\":null}]\nnull\n".utf8) + [0, 255, 1, 10, 10] + Array("\"s\"\n".utf8))
  }

  @Test("a cursor file is written whole and read back; what is no cursor is refused")
  func cursorFile() throws {
    let folder = TemporaryFolder()
    let file = CursorFile(path: folder.path + "/cursor")
    #expect(try file.read() == nil)
    try file.write(Self.first)
    try file.write(Self.second)
    #expect(try file.read() == Self.second)
    #expect(folder.text("cursor.new") == "")
    close(folder.open("cursor", "what is this\n"))
    #expect(throws: ClientFailure.self) { try file.read() }
    close(folder.open("cursor", "\n"))
    #expect(try file.read() == nil)
    #expect(throws: ClientFailure.self) { try CursorFile(path: folder.path + "/missing/cursor").write(Self.first) }
  }

  @Test("waits double to a ceiling, with full jitter, and never undercut what the node asked for")
  func backoff() {
    var generator = SeededGenerator(seed: 42)
    var backoff = Backoff(base: .milliseconds(100))
    var longest: [Int] = Array(repeating: 0, count: 12)
    for _ in 0..<400 {
      backoff.reset()
      for attempt in longest.indices {
        let wait = backoff.next(using: &generator)
        #expect(wait >= .zero)
        longest[attempt] = max(longest[attempt], wait.milliseconds)
      }
    }
    for (attempt, wait) in longest.enumerated() {
      let limit = min(100 << attempt, Backoff.ceiling.milliseconds)
      #expect(wait <= limit)
      #expect(wait > limit * 9 / 10)
    }
    let asked = backoff.next(atLeast: .seconds(3), using: &generator)
    #expect(asked >= .seconds(3))
  }
}
