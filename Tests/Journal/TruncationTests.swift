import Core
import Journal
import Testing

@Suite struct TruncationTests {
  /// Cuts, appends, and looks after every operation what a crash would leave. What was wrong.
  func check(
    _ scene: CutScene, inRounds: Bool, seeds: ClosedRange<UInt64> = 1...3, sabotage: ((inout DiskBatch) -> Void)? = nil
  ) throws -> [String] {
    var bench = try Bench()
    let cuts = try scene.prepare(&bench)
    bench.disk.putsSyncsOff = inRounds
    bench.sabotage = sabotage
    var complaints: [String] = []
    var step = 0
    let look = { (bench: borrowing Bench) in
      step += 1
      for seed in seeds where complaints.isEmpty {
        if let complaint = bench.complaintAfterCrash(seed: seed &+ UInt64(step) &* 1000) {
          complaints.append("\(scene) step \(step) seed \(seed): \(complaint)")
        }
      }
    }
    for cut in cuts {
      bench.truncate(from: cut)
      bench.append(count: 3, size: 400)
      bench.append(count: 2, size: 100)
    }
    look(bench)
    var rounds = 0
    while !bench.waiting.isEmpty, rounds < 200, complaints.isEmpty {
      bench.runRound(of: inRounds ? .max : 1, afterEach: look)
      if rounds == 3 { bench.disk.capacity = .max }
      if rounds < 6 { bench.append(count: 3, size: 300) }
      rounds += 1
    }
    bench.disk.capacity = .max
    bench.tick(milliseconds: 1_000_000)
    while !bench.waiting.isEmpty, complaints.isEmpty { bench.runRound(of: 1, afterEach: look) }
    guard complaints.isEmpty else { return complaints }
    bench.rest()
    let found = try bench.readAll()
    if found != bench.appended || bench.log.durable.next != bench.log.next { complaints.append("\(scene): not what was appended") }
    if bench.log.undurableBytes != 0 { complaints.append("\(scene): \(bench.log.undurableBytes) bytes are never durable") }
    try bench.reopen()
    if bench.verdict != .clean { complaints.append("\(scene): \(bench.verdict)") }
    return complaints
  }

  @Test("Whatever the log is doing, what is cut off is gone for good, and a crash at any step harms nothing", arguments: CutScene.allCases)
  func crashes(scene: CutScene) throws {
    for inRounds in [false, true] {
      let complaints = try check(scene, inRounds: inRounds)
      #expect(complaints.isEmpty, "\(complaints.prefix(5))")
    }
  }

  @Test("A write that straddles the cut makes durable what comes before the cut, and no more")
  func straddling() throws {
    var bench = try Bench()
    bench.append(count: 3)
    bench.rest()
    bench.facts = []
    bench.append(count: 4)
    bench.append(count: 4)
    bench.truncate(from: 6)
    #expect(bench.log.durable == Offset(3) && bench.log.undurableBytes == bench.appended[4]!.count + bench.appended[5]!.count)
    bench.run()
    #expect(bench.facts == [.durable(Offset(5))] && bench.log.undurableBytes == 0 && bench.log.counters.cuts == 1)
  }

  @Test("What is durable and cut off is not durable any more, at once, and is not read")
  func atOnce() throws {
    var bench = try Bench()
    for _ in 0..<6 { bench.append(count: 30, size: 150) }
    bench.rest()
    let extent = bench.log.extent(holding: Offset(100))
    #expect(extent.offsets.contains(Offset(100)) && bench.log.extent(holding: extent.offsets.upperBound) == extent)
    #expect(extent.bytes == (extent.offsets.lowerBound.value...extent.offsets.upperBound.value).reduce(0) { $0 + bench.appended[$1]!.count })
    bench.truncate(from: 100)
    #expect(bench.log.durable == Offset(99))
    let gone = bench.log.plan(single: Offset(100))
    #expect(gone == nil)
    let found = try bench.readAll()
    #expect(found == bench.appended)
    bench.run()
    for value in extent.offsets.upperBound.value..<181 { #expect(bench.disk.files[.segment(Offset(value))] == nil) }
  }

  @Test("After a cut the first entry at or after a time is found as before")
  func times() throws {
    var bench = try Bench()
    for time in stride(from: 1000, to: 3000, by: 10) as StrideTo<Int64> { bench.append(count: 2, size: 60, at: time) }
    bench.rest()
    bench.truncate(from: 201)
    for time in stride(from: 3000, to: 4000, by: 10) as StrideTo<Int64> { bench.append(count: 2, size: 60, at: time) }
    bench.rest()
    for time in stride(from: 990, to: 3990, by: 7) as StrideTo<Int64> {
      let wanted: Int64 = time <= 1000 ? 1 : time <= 1990 ? (time - 1000 + 9) / 10 * 2 + 1 : max(0, (time - 3000 + 9) / 10) * 2 + 201
      guard case .read(let plan) = bench.log.search(time: WallTime(milliseconds: time)) else {
        Issue.record("time \(time)")
        continue
      }
      let found = try plan.parse(bench.read(plan), time: WallTime(milliseconds: time))
      #expect(found == Offset(UInt64(wanted)), "time \(time)")
    }
  }

  @Test("A truncation done wrong is caught", arguments: WrongTruncation.allCases)
  func planted(wrong: WrongTruncation) throws {
    let caught = try CutScene.allCases.contains { scene in
      try [false, true].contains { inRounds in
        try !check(scene, inRounds: inRounds, seeds: 1...6) { wrong.sabotage(&$0) }.isEmpty
      }
    }
    #expect(caught)
  }
}

/// How the batches of a truncation could be wrong.
enum WrongTruncation: String, CaseIterable {
  case keepsIndex, keepsMark, keepsLaterSegments, keepsEnd, marksLast, deletesOldestFirst, cutsFirst, forgetsFooter, forgetsFooterSync

  func sabotage(_ batch: inout DiskBatch) {
    if let reserve = batch.operations.first, reserve.isReserve, batch.operations.count == 3 {
      if self == .forgetsFooter { batch.operations.removeLast(2) }
      if self == .forgetsFooterSync { batch.operations.removeLast() }
    }
    guard batch.operations.contains(where: \.isTruncationOfSegment), case .delete(.index) = batch.operations[0] else { return }
    switch self {
    case .keepsIndex: batch.operations.removeAll { if case .delete(.index) = $0 { true } else { false } }
    case .keepsMark: batch.operations.removeAll { $0.file == .mark }
    case .keepsLaterSegments: batch.operations.removeAll(where: \.isDeletionOfSegment)
    case .keepsEnd: batch.operations.removeAll(where: \.isTruncationOfSegment)
    case .marksLast:
      batch.operations = batch.operations.filter { $0.file != .mark } + batch.operations.filter { $0.file == .mark }
    case .deletesOldestFirst:
      let deletions = batch.operations.filter(\.isDeletionOfSegment)
      let at = batch.operations.firstIndex(where: \.isDeletionOfSegment) ?? 0
      batch.operations.removeAll(where: \.isDeletionOfSegment)
      batch.operations.insert(contentsOf: deletions.reversed(), at: at)
    case .cutsFirst:
      let cut = batch.operations.filter(\.isTruncationOfSegment)
      batch.operations.removeAll(where: \.isTruncationOfSegment)
      batch.operations.insert(contentsOf: cut, at: 0)
    case .forgetsFooter, .forgetsFooterSync: break
    }
  }
}

extension DiskOperation {
  fileprivate var isDeletionOfSegment: Bool {
    if case .delete(.segment) = self { true } else { false }
  }
}
