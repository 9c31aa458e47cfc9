import Core
import Journal
import Testing

@Suite struct RetentionTests {
  static let generous = Retention(ageMilliseconds: 1_000_000, bytes: 1 << 40)

  func trim(_ bench: inout Bench, at now: Int64, _ retention: Retention, keepFrom: Offset = Offset(.max)) {
    bench.log.trim(at: WallTime(milliseconds: now), retention, keepFrom: keepFrom, into: &bench.output)
    bench.collect()
    bench.run()
  }

  func snapshot(_ bench: inout Bench, at offset: Offset) {
    bench.log.writeSnapshot(Snapshot(offset: offset, body: Bytes("state \(offset)")), into: &bench.output)
    bench.collect()
    bench.run()
  }

  @Test("Whole segments go by age and by size, and nothing that is still needed")
  func trimming() throws {
    var bench = try Bench()
    for time in 0..<10 { bench.append(count: 60, size: 150, at: 1000 + Int64(time) * 1000) }
    bench.rest()
    trim(&bench, at: 3_000_000, Self.generous)
    #expect(bench.log.first == Offset(1), "removed without a snapshot")
    snapshot(&bench, at: Offset(300))
    trim(&bench, at: 5000, Self.generous)
    #expect(bench.log.first == Offset(1), "removed before its time")
    trim(&bench, at: 1_003_500, Self.generous, keepFrom: Offset(100))
    #expect(bench.log.first <= Offset(100) && bench.log.first > Offset(1))
    trim(&bench, at: 1_003_500, Self.generous)
    let byAge = bench.log.first
    #expect(byAge > Offset(60) && byAge <= Offset(181))
    trim(&bench, at: 5000, Retention(ageMilliseconds: 1_000_000, bytes: 1))
    #expect(bench.log.first > byAge && bench.log.first <= Offset(301))
    let kept = bench.appended.filter { $0.key >= bench.log.first.value }
    #expect(bench.log.retainedBytes == kept.values.reduce(0) { $0 + $1.count })
    let found = try bench.readAll()
    #expect(found == kept)
    let absent = bench.log.plan(single: byAge)
    #expect(absent == nil)
    bench.rest()
    try bench.reopen()
    #expect(bench.verdict == .clean && bench.log.first.value == kept.keys.min())
  }

  @Test("A small log expires too, and offsets never start again")
  func smallLog() throws {
    var bench = try Bench()
    bench.append(count: 3, at: 1000)
    bench.rest()
    snapshot(&bench, at: Offset(3))
    trim(&bench, at: 100_000, Self.generous)
    #expect(bench.log.segmentCount == 1, "closed too early")
    trim(&bench, at: 200_000, Self.generous)
    #expect(bench.log.segmentCount == 2 && bench.log.first == Offset(1))
    trim(&bench, at: 2_000_000, Self.generous)
    #expect(bench.log.first == Offset(4) && bench.log.next == Offset(4) && bench.log.retainedBytes == 0)
    #expect(bench.facts.contains(.trimmed(first: Offset(4))))
    bench.rest()
    try bench.reopen()
    #expect(bench.verdict == .clean && bench.log.next == Offset(4))
    bench.append(count: 1)
    bench.run()
    #expect(bench.log.durable == Offset(4))
  }

  @Test("A removal cut short anywhere is finished at the next opening")
  func interruptedRemoval() throws {
    var bench = try Bench()
    for time in 0..<10 { bench.append(count: 60, size: 150, at: 1000 + Int64(time) * 1000) }
    bench.rest()
    snapshot(&bench, at: Offset(500))
    bench.log.trim(
      at: WallTime(milliseconds: 5000), Retention(ageMilliseconds: 1_000_000, bytes: 1), keepFrom: Offset(.max),
      into: &bench.output)
    bench.collect()
    let steps = try #require(bench.waiting.last).operations
    #expect(steps.count > 6)
    for count in 0...steps.count {
      var disk = bench.disk
      for operation in steps.prefix(count) { try disk.perform(operation) }
      var reopened = try Bench(disk: disk)
      #expect(reopened.verdict == .clean, "after \(count) steps")
      let found = try reopened.readAll()
      #expect(found == bench.appended.filter { $0.key >= reopened.log.first.value })
      #expect(reopened.log.first == (count < 1 ? Offset(1) : bench.log.first))
    }
  }

  @Test("Opening gives the newest intact snapshot and the entries after it")
  func snapshots() throws {
    var bench = try Bench()
    for number in 1...5 as ClosedRange<UInt64> {
      bench.append(count: 20, size: 100)
      bench.rest()
      snapshot(&bench, at: Offset(number * 20 - 5))
    }
    let files = bench.disk.files.keys.compactMap { if case .snapshot(let offset) = $0 { offset.value } else { nil } }
    #expect(files.sorted() == [75, 95])
    var disk = bench.disk
    var opening = try JournalLog.open(disk: &disk, settings: Bench.small)
    #expect(opening.snapshot == Snapshot(offset: Offset(95), body: Bytes("state 95")))
    let found = try replayed(disk)
    #expect(found == bench.appended.filter { $0.key > 95 })
    for bit in 0..<disk.files[.snapshot(Offset(95))]!.bytes.count * 8 {
      disk = bench.disk
      disk.flip(.snapshot(Offset(95)), bit: bit)
      opening = try JournalLog.open(disk: &disk, settings: Bench.small)
      #expect(opening.verdict == .clean && opening.snapshot?.offset == Offset(75))
      #expect(opening.replaced == [.snapshot(Offset(95))])
    }
    let older = try replayed(disk)
    #expect(older == bench.appended.filter { $0.key > 75 })
  }

  @Test("A log that begins after every intact snapshot is corrupt")
  func noSnapshot() throws {
    var bench = try Bench()
    for time in 0..<10 { bench.append(count: 60, size: 150, at: 1000 + Int64(time) * 1000) }
    bench.rest()
    snapshot(&bench, at: Offset(500))
    trim(&bench, at: 5000, Retention(ageMilliseconds: 1_000_000, bytes: 1))
    let first = bench.log.first
    bench.disk.flip(.snapshot(Offset(500)), bit: 300)
    try bench.reopen()
    #expect(bench.verdict == .corrupt(.noUsableSnapshot(logBegins: first)))
    #expect(bench.log.admission == .damaged(.noUsableSnapshot(logBegins: first)))
  }
}
