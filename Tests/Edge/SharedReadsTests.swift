import Core
import Feeds
import Testing

@testable import Edge

@Suite("Reads that followers share")
struct SharedReadsTests {
  /// An edge with nothing in memory, a cursor from before twenty messages on all shards, and what they say.
  func cold() throws -> (EdgeHarness, cursor: String) {
    let harness = try EdgeHarness()
    for shard in 0..<4 { harness.publish(harness.topic(in: shard), "before") }
    let first = try harness.connect(sending: request("/v1/events?topic=%23", eventStream))
    let cursor = first.lastEventID
    first.close()
    harness.settle()
    // Until nobody remembers that there was somebody.
    harness.pass(.seconds(40))
    for number in 0..<20 { harness.publish(harness.topic(in: number % 4), "\(number)") }
    return (harness, cursor)
  }

  func resume(_ cursor: String) -> String { request("/v1/events?topic=%23", eventStream, "Last-Event-ID: \(cursor)") }

  func numbers(_ client: TestClient) -> [Int] { client.events().map { Int($0.data) ?? -1 } }

  @Test("A hundred who come back at once to an edge with nothing in memory cost one read of each shard")
  func storm() throws {
    let (harness, cursor) = try cold()
    let before = harness.shards.map(\.reads)
    let clients = try (0..<100).map { _ in try harness.connect() }
    for client in clients { client.send(resume(cursor)) }
    harness.settle()
    for client in clients { #expect(numbers(client).sorted() == Array(0..<20)) }
    #expect(zip(harness.shards, before).map { $0.reads - $1 } == [1, 1, 1, 1])
  }

  @Test("Who comes a moment later is given the same page, and everything that came since, once")
  func later() throws {
    let (harness, cursor) = try cold()
    let first = try harness.connect(sending: resume(cursor))
    for number in 20..<30 { harness.publish(harness.topic(in: number % 4), "\(number)") }
    let reads = harness.shards.map(\.reads)
    let second = try harness.connect(sending: resume(cursor))
    for number in 30..<40 { harness.publish(harness.topic(in: number % 4), "\(number)") }
    #expect(harness.shards.map(\.reads) == reads)
    for client in [first, second] {
      #expect(numbers(client).sorted() == Array(0..<40))
      for shard in 0..<4 { #expect(numbers(client).filter { $0 % 4 == shard } == Array(stride(from: shard, to: 40, by: 4))) }
    }
  }

  @Test("Kept pages are let go after a moment")
  func letGo() throws {
    let (harness, cursor) = try cold()
    _ = try harness.connect(sending: resume(cursor))
    #expect(harness.edge.sharedReads.byteCount > 0)
    harness.pass(.seconds(5))
    #expect(harness.edge.sharedReads.byteCount == 0)
  }

  @Test("Whoever asked first may go: those who wait for the same answer get it", arguments: 1...16)
  func askerLeaves(seed: UInt64) throws {
    let (harness, cursor) = try cold()
    harness.delays = SeededGenerator(seed: seed)
    let (asker, other) = (try harness.connect(), try harness.connect())
    asker.send(resume(cursor))
    other.send(resume(cursor))
    for _ in 0..<(1 + seed % 4) { harness.turn() }
    asker.close()
    harness.settle()
    #expect(numbers(other).sorted() == Array(0..<20))
  }
}
