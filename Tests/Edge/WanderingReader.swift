import Core
import Testing

@testable import Edge

/// A reader as an application sees it: filters, a cursor, and what it has heard, over whatever transport it happens
/// to use. It comes and goes, stalls, and takes nothing along but its cursor.
final class WanderingReader {
  enum Manner: CaseIterable {
    case sse, sseJSON, lines, webSocket, poll, longPoll
  }

  let filters: [Filter]
  /// Where it began; everything after that and nothing else is to be heard.
  let start: Cursor
  private(set) var cursor: Cursor
  private(set) var heard: [Int] = []
  private(set) var client: TestClient?
  private(set) var manner = Manner.sse
  private var limit = 0

  init(filters: [Filter], start: Cursor) {
    self.filters = filters
    self.start = start
    cursor = start
  }

  var isStalled: Bool {
    get { client?.isStalled ?? false }
    set { client?.isStalled = newValue }
  }

  func connect(_ manner: Manner, limit: Int, to harness: EdgeHarness) throws {
    self.manner = manner
    self.limit = limit
    let client = try harness.connect(buffer: 4096)
    self.client = client
    switch manner {
    case .webSocket:
      client.send(TestClient.upgrade)
      let topics = filters.map { "\"\($0)\"" }.joined(separator: ",")
      client.sendFrame("{\"op\":\"subscribe\",\"id\":1,\"topics\":[\(topics)],\"cursor\":\"\(cursor)\"}")
    default: ask()
    }
  }

  private func ask() {
    let topics = filters.map { "topic=" + $0.description.split(separator: "#", omittingEmptySubsequences: false).joined(separator: "%23") }
    let target = "/v1/events?" + topics.joined(separator: "&").replacing("+", with: "%2B") + "&cursor=\(cursor)"
    switch manner {
    case .sse: client?.send(request(target, eventStream))
    case .sseJSON: client?.send(request(target + "&format=json", eventStream))
    case .lines: client?.send(request(target, "Accept: application/x-ndjson"))
    case .poll: client?.send(request(target + "&limit=\(limit)"))
    case .longPoll: client?.send(request(target + "&limit=\(limit)&wait=30"))
    case .webSocket: break
    }
  }

  /// Takes the answers that came and asks again; false if there was none, or nothing in it.
  @discardableResult func goOn() throws -> Bool {
    guard let client, manner == .poll || manner == .longPoll else { return false }
    var heardAny = false
    for answer in client.answers() {
      #expect(answer.status == 200 || answer.status == 204)
      #expect(!answer.body.contains("\"gap\""))
      let numbers = answer.body.all(between: "\"data\":\"", and: " ").compactMap { Int($0) }
      #expect(numbers.count <= limit)
      heardAny = heardAny || !numbers.isEmpty
      heard += numbers
      cursor = try Cursor(parsing: try #require(answer["Tidings-Cursor"]))
      ask()
    }
    return heardAny
  }

  /// Ends the connection; what was received whole counts as heard.
  func leave() throws {
    guard let client else { return }
    try goOn()
    switch manner {
    case .sse, .sseJSON:
      for event in client.events() {
        #expect(event.type == "message")
        heard.append(try number(in: manner == .sse ? event.data : try #require(event.data.text(between: "\"data\":\"", and: "\""))))
      }
      if !client.lastEventID.isEmpty { cursor = try Cursor(parsing: client.lastEventID) }
    case .lines:
      // The last line may be cut.
      let text = client.bodyStart.map { String(decoding: client.received[$0...], as: UTF8.self) } ?? ""
      for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() where !line.isEmpty { try hear(String(line)) }
    case .webSocket:
      for message in client.messages() {
        #expect(!message.contains("\"op\":\"gap\"") && !message.contains("\"op\":\"error\""))
        if message.hasPrefix("{\"op\":\"event\"") { try hear(message) }
      }
    case .poll, .longPoll: break
    }
    client.close()
    self.client = nil
  }

  private func hear(_ event: String) throws {
    heard.append(try number(in: try #require(event.text(between: "\"data\":\"", and: "\""))))
    let position = try #require(event.text(between: "\"position\":\"", and: "\"")).split(separator: ".")
    cursor.fold(Position(ShardID(try #require(UInt16(position[0]))), Offset(try #require(UInt64(position[1])))))
  }

  private func number(in data: String) throws -> Int { try #require(Int(data.prefix { $0 != " " })) }

  /// What it must have heard of a shard by now.
  func expected(of shard: ModelShard) -> [Int] {
    shard.log[Int(start[shard.id].value)...].filter { record in filters.contains { $0.matches(record) } }.map(WanderingReader.number)
  }

  static func number(of record: Bytes) -> Int { Int(String(decoding: record.view.payload, as: UTF8.self).prefix { $0 != " " }) ?? -1 }
}
