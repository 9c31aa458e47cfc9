import Core
import Glibc
import JSON
import Testing

@testable import Node

@Suite("Log lines")
struct LogLineTests {
  func line(
    _ format: LogFormat, level: LogLevel = .info, event: String = "started", _ sentence: String? = nil,
    _ fields: [(String, LogValue)] = []
  ) -> String {
    var buffer = ByteBuffer()
    let time = WallTime(milliseconds: 1_700_000_000_123)
    LogLine(time: time, level: level, event: event, sentence: sentence, fields: fields.map { (name: $0.0, value: $0.1) }).write(
      as: format, into: &buffer)
    return buffer.freeze().text
  }

  @Test("text is for people: time, level, event, sentence, fields")
  func text() {
    let fields: [(String, LogValue)] = [
      ("address", "127.0.0.1:80"), ("count", 3), ("took", .span(.milliseconds(1500))), ("why", "no room"), ("ok", true),
    ]
    #expect(
      line(.text, level: .warning, "listening", fields)
        == "2023-11-14T22:13:20.123Z WARN  started: listening address=127.0.0.1:80 count=3 took=1.5s why=\"no room\" ok=true\n")
  }

  @Test("JSON keeps types, one object a line")
  func json() throws {
    let text = line(
      .json, "listening",
      [("count", 3), ("share", 0.5), ("ok", false), ("who", "a\"b\n"), ("level", "x"), ("odd", .decimal(.nan))])
    #expect(text.last == "\n" && !text.dropLast().contains("\n"))
    let value = try JSONValue(parsing: text)
    #expect(value["time"]?.string == "2023-11-14T22:13:20.123Z")
    #expect(value["level"]?.string == "info")
    #expect(value["event"]?.string == "started")
    #expect(value["message"]?.string == "listening")
    #expect(value["count"]?.integer == 3)
    #expect(value["share"]?.double == 0.5)
    #expect(value["ok"]?.boolean == false)
    #expect(value["who"]?.string == "a\"b\n")
    #expect(value["level_"]?.string == "x")
    #expect(value["odd"]?.string == "nan")
  }

  @Test("no control character reaches a terminal", arguments: LogFormat.allForTests)
  func controlCharacters(format: LogFormat) {
    let nasty = "a\u{1b}[31m\r\nb\u{9b}c\u{202e}d\u{7f}\0"
    let text = line(format, event: nasty, nasty, [("field", .text(nasty)), (nasty, 1)])
    let body = text.dropLast().unicodeScalars
    #expect(!body.contains { $0.value < 0x20 })
    if format == .text { #expect(!body.contains { (0x7f..<0xa0).contains($0.value) || $0.value == 0x202e }) }
  }

  @Test("quotes and backslashes in a text cannot end its quotes")
  func quotes() {
    #expect(line(.text, nil, [("a", #"x" b="y\"#)]).hasSuffix(#"a="x\" b=\"y\\""# + "\n"))
    #expect(line(.text, nil, [("a", "")]).hasSuffix("a=\"\"\n"))
  }

  @Test("a line fits into one atomic write however long its fields are", arguments: LogFormat.allForTests)
  func longLines(format: LogFormat) throws {
    let long = String(repeating: "ü\u{1}", count: 3000)
    let text = line(format, long, (0..<20).map { ("field\($0)", .text(long)) })
    #expect(text.utf8.count <= LogLine.longest)
    #expect(text.hasSuffix("\n"))
    if format == .json { #expect(try JSONValue(parsing: text)["event"]?.string == "started") }
  }
}

extension LogFormat {
  static let allForTests: [LogFormat] = [.text, .json]
}

@Suite("Events that repeat")
struct LogLimiterTests {
  @Test("the first ten of ten seconds are written, the rest is counted")
  func budget() {
    var limiter = LogLimiter()
    var written = 0
    for millisecond in 0..<1000 where limiter.admits("refused", at: at(millisecond)) { written += 1 }
    let early = limiter.sweep(at: at(9_000))
    let late = limiter.sweep(at: at(10_000))
    #expect(written == LogLimiter.linesPerWindow)
    #expect(early.isEmpty)
    #expect(late == [LogLimiter.Repetition(event: "refused", count: 990)])
    let isWrittenAgain = limiter.admits("refused", at: at(10_001))
    #expect(isWrittenAgain)
  }

  @Test("one event's flood does not silence another")
  func independence() {
    var limiter = LogLimiter()
    for _ in 0..<100 { _ = limiter.admits("flood", at: at(0)) }
    let startedIsWritten = limiter.admits("started", at: at(1))
    let held = limiter.finish(at: at(2))
    #expect(startedIsWritten)
    #expect(held == [LogLimiter.Repetition(event: "flood", count: 90)])
  }

  @Test("however many names there are, memory is bounded and everything is counted")
  func manyNames() {
    var limiter = LogLimiter()
    var admitted = 0
    for index in 0..<5000 where limiter.admits("event \(index)", at: at(0)) { admitted += 1 }
    let held = limiter.finish(at: at(1)).reduce(0) { $0 + $1.count }
    #expect(admitted == LogLimiter.mostEvents + LogLimiter.linesPerWindow)
    #expect(admitted + held == 5000)
  }

  func at(_ millisecond: Int) -> Instant { Instant.zero + .milliseconds(millisecond) }
}

@Suite("Writing the log")
struct LogTests {
  @Test("lines arrive whole from many threads, and levels below are left out")
  func threads() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    let log = Log(level: .info, format: .json, descriptor: ends[1])
    log.debug("hidden", "never built", ["n": 1])
    log.info("a", "first", ["n": 1])
    log.error("b")
    close(ends[1])
    let lines = try readAll(ends[0]).split(separator: "\n").map { try JSONValue(parsing: String($0)) }
    #expect(lines.map { $0["event"]?.string } == ["a", "b"])
    #expect(lines[0]["n"]?.integer == 1)
  }

  @Test("when nobody reads, lines are dropped and counted, and nothing waits")
  func fullPipe() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    let log = Log(level: .debug, format: .json, descriptor: ends[1])
    let filler = String(repeating: "x", count: 900)
    // Far more than a pipe holds.
    for index in 0..<400 { log.debug("fill", filler, ["index": .number(index)]) }
    var drain = [UInt8](repeating: 0, count: 1 << 20)
    let held = read(ends[0], &drain, drain.count)
    #expect(held > 0 && held < 400 * 900)
    log.info("after")
    close(ends[1])
    let lines = try readAll(ends[0]).split(separator: "\n").map { try JSONValue(parsing: String($0)) }
    #expect(lines.contains { $0["event"]?.string == "log-dropped" && ($0["dropped"]?.integer ?? 0) > 0 })
    #expect(lines.last?["event"]?.string == "after")
  }

  func readAll(_ descriptor: Int32) -> String {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = read(descriptor, &chunk, chunk.count)
      guard count > 0 else { break }
      bytes += chunk[0..<count]
    }
    close(descriptor)
    return String(decoding: bytes, as: UTF8.self)
  }
}
