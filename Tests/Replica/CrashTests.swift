import Core
import Feeds
import Journal
import Shard
import Testing

@testable import Replica

@Suite struct CrashTests {
  @Test(
    "Whatever a crash leaves on the disk, every acknowledged message is there once, and retries under their keys make none twice",
    arguments: Array(200..<240) as [UInt64])
  func crashes(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let harness = try Harness {
      $0.recentTailBytes = 500
      $0.snapshotEveryEntries = 20
      $0.snapshotBytesPerTick = 400
    }
    var acknowledged: [String: UInt64] = [:]
    var waiting: [Ticket: String] = [:]
    var number = 0
    for _ in 0..<6 {
      // Who got no answer tries again under the same key.
      let unanswered = waiting.values.sorted()
      waiting = [:]
      for key in unanswered { waiting[harness.publish([Draft("t/\(key.count % 3)", key, key: key)])[0]] = key }
      for _ in 0..<60 {
        switch random.below(6) {
        case 0, 1:
          let keys = (0...random.below(3)).map { _ -> String in
            number += 1
            return "key-\(number)"
          }
          let tickets = harness.publish(keys.map { Draft("t/\($0.count % 3)", $0, key: $0) })
          for (ticket, key) in zip(tickets, keys) { waiting[ticket] = key }
        case 2: harness.turnEnds()
        case 3, 4: if !harness.batches.isEmpty { harness.write() }
        default: harness.tick(after: 40)
        }
        for result in harness.takeResults() {
          guard let key = waiting.removeValue(forKey: result.ticket) else { Issue.record("answered twice, seed \(seed)"); continue }
          switch result.outcome {
          case .accepted(let offset, _), .duplicate(let offset, _):
            #expect(acknowledged[key] == nil || acknowledged[key] == offset.value, "seed \(seed)")
            acknowledged[key] = offset.value
          case .refused(let refusal): Issue.record("\(refusal), seed \(seed)")
          }
        }
      }
      try harness.restart(losing: &random)
      if let fact = harness.facts.first, case .opened(.corrupt(let damage), _, _) = fact { Issue.record("\(damage), seed \(seed)") }
      let seen = try whole(harness)
      for (key, offset) in acknowledged { #expect(seen[Int(offset) - 1].payload == key, "seed \(seed)") }
      #expect(Set(seen.map(\.payload)).count == seen.count, "seed \(seed)")
      harness.replies = []
    }
    #expect(acknowledged.count > 30)
  }

  private func whole(_ harness: Harness) throws -> [Seen] {
    var seen: [Seen] = []
    var at = Offset.zero
    while at < harness.replica.committed {
      let page = try harness.page(.after(at), ["#"])
      #expect(page.gap == nil)
      seen += Seen.all(page.pieces)
      at = page.upTo
    }
    return seen
  }

  @Test("Opening from a snapshot and a tail comes to the same as applying the whole log")
  func snapshotAndTail() throws {
    let harness = try Harness {
      $0.snapshotEveryEntries = 40
      $0.snapshotBytesPerTick = 300
    }
    for number in 0..<200 {
      harness.publish([Draft("t/\(number % 9)", "\(number)", key: number % 4 == 0 ? "k\(number)" : "", flags: number % 7 == 0 ? .retain : [])])
      harness.settle()
      if number % 3 == 0 { harness.tick() }
      harness.settle()
    }
    #expect(harness.facts.contains { if case .snapshotWritten = $0 { true } else { false } })
    let state = harness.replica.state.snapshot()
    try harness.reopen()
    #expect(harness.replica.state.snapshot() == state)
    for name in harness.disk.files.keys { if case .snapshot = name { harness.disk.files[name] = nil } }
    try harness.reopen()
    #expect(harness.replica.state.snapshot() == state)
    #expect(harness.replica.committed == Offset(200))
  }

  @Test("An orderly end leaves nothing to apply and nothing that a crash could take")
  func closing() throws {
    let harness = try Harness()
    for number in 0..<10 { harness.publish([Draft("a", "\(number)")]) }
    harness.close()
    #expect(harness.facts.last == .closed)
    #expect(harness.takeResults().count == 10)
    #expect(harness.facts.contains(.snapshotWritten(Offset(10))))
    harness.publish([Draft("a")])
    guard case .refused(.journalFailed) = harness.takeResults().first?.outcome else { Issue.record("taken"); return }
    var random = SeededGenerator(seed: 1)
    try harness.restart(losing: &random)
    #expect(harness.facts == [.opened(.clean, first: Offset(1), committed: Offset(10)), .leads(term: 2)])
  }

  @Test("What was only replayed is in the last snapshot too")
  func closingAfterReplay() throws {
    let harness = try Harness()
    for number in 0..<10 { harness.publish([Draft("a", "\(number)")]) }
    harness.settle()
    try harness.reopen()
    harness.close()
    #expect(harness.facts.contains(.snapshotWritten(Offset(10))))
  }

  @Test("A log with a flipped bit in it is opened as far as it is whole, read there, and never written")
  func corrupt() throws {
    let harness = try Harness()
    for number in 0..<20 {
      harness.publish([Draft("a", "\(number)")])
      harness.settle()
    }
    let name = JournalFileName.segment(Offset(1))
    harness.disk.files[name]!.content[700] ^= 4
    try harness.reopen()
    guard case .failed(let why) = harness.replica.status.condition else { Issue.record("served"); return }
    #expect(why.contains("damaged"))
    #expect(harness.facts.contains(.damaged(why)))
    #expect(harness.replica.committed < Offset(20))
    let page = try harness.page(.earliest, ["#"])
    #expect(Seen.all(page.pieces).count == Int(harness.replica.committed.value))
    harness.publish([Draft("a")])
    guard case .refused(.journalFailed) = harness.takeResults().first?.outcome else { Issue.record("taken"); return }
  }
}
