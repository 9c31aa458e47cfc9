import Core
import Feeds
import Journal
import Testing

@testable import Replica

@Suite struct PublishTests {
  @Test("A publish is answered when it is durable and not before")
  func durableFirst() throws {
    let harness = try Harness()
    let tickets = harness.publish([Draft("a"), Draft("b")])
    harness.turnEnds()
    harness.tick()
    #expect(harness.replies.isEmpty)
    #expect(harness.replica.committed == .zero)
    while !harness.batches.isEmpty, harness.replica.committed == .zero {
      #expect(harness.takeResults().isEmpty)
      harness.write()
    }
    let results = harness.takeResults()
    #expect(results.map(\.ticket) == tickets)
    #expect(results.map(\.outcome) == [.accepted(Offset(1), harness.stamped), .accepted(Offset(2), harness.stamped)])
  }

  @Test("Refused and repeated records leave no hole between the accepted ones, and every record names its topic's last")
  func compaction() throws {
    let harness = try Harness()
    let time = harness.wall
    harness.publish([
      Draft("a", "1", key: "k"), Draft("a", "again", key: "k"), Draft("b", "2"), Draft("b", "no", head: 7), Draft("b", "3", head: 2),
      Draft("a", "4"),
    ])
    harness.settle()
    #expect(
      harness.takeResults().map(\.outcome) == [
        .accepted(Offset(1), time), .duplicate(Offset(1), time), .accepted(Offset(2), time), .refused(.headMoved(Offset(2))),
        .accepted(Offset(3), time), .accepted(Offset(4), time),
      ])
    let page = try harness.page(.earliest, ["#"])
    #expect(Seen.all(page.pieces).map(\.description) == ["1:a=1", "2:b=2", "3:b=3", "4:a=4"])
    let previous = page.pieces.flatMap { piece in
      piece.withUnsafeBytes { RecordSequence(trusting: $0).map(\.previous.value) }
    }
    #expect(previous == [0, 0, 2, 1])
  }

  @Test("A repeat of a message that is not committed yet is answered only when that one is")
  func duplicateWaits() throws {
    let harness = try Harness()
    harness.publish([Draft("a", key: "k")])
    harness.publish([Draft("a", key: "k")], edge: 2)
    harness.turnEnds()
    #expect(harness.takeResults().isEmpty)
    harness.settle()
    #expect(harness.takeResults().map(\.outcome) == [.accepted(Offset(1), harness.wall), .duplicate(Offset(1), harness.wall)])
    // Once committed there is nothing to wait for.
    harness.publish([Draft("a", key: "k")])
    #expect(harness.takeResults().map(\.outcome) == [.duplicate(Offset(1), harness.wall)])
    #expect(harness.replica.counters.duplicates == 2)
  }

  @Test("Times never go back, whatever the clock does")
  func monotone() throws {
    let harness = try Harness()
    harness.publish([Draft("a")])
    harness.wall.milliseconds -= 5000
    harness.publish([Draft("a")])
    harness.settle()
    let times = harness.takeResults().map { result -> Int64 in
      if case .accepted(_, let time) = result.outcome { time.milliseconds } else { 0 }
    }
    #expect(times == [1_000_000, 1_000_000])
    try harness.reopen()
    harness.publish([Draft("a")])
    harness.settle()
    #expect(harness.takeResults().map(\.outcome) == [.accepted(Offset(3), WallTime(milliseconds: 1_000_000))])
  }

  @Test("Who does not wait gets no answer; one edge gets one reply per commit")
  func answers() throws {
    let harness = try Harness()
    var silent = Draft("a")
    silent.wantsAnswer = false
    harness.publish([silent, Draft("a")])
    harness.publish([Draft("a")], edge: 2)
    harness.publish([Draft("a")])
    harness.settle()
    let second = harness.replies.filter { if case .published = $0.reply { $0.edge == EdgeID(2) } else { false } }
    #expect(second.count == 1)
    #expect(harness.takeResults().count == 3)
    #expect(harness.replica.committed == Offset(4))
  }

  @Test("Too much that waits for the disk is refused as overloaded, and taken again when the disk has caught up")
  func overloaded() throws {
    let harness = try Harness { $0.maximumPendingBytes = 10_000 }
    var refused = 0
    for _ in 0..<40 {
      harness.publish([Draft("a", String(repeating: "x", count: 1000))])
      refused += harness.takeResults().filter { $0.outcome == .refused(.overloaded) }.count
    }
    #expect(refused > 0 && refused < 40)
    harness.settle()
    #expect(harness.takeResults().count == 40 - refused)
    harness.publish([Draft("a")])
    harness.settle()
    #expect(harness.takeResults().count == 1)
    #expect(harness.replica.status.pendingBytes == 0)
  }

  @Test("A full disk refuses publishes, keeps what it took, and takes more when there is room again")
  func full() throws {
    let harness = try Harness()
    harness.publish([Draft("a")])
    harness.settle()
    harness.disk.isFull = true
    var accepted = 0
    var refused = 0
    for _ in 0..<30 {
      harness.publish([Draft("a", String(repeating: "x", count: 500))])
      harness.settle()
      for result in harness.takeResults() {
        switch result.outcome {
        case .accepted: accepted += 1
        case .refused(.diskFull): refused += 1
        default: Issue.record("\(result.outcome)")
        }
      }
    }
    #expect(refused > 0)
    #expect(harness.facts.contains(.full))
    #expect(harness.replica.status.condition == .full)
    harness.disk.isFull = false
    for _ in 0..<30 {
      harness.tick()
      harness.settle()
    }
    #expect(harness.facts.contains(.roomAgain))
    accepted += harness.takeResults().count
    harness.publish([Draft("a", "after")])
    harness.settle()
    #expect(harness.takeResults().count == 1)
    #expect(Seen.all(try harness.page(.earliest, ["a"]).pieces).count == accepted + 1)
  }

  @Test("A sync that fails is the end of writing: what waits is refused, what is committed can be read")
  func syncFails() throws {
    let harness = try Harness()
    harness.publish([Draft("a", "kept")])
    harness.settle()
    #expect(harness.takeResults().count == 1)
    harness.disk.failsSync = true
    harness.publish([Draft("a", "lost")])
    harness.publish([Draft("a", "lost too")], edge: 2)
    harness.settle()
    harness.disk.failsSync = false
    let results = harness.takeResults()
    #expect(results.count == 2)
    for result in results {
      guard case .refused(.journalFailed) = result.outcome else { Issue.record("\(result.outcome)"); continue }
    }
    harness.publish([Draft("a", "refused")])
    guard case .refused(.journalFailed(let why)) = harness.takeResults().first?.outcome else { Issue.record("taken"); return }
    #expect(why.contains("sync"))
    #expect(harness.replica.committed == Offset(1))
    #expect(Seen.all(try harness.page(.earliest, ["#"]).pieces).map(\.payload) == ["kept"])
    guard case .failed = harness.replica.status.condition else { Issue.record("not failed"); return }
  }

  @Test("With durability memory a publish is answered at the end of the turn and can be read before the disk has it")
  func memory() throws {
    let harness = try Harness {
      $0.waitsForDisk = false
      $0.recentTailBytes = 100
    }
    harness.publish([Draft("a", "1")])
    #expect(harness.takeResults().isEmpty)
    harness.turnEnds()
    #expect(harness.takeResults().count == 1)
    for number in 2..<50 {
      harness.publish([Draft("a", "\(number)")])
      harness.turnEnds()
    }
    let ticket = try harness.ask(.after(.zero), ["a"])
    #expect(Seen.all(try #require(harness.takeRead(ticket)).result.get().pieces).count == 49)
    harness.settle()
    #expect(Seen.all(try harness.page(.after(.zero), ["a"]).pieces).count == 49)
  }
}

extension Harness {
  var stamped: WallTime { WallTime(milliseconds: 1_000_000) }
}
