import Core
import Journal
import Testing

@Suite struct RestartTests {
  static let snapshot = Snapshot(offset: Offset(75), body: Bytes("state of the leader"))
  static let voted = HardState(term: 9, vote: NodeID(3))

  /// Damages a log that was opened whole.
  enum Damage: String, CaseIterable {
    case noSegment, shortSegment, middleSegment, rottenEntry, noMark, rottenMark, rottenSnapshot

    func happen(to disk: inout SimulatedDisk) {
      let segments = disk.files.keys.compactMap { if case .segment(let first) = $0 { first } else { nil } }.sorted()
      switch self {
      case .noSegment: disk.files[.segment(segments[segments.count - 1])] = nil
      case .shortSegment: disk.cut(.segment(segments[segments.count - 1]), to: 10, padded: false)
      case .middleSegment: disk.files[.segment(segments[1])] = nil
      case .rottenEntry:
        let name = JournalFileName.segment(segments[segments.count - 1])
        disk.flip(name, bit: 8 * (disk.files[name]!.bytes.lastIndex { $0 != 0 }! - 60))
      case .noMark, .rottenMark:
        disk.files[.segment(segments[1])] = nil
        if self == .noMark { disk.files[.mark] = nil }
        if self == .rottenMark { for slot in [0, 4096] { disk.flip(.mark, bit: (slot + 20) * 8) } }
      case .rottenSnapshot:
        for name in disk.files.keys { if case .snapshot = name { disk.flip(name, bit: 8 * 33) } }
      }
    }
  }

  func damagedBench(_ damage: Damage) throws -> Bench {
    var bench = try Bench()
    for time in 0..<10 { bench.append(count: 40, size: 150, at: 1000 + Int64(time) * 1000) }
    bench.rest()
    bench.log.writeSnapshot(Snapshot(offset: Offset(300), body: Bytes("old")), into: &bench.output)
    bench.collect()
    bench.run()
    bench.log.trim(
      at: WallTime(milliseconds: 5000), Retention(ageMilliseconds: 1_000_000, bytes: 30_000), keepFrom: Offset(.max),
      into: &bench.output)
    bench.collect()
    bench.rest()
    #expect(bench.log.first > Offset(1) && bench.log.segmentCount > 2)
    damage.happen(to: &bench.disk)
    try bench.reopen()
    guard case .corrupt = bench.verdict else { throw Unexpected(what: "\(damage): \(bench.verdict)") }
    return bench
  }

  /// Restarts, fills the log, and looks after every operation what a crash would leave. What was wrong.
  func check(
    _ bench: inout Bench, inRounds: Bool, seeds: ClosedRange<UInt64> = 1...3, sabotage: ((inout DiskBatch) -> Void)? = nil
  ) throws -> [String] {
    bench.disk.putsSyncsOff = inRounds
    bench.sabotage = sabotage
    let before = bench.hardState
    var complaints: [String] = []
    var step = 0
    let look = { (bench: borrowing Bench) in
      step += 1
      for seed in seeds where complaints.isEmpty {
        guard let complaint = bench.complaintAfterCrash(seed: seed &+ UInt64(step) &* 1000) else { continue }
        complaints.append("step \(step) seed \(seed): \(complaint)")
      }
    }
    bench.restart(after: 60, snapshot: Self.snapshot, hardState: Self.voted)
    look(bench)
    while !bench.waiting.isEmpty, complaints.isEmpty { bench.runRound(of: inRounds ? .max : 1, afterEach: look) }
    guard complaints.isEmpty else { return complaints }
    #expect(bench.facts.contains(.restarted(after: Offset(60))) && bench.log.admission == .accepting)
    #expect(before != .found(Self.voted))
    for _ in 0..<12 {
      bench.append(count: 4, size: 300)
      while !bench.waiting.isEmpty, complaints.isEmpty { bench.runRound(of: inRounds ? .max : 1, afterEach: look) }
      guard complaints.isEmpty else { return complaints }
    }
    bench.rest()
    try bench.reopen()
    let found = try bench.readAll()
    if bench.verdict != .clean { complaints.append("\(bench.verdict)") }
    if found != bench.appended { complaints.append("not what was appended") }
    if bench.hardState != .found(Self.voted) { complaints.append("\(bench.hardState)") }
    if bench.foundSnapshot != Self.snapshot { complaints.append("\(String(describing: bench.foundSnapshot))") }
    for name in bench.disk.files.keys {
      switch name {
      case .segment(let first), .index(let first): if first <= Offset(60) { complaints.append("\(name) is still there") }
      case .snapshot(let offset): if offset != Self.snapshot.offset { complaints.append("\(name) is still there") }
      case .mark, .hardState: break
      }
    }
    return complaints
  }

  @Test("Whatever the log is doing, it begins anew whole or says that it has not", arguments: CutScene.allCases)
  func healthy(scene: CutScene) throws {
    for inRounds in [false, true] {
      var bench = try Bench()
      _ = try scene.prepare(&bench)
      bench.disk.capacity = .max
      let complaints = try check(&bench, inRounds: inRounds)
      #expect(complaints.isEmpty, "\(complaints.prefix(5))")
    }
  }

  @Test("A damaged log is repaired by beginning anew, and nothing of it stays", arguments: Damage.allCases)
  func repair(damage: Damage) throws {
    for inRounds in [false, true] {
      var bench = try damagedBench(damage)
      let complaints = try check(&bench, inRounds: inRounds)
      #expect(complaints.isEmpty, "\(complaints.prefix(5))")
    }
  }

  @Test("A restart done wrong is caught", arguments: WrongRestart.allCases)
  func planted(wrong: WrongRestart) throws {
    // Both marks torn at once is rare.
    let seeds: ClosedRange<UInt64> = wrong == .noBarrier ? 1...200 : 1...4
    let caught = try [true, false].contains { inRounds in
      try [CutScene.markInFlight, .acrossSegments, .atRest].contains { scene in
        var bench = try Bench()
        _ = try scene.prepare(&bench)
        return try !check(&bench, inRounds: inRounds, seeds: seeds) { wrong.sabotage(&$0) }.isEmpty
      }
        || [Damage.middleSegment, .rottenSnapshot].contains { damage in
          var bench = try damagedBench(damage)
          return try !check(&bench, inRounds: inRounds, seeds: 1...4) { wrong.sabotage(&$0) }.isEmpty
        }
    }
    #expect(caught)
  }

  @Test("Want of space for the new beginning is told, and it is repaired later; any other failure is the end")
  func failures() throws {
    for kind in [DiskError.Kind.noSpace, .failed] {
      for markThere in [true, false] {
        for step in 0..<60 {
          var bench = try damagedBench(markThere ? .rottenEntry : .noMark)
          bench.restart(after: 60, snapshot: Self.snapshot, hardState: Self.voted)
          let operations = bench.waiting[0].operations
          guard step < operations.count else { break }
          bench.disk.failing = (step, DiskError(kind, operation: "test", file: operations[step].file))
          if kind == .noSpace, !operations[step].mayLackSpace { continue }
          bench.run()
          guard kind == .noSpace else {
            guard case .dead = bench.log.admission else {
              Issue.record("\(operations[step]) failed: \(bench.log.admission)")
              continue
            }
            continue
          }
          #expect(bench.facts.last == .restartRefused && bench.log.admission == .damaged(.unfinishedRestart))
          bench.tick(milliseconds: 1_000_000)
          #expect(bench.waiting.isEmpty)
          if step > 2 {
            let complaint = bench.complaintAfterCrash(seed: UInt64(step))
            #expect(complaint == nil, "\(operations[step])")
          }
          bench.facts = []
          let complaints = try check(&bench, inRounds: false, seeds: 1...4)
          #expect(complaints.isEmpty, "after \(operations[step]): \(complaints.prefix(3))")
        }
      }
    }
  }

  @Test("While the log is filled up to its snapshot the snapshot proves nothing; afterwards it does")
  func filling() throws {
    var bench = try Bench()
    bench.append(count: 3)
    bench.rest()
    bench.restart(after: 60, snapshot: Self.snapshot)
    bench.run()
    #expect(bench.log.snapshotOffset == Offset(75) && bench.log.durable == Offset(60))
    for expected in [60, 66, 72, 78, 84] as [UInt64] {
      #expect(bench.log.durable == Offset(expected))
      for rests in [false, true] {
        if rests { bench.rest() }
        let disk = bench.disk
        try bench.reopen()
        #expect(bench.foundSnapshot == Self.snapshot)
        if case .corrupt(let damage) = bench.verdict { Issue.record("at \(expected): \(damage)") }
        let found = try replayed(disk)
        #expect(found == bench.appended.filter { $0.key > 75 })
        // The last entries go missing: proved by the mark, and by the snapshot once the log had reached it.
        var shorter = disk
        shorter.cut(.segment(Offset(61)), to: expected == 60 ? 0 : 20, padded: true)
        if expected > 60, rests {
          let missing = try Bench(disk: shorter)
          guard case .corrupt = missing.verdict else {
            Issue.record("at \(expected) nothing was missed")
            continue
          }
        }
      }
      bench.append(count: 6, size: 40)
      bench.run()
    }
  }

  @Test("Term and vote on their way to the disk are told of still; a snapshot on its way is refused")
  func underWay() throws {
    var bench = try Bench()
    bench.append(count: 9)
    bench.rest()
    bench.log.saveHardState(Self.voted, into: &bench.output)
    bench.log.writeSnapshot(Snapshot(offset: Offset(4), body: Bytes("old")), into: &bench.output)
    bench.collect()
    bench.facts = []
    bench.restart(after: 60, snapshot: Self.snapshot)
    let later = HardState(term: 10, vote: nil)
    bench.log.saveHardState(later, into: &bench.output)
    bench.collect()
    bench.run()
    #expect(
      bench.facts == [
        .snapshotRefused(Offset(4)), .hardStateSaved(Self.voted), .restarted(after: Offset(60)), .hardStateSaved(later),
      ])
    try bench.reopen()
    #expect(bench.hardState == .found(later) && bench.foundSnapshot == Self.snapshot)
  }

  @Test("A restart without a snapshot begins with the first entry")
  func fromTheFirst() throws {
    var bench = try Bench()
    bench.append(count: 30, size: 300)
    bench.rest()
    bench.restart(after: 0, snapshot: nil)
    bench.run()
    bench.append(count: 3)
    bench.rest()
    try bench.reopen()
    #expect(bench.verdict == .clean && bench.log.next == Offset(4) && bench.hardState == .found(HardState()))
    let found = try bench.readAll()
    #expect(found == bench.appended)
  }
}

struct Unexpected: Error {
  var what: String
}

/// How the batch of a restart could be wrong.
enum WrongRestart: String, CaseIterable {
  case noFirstMark, noLastMark, firstMarkLate, lastMarkEarly, noBarrier, keepsSegments, keepsSnapshots, keepsLeftovers, noSnapshot
  case noHardState

  func sabotage(_ batch: inout DiskBatch) {
    guard batch.operations.contains(where: { if case .create(.segment(Offset(61)), _) = $0 { true } else { false } }),
      batch.operations.count(where: { $0.isMarkWrite }) == 2
    else { return }
    let first = batch.operations.firstIndex { $0.isMarkWrite }!
    let last = batch.operations.lastIndex { $0.isMarkWrite }!
    switch self {
    case .noFirstMark: batch.operations.removeSubrange(first...first + 1)
    case .noLastMark: batch.operations.removeSubrange(last...last + 1)
    case .firstMarkLate:
      let mark = batch.operations[first...first + 1]
      batch.operations.removeSubrange(first...first + 1)
      batch.operations.insert(contentsOf: mark, at: first + 3)
    case .lastMarkEarly:
      let mark = batch.operations[last...last + 1]
      batch.operations.removeSubrange(last...last + 1)
      batch.operations.insert(contentsOf: mark, at: last - 1)
    case .noBarrier: batch.operations.removeAll { if case .truncate(.mark, _) = $0 { true } else { false } }
    case .keepsSegments:
      batch.operations.removeAll { if case .delete(.segment(let first)) = $0 { first > Offset(61) } else { false } }
    case .keepsSnapshots: batch.operations.removeAll { if case .delete(.snapshot) = $0 { true } else { false } }
    case .keepsLeftovers:
      let at = batch.operations.lastIndex { if case .delete = $0 { true } else { false } }!
      batch.operations.remove(at: at)
    case .noSnapshot: batch.operations.removeAll { if case .replace(.snapshot, _, _) = $0 { true } else { false } }
    case .noHardState: batch.operations.removeAll { $0.file == .hardState }
    }
  }
}

extension DiskOperation {
  fileprivate var isMarkWrite: Bool {
    if case .write(.mark, _, _) = self { true } else { false }
  }
}
