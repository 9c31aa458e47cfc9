import Core
import Feeds
import Journal
import Shard
import Testing

@testable import Replica

@Suite struct ReadTests {
  /// A log of several segments with little of it in memory, and what is in it.
  private func filled(_ count: Int = 300, seed: UInt64 = 5) throws -> (Harness, [Seen]) {
    let harness = try Harness {
      $0.recentTailBytes = 1000
      $0.readChunkBytes = 600
      $0.maximumHistoryBytes = 1 << 20
    }
    var random = SeededGenerator(seed: seed)
    var seen: [Seen] = []
    while seen.count < count {
      var drafts: [Draft] = []
      for _ in 0...random.below(3) {
        drafts.append(Draft("t/\(random.below(6))", "\(seen.count)", flags: random.below(4) == 0 ? .retain : []))
        seen.append(Seen(offset: UInt64(seen.count + 1), topic: drafts.last!.topic, payload: "\(seen.count)"))
      }
      harness.publish(drafts)
      harness.settle()
    }
    harness.replies = []
    return (harness, seen)
  }

  @Test("Pages of any size put together are the whole log, from memory and from the disk")
  func pages() throws {
    let (harness, log) = try filled()
    for maximumBytes in [1, 100, 1000, 1 << 20] {
      var at = Offset.zero
      var found: [Seen] = []
      var pages = 0
      while at < harness.replica.committed {
        let page = try harness.page(.after(at), ["t/1", "t/4"], maximumBytes: maximumBytes)
        #expect(page.upTo > at)
        #expect(page.gap == nil)
        let seen = Seen.all(page.pieces)
        if maximumBytes == 1 { #expect(seen.count <= 1) }
        found += seen
        at = page.upTo
        pages += 1
      }
      #expect(found == log.filter { $0.topic == "t/1" || $0.topic == "t/4" })
      if maximumBytes == 1 << 20 { #expect(pages == 1) }
    }
  }

  @Test("A read that finds nothing answers after a bounded stretch, and one look-up answers for topics with nothing new")
  func bounded() throws {
    let (harness, _) = try filled()
    harness.settings.examinedBytesPerRead = 2000
    try harness.reopen()
    let first = try harness.page(.after(.zero), ["none/+"])
    #expect(first.pieces.isEmpty)
    #expect(first.upTo > .zero && first.upTo < first.committed)
    let reads = harness.replica.counters.diskReads
    let exact = try harness.page(.after(.zero), ["none"])
    #expect(exact.upTo == exact.committed)
    #expect(harness.replica.counters.diskReads == reads)
  }

  @Test("A cursor from the future is answered with a gap and goes on at the end")
  func future() throws {
    let (harness, _) = try filled(20)
    let end = harness.replica.committed
    let page = try harness.page(.after(end.advanced(by: 5)), ["#"])
    #expect(page.gap == ReadGap(reason: .future, from: end.advanced(by: 5), to: end))
    #expect(page.upTo == end)
    #expect(page.pieces.isEmpty)
    let latest = try harness.page(.latest, ["#"])
    #expect(latest.upTo == end && latest.pieces.isEmpty && latest.gap == nil)
  }

  @Test("The last N of every topic come in order of the log, the newest of all when there are too many")
  func last() throws {
    let (harness, log) = try filled()
    for count in [0, 1, 3, 1000] {
      let page = try harness.page(.last(count), ["t/+"])
      let expected = (0..<6).flatMap { topic in log.filter { $0.topic == "t/\(topic)" }.suffix(count) }.sorted { $0.offset < $1.offset }
      #expect(Seen.all(page.pieces) == expected)
      #expect(page.upTo == harness.replica.committed)
    }
    harness.settings.maximumWalkRecords = 10
    try harness.reopen()
    #expect(Seen.all(try harness.page(.last(1000), ["#"]).pieces) == Array(log.suffix(10)))
    #expect(Seen.all(try harness.page(.last(5), ["#"], maximumBytes: 1).pieces) == Array(log.suffix(1)))
  }

  @Test("History walks one topic back, newest first, from anywhere")
  func history() throws {
    let (harness, log) = try filled()
    let topic = log.filter { $0.topic == "t/2" }
    #expect(Seen.all(try harness.history("t/2", limit: 1000)) == topic.reversed())
    #expect(Seen.all(try harness.history("t/2", limit: 4)) == topic.suffix(4).reversed())
    for before in [0, 1, 2, 100, 101, 102, 103, topic[10].offset, 250, 10_000] as [UInt64] {
      let expected = topic.filter { $0.offset < before }.suffix(7).reversed()
      #expect(Seen.all(try harness.history("t/2", before: before, limit: 7)) == Array(expected), "before \(before)")
    }
    #expect(try harness.history("none").isEmpty)
    #expect(try harness.history("t/2", limit: 0).isEmpty)
  }

  @Test("Current values come at one point of the log")
  func current() throws {
    let (harness, log) = try filled()
    harness.publish([Draft("t/0", "now", flags: .retain), Draft("t/1", "", flags: .clear)])
    let ticket = try harness.ask(.current, ["t/#"])
    let before = try #require(harness.takeRead(ticket)).result.get()
    #expect(before.isCurrentValues)
    #expect(before.upTo.value == UInt64(log.count))
    #expect(!Seen.all(before.pieces).contains { $0.payload == "now" })
    harness.settle()
    let after = try harness.page(.current, ["t/#"])
    let topics = Seen.all(after.pieces)
    #expect(topics.contains { $0.topic == "t/0" && $0.payload == "now" })
    #expect(!topics.contains { $0.topic == "t/1" })
    #expect(topics.map(\.offset) == topics.map(\.offset).sorted())
    #expect(after.upTo.value == UInt64(log.count) + 2)
  }

  @Test("A time is found in the log, before its beginning and after its end")
  func time() throws {
    let harness = try Harness {
      $0.recentTailBytes = 0
      $0.readChunkBytes = 500
    }
    for number in 0..<100 {
      harness.wall.milliseconds = 1_000_000 + Int64(number) * 10
      harness.publish([Draft("a", "\(number)")])
      harness.settle()
    }
    for (time, first) in [(0, 0), (1_000_000, 0), (1_000_001, 1), (1_000_455, 46), (1_000_990, 99), (1_000_991, 100), (9_000_000, 100)] {
      let page = try harness.page(.time(WallTime(milliseconds: Int64(time))), ["#"])
      #expect(Seen.all(page.pieces).map(\.payload) == (first..<100).map { "\($0)" }, "time \(time)")
      #expect(page.upTo == page.committed)
    }
  }

  @Test("What has outlived its time is not delivered by any kind of read")
  func timeToLive() throws {
    let harness = try Harness()
    harness.publish([Draft("a", "short", flags: .retain, timeToLive: 1000), Draft("a", "long"), Draft("b", "short too", flags: .retain, timeToLive: 1000)])
    harness.settle()
    #expect(Seen.all(try harness.page(.earliest, ["#"]).pieces).count == 3)
    harness.wall.milliseconds += 1000
    #expect(Seen.all(try harness.page(.earliest, ["#"]).pieces).map(\.payload) == ["long"])
    #expect(Seen.all(try harness.page(.last(9), ["#"]).pieces).map(\.payload) == ["long"])
    #expect(Seen.all(try harness.history("a")).map(\.payload) == ["long"])
    #expect(try harness.page(.current, ["#"]).pieces.isEmpty)
  }

  @Test("Equal reads in flight are made once")
  func joined() throws {
    let (harness, log) = try filled()
    harness.settings.recentTailBytes = 0
    try harness.reopen()
    let tickets = try (0..<50).map { _ in try harness.ask(.after(.zero), ["#"]) }
    #expect(harness.reads.count == 1)
    let before = harness.replica.counters.diskReads
    harness.settle()
    for ticket in tickets {
      #expect(Seen.all(try #require(harness.takeRead(ticket)).result.get().pieces) == log)
    }
    #expect(harness.replica.counters.joinedReads >= 49 * (harness.replica.counters.diskReads - before))
  }

  @Test("Too many reads waiting for the disk are refused as overloaded")
  func overloaded() throws {
    let (harness, _) = try filled()
    harness.settings.recentTailBytes = 0
    harness.settings.maximumWaitingReads = 3
    try harness.reopen()
    let tickets = try (0..<5).map { _ in try harness.ask(.after(.zero), ["#"]) }
    for ticket in tickets[3...] {
      guard case .failure(.overloaded) = try #require(harness.takeRead(ticket)).result else { Issue.record("taken"); continue }
    }
    harness.settle()
    for ticket in tickets[..<3] { _ = try #require(harness.takeRead(ticket)).result.get() }
    #expect(harness.replica.status.waitingReads == 0)
  }

  @Test("A read of a part of the log that rotted is refused and says where")
  func rotten() throws {
    let (harness, _) = try filled()
    harness.settings.recentTailBytes = 0
    try harness.reopen()
    let name = JournalFileName.segment(Offset(1))
    harness.disk.files[name]!.content[200] ^= 1
    let ticket = try harness.ask(.after(.zero), ["#"])
    harness.settle()
    guard case .failure(.damaged(let why)) = try #require(harness.takeRead(ticket)).result else { Issue.record("read"); return }
    #expect(why.contains(name.text))
  }
}
