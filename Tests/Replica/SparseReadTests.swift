import Core
import Feeds
import Journal
import Shard
import Testing

@testable import Replica

/// Readers far behind, of whose topics little was written since: they are read for along those topics.
@Suite struct SparseReadTests {
  /// A busy topic, and some on which little is said.
  private func filled(_ count: Int, seed: UInt64, perRecord: UInt64) throws -> (Harness, [Seen]) {
    print("seed \(seed)")
    let harness = try Harness {
      $0.recentTailBytes = 1000
      $0.readChunkBytes = 600
      $0.passedPerRecord = perRecord
      $0.maximumSparseRecords = 20
    }
    var random = SeededGenerator(seed: seed)
    var seen: [Seen] = []
    while seen.count < count {
      let drafts = (0..<8).map { place in
        let topic = random.below(40) == 0 ? "quiet/\(random.below(9))/x" : "busy"
        return Draft(topic, "\(seen.count + place)", timeToLive: random.below(50) == 0 ? 1 : 0)
      }
      for draft in drafts { seen.append(Seen(offset: UInt64(seen.count + 1), topic: draft.topic, payload: draft.payload)) }
      harness.publish(drafts)
      harness.settle()
    }
    harness.replies = []
    return (harness, seen)
  }

  @Test("What is read along the topics is what the log holds, wherever a reader stands", arguments: [3, 77, 1001] as [UInt64])
  func same(seed: UInt64) throws {
    for perRecord in [1, 16, 1 << 40] as [UInt64] {
      let (harness, log) = try filled(1500, seed: seed, perRecord: perRecord)
      harness.wall.milliseconds += 10
      let whole = try harness.page(.after(.zero), ["#"])
      let alive = Set(Seen.all(whole.pieces).map(\.offset))
      var random = SeededGenerator(seed: seed &+ 1)
      for filters in [["quiet/+/x"], ["quiet/3/x"], ["quiet/3/x", "quiet/1/#"], ["none/+"], ["quiet/3/x", "none"], ["busy", "quiet/2/x"]] {
        let wanted = try filters.map { try Filter($0) }
        for maximumBytes in [200, 1 << 20] {
          let start = Offset(UInt64(random.below(1500)))
          var at = start
          var found: [Seen] = []
          while at < harness.replica.committed {
            let page = try harness.page(.after(at), filters, maximumBytes: maximumBytes)
            #expect(page.upTo > at && page.gap == nil)
            found += Seen.all(page.pieces)
            at = page.upTo
          }
          let expected = log.filter { seen in
            seen.offset > start.value && alive.contains(seen.offset) && wanted.contains { filter in Bytes(seen.topic).withUnsafeBytes { filter.matches($0) } }
          }
          #expect(found == expected, "seed \(seed), \(filters) after \(start), at most \(maximumBytes)")
        }
      }
    }
  }

  @Test("A reader far behind costs what there is for it, not what was written since")
  func cheap() throws {
    let (harness, _) = try filled(3000, seed: 9, perRecord: 100)
    let before = harness.replica.counters.diskReads
    let nothing = try harness.page(.after(.zero), ["none/+"])
    #expect(nothing.pieces.isEmpty && nothing.upTo == nothing.committed)
    #expect(harness.replica.counters.diskReads == before)
    harness.publish([Draft("rare/1", "a"), Draft("rare/2", "b")])
    harness.settle()
    harness.publish((0..<200).map { Draft("busy", "\($0)") })
    harness.settle()
    let few = try harness.page(.after(.zero), ["rare/+"])
    #expect(Seen.all(few.pieces).map(\.payload) == ["a", "b"])
    #expect(few.upTo == few.committed)
    #expect(harness.replica.counters.diskReads - before <= 4)
  }

  @Test("Where retention has passed, a gap is told as ever")
  func gap() throws {
    let (harness, _) = try filled(1500, seed: 11, perRecord: 10)
    harness.settings.retention = Retention(ageMilliseconds: 60_000, bytes: 1 << 30)
    harness.settings.snapshotEveryEntries = 50
    try harness.reopen()
    for number in 0..<200 {
      harness.publish([Draft("busy", "\(number)" + String(repeating: ".", count: 100))])
      harness.settle()
      harness.tick(after: 1000)
      harness.settle()
    }
    #expect(harness.replica.first > Offset(1))
    let page = try harness.page(.after(.zero), ["quiet/+/x"])
    #expect(page.gap?.reason == .expired)
  }
}
