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
