import Core
import Journal
import Testing

@Suite struct LogTests {
  @Test("Any entry can be read, alone or with those after it, in pieces of any size")
  func reading() throws {
    var bench = try Bench()
    for number in 0..<40 { bench.append(count: 1 + number % 7, size: 1 + number * 37 % 900) }
    bench.rest()
    let last = bench.log.durable
    #expect(bench.log.segmentCount > 3)
    for size in [0, 1, 100, 5000, .max] {
      let found = try bench.readAll(maximumBytes: size)
      #expect(found == bench.appended)
    }
    for value in 1...last.value {
      let alone = bench.log.plan(single: Offset(value))
      let plan = try #require(alone)
      let single = try plan.parse(bench.read(plan))
      #expect(single.count == 1 && single.bytes.array == bench.appended[value])
      let following = bench.log.plan(from: Offset(value), maximumBytes: 2000)
      let more = try #require(following)
      let entries = try more.parse(bench.read(more))
      #expect(entries.first == Offset(value) && entries.bytes.records[0].bytes == bench.appended[value])
    }
    let outside = [bench.log.plan(from: last.next, maximumBytes: 100), bench.log.plan(single: .zero)]
    #expect(outside == [nil, nil])
  }

  @Test("Nothing is read before it is durable, and durable never passes what was written")
  func durability() throws {
    var bench = try Bench()
    bench.append(count: 2)
    #expect(bench.log.durable == .zero && bench.log.next == Offset(3))
    let early = bench.log.plan(single: Offset(1))
    #expect(early == nil)
    bench.append(count: 1)
    bench.runOne()
    #expect(bench.log.durable == Offset(2))
    #expect(bench.facts == [.durable(Offset(2))])
    let undurable = bench.log.plan(single: Offset(3))
    #expect(undurable == nil)
    bench.run()
    #expect(bench.log.durable == Offset(3) && bench.log.undurableBytes == 0)
  }

  @Test("A failed sync or write is the journal's end, and reopening finds what was durable", arguments: [0, 1])
  func failedSync(operation: Int) throws {
    var bench = try Bench()
    bench.append(count: 3)
    bench.run()
    bench.append(count: 3)
    bench.append(count: 3)
    let error = DiskError(.failed, operation: "test", code: 5)
    bench.disk.failing = (operation, error)
    bench.runOne()
    #expect(bench.log.admission == .dead(error))
    #expect(bench.facts.last == .died(error))
    bench.run()
    bench.tick(milliseconds: 10_000)
    #expect(bench.waiting.isEmpty && bench.log.durable == Offset(3))
    try bench.reopen()
    #expect(bench.log.durable >= Offset(3))
    let found = try bench.readAll()
    #expect(found == bench.appended.filter { $0.key <= bench.log.durable.value })
  }

  @Test("A full disk is noticed before a write, harms nothing, and is recovered from")
  func fullDisk() throws {
    var bench = try Bench()
    bench.disk.capacity = 40_000
    var appends = 0
    while bench.log.admission == .accepting {
      bench.append(count: 2, size: 300)
      bench.run()
      appends += 1
      try #require(appends < 1000)
    }
    #expect(bench.log.admission == .full && bench.facts.last == .full)
    #expect(bench.log.durable.next == bench.log.next)
    // What must not be refused waits, and is not lost.
    for _ in 0..<20 { bench.append(count: 2, size: 300) }
    bench.run()
    let durable = bench.log.durable
    #expect(durable.next < bench.log.next)
    bench.tick(milliseconds: 5000)
    bench.run()
    #expect(bench.log.admission == .full && bench.log.durable == durable)
    bench.disk.capacity = .max
    bench.tick(milliseconds: 10_000)
    bench.run()
    #expect(bench.log.admission == .accepting && bench.facts.contains(.roomAgain))
    #expect(bench.log.durable.next == bench.log.next)
    bench.rest()
    try bench.reopen()
    #expect(bench.verdict == .clean)
    let found = try bench.readAll()
    #expect(found == bench.appended)
  }

  @Test("Want of space for a snapshot or for term and vote is told and harms nothing")
  func fullBeside() throws {
    var bench = try Bench()
    bench.append(count: 3)
    bench.rest()
    bench.disk.capacity = bench.disk.used
    bench.log.writeSnapshot(Snapshot(offset: Offset(2), body: Bytes([1, 2])), into: &bench.output)
    bench.log.saveHardState(HardState(term: 3, vote: nil), into: &bench.output)
    bench.collect()
    bench.run()
    #expect(bench.facts.contains(.snapshotRefused(Offset(2))))
    #expect(!bench.facts.contains(.hardStateRefused(HardState(term: 3, vote: nil))), "the same size fits")
    bench.append(count: 1)
    bench.run()
    #expect(bench.log.durable == Offset(4))
    bench.disk.capacity = .max
    bench.log.writeSnapshot(Snapshot(offset: Offset(2), body: Bytes([1, 2])), into: &bench.output)
    bench.collect()
    bench.run()
    #expect(bench.log.snapshotOffset == Offset(2))
  }

  @Test("The first entry at or after a time is found", arguments: [64, 512, 1 << 20])
  func times(spacing: Int) throws {
    var settings = Bench.small
    settings.indexSpacingBytes = spacing
    var bench = try Bench(settings: settings)
    for time in stride(from: 1000, to: 3000, by: 10) as StrideTo<Int64> { bench.append(count: 2, size: 60, at: time) }
    bench.rest()
    for time in stride(from: 900, to: 3100, by: 7) as StrideTo<Int64> {
      let wanted = Offset(time <= 1000 ? 1 : UInt64((time - 1000 + 9) / 10) * 2 + 1)
      switch bench.log.search(time: WallTime(milliseconds: time)) {
      case .found(let offset): #expect(offset == Offset(401) && time > 2990)
      case .read(let plan):
        let found = try plan.parse(bench.read(plan), time: WallTime(milliseconds: time))
        #expect(found == wanted, "time \(time)")
      }
    }
  }

  @Test("Scrubbing goes round everything and meets damage")
  func scrubbing() throws {
    var bench = try Bench()
    for _ in 0..<6 { bench.append(count: 40, size: 50) }
    bench.rest()
    func round() throws -> Int {
      var seen = 0
      while seen < bench.appended.count, let plan = bench.log.scrubPlan(maximumBytes: 3000) {
        let entries = try plan.parse(bench.read(plan))
        bench.log.scrubbed(upTo: entries.next)
        seen += entries.count
      }
      return seen
    }
    for _ in 0..<3 {
      let seen = try round()
      #expect(seen == bench.appended.count)
    }
    bench.disk.flip(.segment(Offset(1)), bit: 8 * 5000)
    #expect(throws: JournalDamage.self) { _ = try round() }
  }

  @Test("Bad and missing indexes are built anew")
  func indexes() throws {
    var bench = try Bench()
    for _ in 0..<12 { bench.append(count: 40, size: 50) }
    bench.rest()
    let names = bench.disk.files.keys.filter { if case .index = $0 { true } else { false } }
    #expect(names.count > 2)
    for name in names {
      var disk = bench.disk
      disk.files[name] = nil
      let missing = try Bench(disk: disk)
      #expect(missing.verdict == .clean)
      disk = bench.disk
      disk.flip(name, bit: 8 * 40)
      var bad = try Bench(disk: disk)
      #expect(bad.verdict == .clean)
      let found = try bad.readAll()
      #expect(found == bench.appended)
    }
  }
}
