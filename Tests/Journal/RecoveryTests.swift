import Core
import Journal
import Testing

@Suite struct RecoveryTests {
  static let log = JournalFileName.segment(Offset(1))

  /// Three batches of three entries, all acknowledged; the mark knows of the first two when `marked`.
  func shortLog(marked: Bool) throws -> (disk: SimulatedDisk, entries: [UInt64: [UInt8]]) {
    var bench = try Bench()
    bench.append(count: 3, size: 90)
    bench.append(count: 3, size: 120)
    marked ? bench.rest() : bench.run()
    bench.append(count: 3, size: 30)
    bench.run()
    #expect(bench.log.durable == Offset(9))
    return (bench.disk, bench.appended)
  }

  func end(of entries: [UInt64: [UInt8]], through last: UInt64) -> Int {
    entries.filter { $0.key <= last }.values.reduce(0) { $0 + $1.count }
  }

  @Test("A log cut at any byte is a torn tail, or corruption where a mark proves that more was durable", arguments: [false, true])
  func cutAtEveryByte(padded: Bool) throws {
    let (disk, entries) = try shortLog(marked: true)
    let whole = end(of: entries, through: 9)
    let marked = end(of: entries, through: 6)
    for length in 0..<whole + 32 {
      var cut = disk
      cut.cut(Self.log, to: length, padded: padded)
      guard cut.files[Self.log]!.bytes != disk.files[Self.log]!.bytes else { continue }
      var bench = try Bench(disk: cut)
      // A file that is being written has a round length: one that is not round lost its end, unless it ends with an entry.
      let isShort = !padded && !(6...9).contains { end(of: entries, through: UInt64($0)) == length }
      guard length >= marked, !isShort else {
        guard case .corrupt = bench.verdict else {
          Issue.record("cut at \(length): \(bench.verdict)")
          continue
        }
        continue
      }
      guard case .tornTail = bench.verdict else {
        Issue.record("cut at \(length): \(bench.verdict)")
        continue
      }
      let kept = UInt64((6...9).last { end(of: entries, through: UInt64($0)) <= length }!)
      #expect(bench.log.durable == Offset(kept))
      let found = try bench.readAll()
      #expect(found == entries.filter { $0.key <= kept })
      // It goes on, and the next opening finds nothing to cut.
      bench.append(count: 2)
      bench.run()
      try bench.reopen()
      #expect(bench.verdict == .clean)
      #expect(bench.log.durable == Offset(kept + 2))
    }
  }

  @Test("Any flipped bit of the log is noticed or harmless", arguments: [false, true])
  func flipEveryBit(marked: Bool) throws {
    let (disk, entries) = try shortLog(marked: marked)
    let whole = end(of: entries, through: 9)
    for bit in 0..<(whole + 40) * 8 {
      var flipped = disk
      flipped.flip(Self.log, bit: bit)
      var bench = try Bench(disk: flipped)
      if bit < whole * 8 {
        guard case .corrupt = bench.verdict else {
          Issue.record("bit \(bit): \(bench.verdict)")
          continue
        }
        #expect(bench.disk.performed.count == flipped.performed.count, "something was altered")
      } else {
        let found = try bench.readAll()
        #expect(found == entries, "bit \(bit)")
      }
    }
  }

  @Test("Any flipped bit of a closed segment is noticed when it is read, with its index or without", arguments: [false, true])
  func flipClosed(indexed: Bool) throws {
    var bench = try Bench()
    for _ in 0..<5 { bench.append(count: 40, size: 50) }
    bench.rest()
    #expect(bench.log.segmentCount > 1)
    let entries = bench.appended
    let end = bench.disk.files[Self.log]!.bytes.count
    for bit in stride(from: 0, to: end * 8, by: 101) {
      var disk = bench.disk
      disk.flip(Self.log, bit: bit)
      if !indexed { disk.files[.index(Offset(1))] = nil }
      do {
        let found = try replayed(disk)
        #expect(found == entries, "bit \(bit)")
        Issue.record("bit \(bit) was not noticed")
      } catch ReplayError.damage {}
    }
  }

  @Test("A mark that lost its second slot is made anew, and costs nothing")
  func shortMark() throws {
    var (disk, entries) = try shortLog(marked: true)
    for length in [DurableMarkSize.slot, DurableMarkSize.file - 1] {
      disk.cut(.mark, to: length, padded: false)
      let bench = try Bench(disk: disk)
      #expect(bench.verdict != .fresh && bench.log.durable == Offset(UInt64(entries.count)))
      #expect(bench.disk.files[.mark]?.bytes.count == DurableMarkSize.file)
      disk = bench.disk
    }
  }

  @Test("Files whose names no journal gives are nobody's: there is no entry 0, nor a last one that a number can say")
  func names() {
    let zero = String(repeating: "0", count: 20)
    for name in [zero + ".log", zero + ".index", "18446744073709551615.log", "18446744073709551615.snapshot", "04611686018427387905.log"] {
      #expect(JournalFileName(name) == nil, "\(name)")
    }
    #expect(JournalFileName("04611686018427387904.log") == .segment(Offset(1 << 62)))
    #expect(JournalFileName(zero + ".snapshot") == .snapshot(.zero))
  }

  @Test("A flipped bit of mark, index or term and vote never costs an entry")
  func flipBeside() throws {
    var bench = try Bench()
    for _ in 0..<5 { bench.append(count: 40, size: 50) }
    bench.rest()
    let entries = bench.appended
    for name in [JournalFileName.mark, .index(Offset(1)), .hardState] {
      for bit in stride(from: 0, to: bench.disk.files[name]!.bytes.count * 8, by: 17) {
        var disk = bench.disk
        disk.flip(name, bit: bit)
        let opened = try Bench(disk: disk)
        #expect(opened.verdict == .clean)
        let found = try replayed(disk)
        #expect(found == entries)
      }
    }
  }

  @Test("Crashes that lose or tear what was not synced cost nothing acknowledged, and are not taken for corruption")
  func randomCrashes() throws {
    for seed in 1...150 as ClosedRange<UInt64> {
      var generator = TestGenerator(seed: seed)
      var bench = try Bench()
      var acknowledged: UInt64 = 0
      for round in 0..<6 {
        for _ in 0..<generator.below(8) {
          bench.append(count: 1 + generator.below(12), size: 1 + generator.below(400))
          for _ in 0..<generator.below(4) where !bench.waiting.isEmpty { bench.runOne() }
          if generator.below(5) == 0 { bench.tick(milliseconds: round * 1000 + generator.below(900)) }
        }
        try bench.runPart(generator.below(5))
        acknowledged = max(acknowledged, bench.log.durable.value)
        bench.disk.crash(&generator)
        try bench.reopen()
        if case .corrupt(let damage) = bench.verdict {
          Issue.record("seed \(seed) round \(round): \(damage)")
          break
        }
        #expect(bench.log.durable.value >= acknowledged, "seed \(seed)")
        let found = try bench.readAll()
        #expect(found == bench.appended.filter { $0.key <= bench.log.durable.value }, "seed \(seed)")
        bench.appended = found
      }
    }
  }

  @Test("A crash while opening is survived by opening again")
  func crashWhileOpening() throws {
    let (whole, entries) = try shortLog(marked: true)
    var torn = whole
    torn.cut(Self.log, to: end(of: entries, through: 8) + 20, padded: true)
    for start in [SimulatedDisk(), torn] {
      for step in 0..<12 {
        for seed in 1...4 as ClosedRange<UInt64> {
          var disk = start
          disk.failing = (step, DiskError(.failed, operation: "test"))
          do throws(DiskError) { _ = try JournalLog.open(disk: &disk, settings: Bench.small) } catch {
            #expect(error.operation == "test")
          }
          disk.failing = nil
          var generator = TestGenerator(seed: seed)
          disk.crash(&generator)
          var bench = try Bench(disk: disk)
          if case .corrupt(let damage) = bench.verdict { Issue.record("step \(step) seed \(seed): \(damage)") }
          let found = try bench.readAll()
          #expect(found == (start.files.isEmpty ? [:] : entries.filter { $0.key <= 8 }))
        }
      }
    }
  }

  @Test("What a killed process left in the page cache is made durable before anything claims it")
  func powerCutAfterKill() throws {
    var bench = try Bench()
    bench.append(count: 3)
    bench.rest()
    bench.append(count: 9, size: 300)
    try bench.runPart(1)
    for step in 0..<8 {
      for seed in 1...30 as ClosedRange<UInt64> {
        var disk = bench.disk
        disk.failing = (step, DiskError(.failed, operation: "test"))
        do throws(DiskError) { _ = try JournalLog.open(disk: &disk, settings: Bench.small) } catch {
          #expect(error.operation == "test")
        }
        disk.failing = nil
        var generator = TestGenerator(seed: seed)
        disk.crash(&generator)
        var reopened = try Bench(disk: disk)
        if case .corrupt(let damage) = reopened.verdict { Issue.record("step \(step) seed \(seed): \(damage)") }
        let found = try reopened.readAll()
        #expect(found == bench.appended.filter { $0.key <= reopened.log.durable.value } && found.count >= 3)
      }
    }
  }

  @Test("A write that arrived up to the end of an entry and of a sector, and again further on, is a torn tail")
  func tornBetweenEntries() throws {
    var bench = try Bench()
    // 64 bytes of header, 3 of topic.
    let payload = [UInt8](repeating: 9, count: 512 - 64 - 3)
    bench.append([payload])
    bench.rest()
    bench.append([payload, payload, payload])
    bench.run()
    #expect(bench.appended.values.allSatisfy { $0.count == 512 })
    bench.disk.files[Self.log]!.bytes.replaceSubrange(1024..<1536, with: [UInt8](repeating: 0, count: 512))
    try bench.reopen()
    guard case .tornTail = bench.verdict else {
      Issue.record("\(bench.verdict)")
      return
    }
    #expect(bench.log.durable == Offset(2))
  }

  @Test("A payload that holds an entry does not turn a torn tail into corruption")
  func spoofedEntry() throws {
    var spoof = ByteBuffer()
    RecordDraft().encode(topic: "x", payload: [1, 2, 3], into: &spoof)
    spoof.withUnsafeMutableBytes {
      RecordStamp(offset: Offset(3), previous: .zero, time: WallTime(milliseconds: 1), term: 1).stamp($0.baseAddress!)
    }
    let copy = spoof.withUnsafeBytes { Array($0) }
    var bench = try Bench()
    bench.append(count: 1)
    bench.run()
    bench.append([copy + [UInt8](repeating: 7, count: 900)])
    bench.run()
    let end = bench.appended.values.reduce(0) { $0 + $1.count }
    bench.disk.cut(Self.log, to: end - 10, padded: true)
    try bench.reopen()
    guard case .tornTail = bench.verdict else {
      Issue.record("\(bench.verdict)")
      return
    }
    #expect(bench.log.durable == Offset(1))
  }

  @Test("Missing and short files are corruption")
  func missingFiles() throws {
    var bench = try Bench()
    for _ in 0..<12 { bench.append(count: 40, size: 50) }
    bench.rest()
    #expect(bench.log.segmentCount > 3)
    let segments = bench.disk.files.keys.compactMap { name -> Offset? in
      if case .segment(let first) = name { first } else { nil }
    }.sorted()
    for first in segments {
      var disk = bench.disk
      disk.files[.segment(first)] = nil
      var verdict = try Bench(disk: disk).verdict
      guard case .corrupt(.missingEntries(let from, _)) = verdict else {
        Issue.record("\(first) missing: \(verdict)")
        continue
      }
      #expect(from == first)
      for indexed in [true, false] {
        disk = bench.disk
        disk.cut(.segment(first), to: 300, padded: false)
        if !indexed { disk.files[.index(first)] = nil }
        verdict = try Bench(disk: disk).verdict
        guard case .corrupt = verdict else {
          Issue.record("\(first) short: \(verdict)")
          continue
        }
      }
    }
  }

  @Test("A lost vote is told")
  func lostVote() throws {
    var bench = try Bench()
    bench.log.saveHardState(HardState(term: 7, vote: NodeID(9)), into: &bench.output)
    bench.collect()
    bench.run()
    #expect(bench.facts.contains(.hardStateSaved(HardState(term: 7, vote: NodeID(9)))))
    var disk = bench.disk
    var opening = try JournalLog.open(disk: &disk, settings: Bench.small)
    #expect(opening.hardState == .found(HardState(term: 7, vote: NodeID(9))))
    disk.files[.hardState] = nil
    opening = try JournalLog.open(disk: &disk, settings: Bench.small)
    #expect(opening.hardState == .lost)
  }

  @Test("A directory that had a log and has none is damaged, and stays so until it is begun anew")
  func lostWhole() throws {
    var settings = Bench.small
    settings.mayBeNew = false
    var disk = SimulatedDisk()
    for _ in 0..<3 {
      let opening = try JournalLog.open(disk: &disk, settings: settings)
      #expect(opening.verdict == .corrupt(.missingEntries(from: Offset(1), through: Offset(1))))
      #expect(disk.files.isEmpty, "something was made")
    }
    var bench = try Bench(disk: disk, settings: settings)
    bench.restart(after: 0, snapshot: nil)
    bench.run()
    bench.append(count: 3)
    bench.rest()
    try bench.reopen()
    #expect(bench.verdict == .clean && bench.log.next == Offset(4))
  }
}

private enum DurableMarkSize {
  static let slot = 4096
  static let file = 8192
}
