import Core
import Feeds
import Journal
import Shard
import Testing

@testable import Replica

@Suite struct RetentionTests {
  /// A log whose beginning retention has taken away; "rare" was published once, at the very beginning.
  private func trimmed() throws -> Harness {
    let harness = try Harness {
      $0.recentTailBytes = 0
      $0.readChunkBytes = 2000
      $0.retention = Retention(ageMilliseconds: 60_000, bytes: 1 << 30)
      $0.snapshotEveryEntries = 50
    }
    harness.publish([Draft("rare", "1"), Draft("kept", "2", flags: .retain)])
    for number in 0..<200 {
      harness.publish([Draft("busy", "\(number)" + String(repeating: ".", count: 100))])
      harness.settle()
      harness.tick(after: 1000)
      harness.settle()
    }
    harness.replies = []
    return harness
  }

  /// Nothing but messages stands at the beginning.
  private static let messagesUpToSeven = 7

  @Test("Retention takes old messages away; who asks for them is told which are gone, and gets the rest")
  func gap() throws {
    let harness = try trimmed()
    let first = harness.replica.first
    #expect(first > Offset(50))
    #expect(harness.facts.contains { if case .trimmed = $0 { true } else { false } })
    let page = try harness.page(.after(Offset(7)), ["#"])
    let skipped = try #require(page.gap?.skipped)
    #expect(page.gap == ReadGap(reason: .expired, from: Offset(7), to: Offset(first.value - 1), skipped: skipped))
    // Of the messages that were ever published, those are skipped that neither stand before the cursor nor are left.
    #expect(Int(skipped) == 202 - Self.messagesUpToSeven - Seen.all(page.pieces).count)
    #expect(try harness.page(.after(Offset(7)), ["kept"]).gap?.skipped == nil)
    #expect(Seen.all(page.pieces).first?.offset == first.value)
    let earliest = try harness.page(.earliest, ["#"])
    #expect(earliest.gap == nil)
    #expect(Seen.all(earliest.pieces) == Seen.all(page.pieces))
    #expect(try harness.history("busy", limit: 1000).count == Seen.all(earliest.pieces).count)
  }

  @Test("Who missed nothing is told of no gap")
  func noGap() throws {
    let harness = try trimmed()
    // Seen to its end, and nothing since.
    let kept = try harness.page(.after(Offset(2)), ["kept"])
    #expect(kept.gap == nil && kept.upTo == kept.committed && kept.pieces.isEmpty)
    // Never seen, and taken away.
    #expect(try harness.page(.after(Offset(1)), ["kept"]).gap?.reason == .expired)
    // Forgotten altogether: it may have been missed by who had not come to it.
    #expect(Bytes("rare").withUnsafeBytes { harness.replica.state.topics.head($0) } == nil)
    #expect(try harness.page(.after(.zero), ["rare"]).gap?.reason == .expired)
    // The oldest message that is left follows the one that was seen.
    let first = harness.replica.first
    let seen = try #require(harness.history("busy", limit: 1000).last).withUnsafeBytes { RecordView(trusting: $0.baseAddress!).previous }
    #expect(seen < first)
    #expect(try harness.page(.after(seen), ["busy"]).gap == nil)
    #expect(try harness.page(.after(Offset(seen.value - 1)), ["busy"]).gap != nil)
  }

  @Test("A current value outlives its message, and a restart")
  func current() throws {
    let harness = try trimmed()
    #expect(Seen.all(try harness.page(.current, ["+"]).pieces).map(\.payload) == ["2"])
    let before = harness.replica.state.snapshot()
    try harness.reopen()
    #expect(harness.replica.state.snapshot() == before)
    #expect(harness.replica.first > Offset(50))
    #expect(Seen.all(try harness.page(.current, ["kept"]).pieces).map(\.payload) == ["2"])
  }

  @Test("The last messages of a shard that fell idle expire too")
  func idle() throws {
    let harness = try trimmed()
    let last = harness.replica.committed
    for _ in 0..<500 {
      harness.tick(after: 5000)
      harness.settle()
    }
    #expect(harness.replica.first > last)
    // A few entries that say nothing, not one per tick.
    #expect(harness.replica.committed < last.advanced(by: 60))
    #expect(try harness.page(.earliest, ["#"]).pieces.isEmpty)
    #expect(Seen.all(try harness.page(.current, ["kept"]).pieces).map(\.payload) == ["2"])
  }

  @Test("A read on its way when retention passes over it goes on behind, with a gap")
  func overtaken() throws {
    let harness = try trimmed()
    harness.turnEnds()
    let first = harness.replica.first
    let ticket = try harness.ask(.after(Offset(first.value - 1)), ["#"])
    #expect(!harness.reads.isEmpty)
    for number in 0..<60 {
      harness.publish([Draft("busy", "later \(number)" + String(repeating: ".", count: 100))])
      harness.turnEnds()
      while !harness.batches.isEmpty { harness.write() }
      harness.tick(after: 1000)
      while !harness.batches.isEmpty { harness.write() }
    }
    #expect(harness.replica.first > first)
    harness.settle()
    let page = try #require(harness.takeRead(ticket)).result.get()
    #expect(page.gap?.from == Offset(first.value - 1))
    #expect(page.gap?.reason == .expired)
  }
}

