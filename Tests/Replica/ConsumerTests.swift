import Core
import Feeds
import Journal
import Testing

@testable import Replica

@Suite struct ConsumerTests {
  private let cluster = ClusterID(5)

  private func cursor(_ offset: UInt64) -> Cursor {
    Cursor(cluster: cluster, positions: [Position(Harness.shard, Offset(offset))])
  }

  private func send(_ harness: Harness, _ operation: ConsumerRequest.Operation, edge: UInt32 = 1) {
    harness.receive(.consumer(ConsumerRequest(edge: EdgeID(edge), ticket: harness.ticket(), operation: operation)))
  }

  @Test("A consumer is made, moved, shown, listed and deleted; changes are answered when they are durable")
  func life() throws {
    let harness = try Harness()
    let filters = [try Filter("a/#")]
    send(harness, .open(name: "n", filters: filters, cursor: cursor(3)))
    harness.turnEnds()
    #expect(harness.takeConsumers().isEmpty)
    harness.settle()
    let opened = try #require(harness.takeConsumers().first).result.get()
    #expect(opened.map(\.name) == ["n"])
    #expect(opened[0].created == harness.wall)

    send(harness, .acknowledge(name: "n", cursor: cursor(9), reset: false))
    send(harness, .acknowledge(name: "n", cursor: cursor(7), reset: false), edge: 2)
    send(harness, .acknowledge(name: "other", cursor: cursor(7), reset: false))
    harness.settle()
    let replies = harness.takeConsumers()
    #expect(replies.count == 3)
    #expect(try replies[0].result.get()[0].cursor == cursor(9))
    #expect(try replies[1].result.get()[0].cursor == cursor(9))
    #expect(throws: Refusal.noSuchConsumer) { try replies[2].result.get() }

    send(harness, .acknowledge(name: "n", cursor: cursor(2), reset: true))
    harness.settle()
    #expect(try harness.takeConsumers()[0].result.get()[0].cursor == cursor(2))
    try harness.reopen()
    send(harness, .show(name: "n"))
    #expect(try harness.takeConsumers()[0].result.get()[0].cursor == cursor(2))
    send(harness, .open(name: "n", filters: [try Filter("b")], cursor: cursor(0)))
    send(harness, .delete(name: "n"))
    harness.settle()
    let last = harness.takeConsumers()
    #expect(throws: Refusal.consumerDiffers) { try last[0].result.get() }
    #expect(try last[1].result.get().map(\.name) == ["n"])
    send(harness, .list)
    #expect(try harness.takeConsumers()[0].result.get().isEmpty)
    send(harness, .show(name: "n"))
    #expect(throws: Refusal.noSuchConsumer) { try harness.takeConsumers()[0].result.get() }
  }

  @Test("Acknowledgements of one turn fold into one entry, and a message published between is not disturbed")
  func folding() throws {
    let harness = try Harness()
    send(harness, .open(name: "n", filters: [try Filter("a")], cursor: cursor(0)))
    harness.settle()
    let before = harness.replica.committed
    for offset in 1...100 { send(harness, .acknowledge(name: "n", cursor: cursor(UInt64(offset)), reset: false)) }
    harness.publish([Draft("a")])
    harness.settle()
    #expect(harness.replica.committed == before.advanced(by: 2))
    #expect(harness.takeConsumers().count == 101)
    send(harness, .show(name: "n"))
    #expect(try harness.takeConsumers()[0].result.get()[0].cursor == cursor(100))
    #expect(Seen.all(try harness.page(.earliest, ["#"]).pieces).count == 1)
  }
}
