import Core
import Journal
import Testing

/// What else a crash may leave, until a batch is answered.
struct Alternative {
  var entries: [UInt64: [UInt8]]
  var base: UInt64
  /// How far it must reach.
  var durable: UInt64
  /// The snapshot that must be there.
  var snapshot: Offset?
  /// No log, but this.
  var damage: JournalDamage?
  var until: JournalTicket
}

extension Bench {
  /// Cuts the log and goes on in a new term.
  mutating func truncate(from cut: UInt64) {
    let extent = log.extent(holding: Offset(cut))
    let dropped = (cut...extent.offsets.upperBound.value).reduce(0) { $0 + appended[$1]!.count }
    log.truncate(from: Offset(cut), droppedBytes: dropped, into: &output)
    let batch = output.batches.first { batch in batch.operations.contains { $0.isTruncationOfSegment } }
    if let batch { alternatives.append(Alternative(entries: appended, base: base, durable: log.durable.value, until: batch.ticket)) }
    appended = appended.filter { $0.key < cut }
    term += 1
    collect()
    #expect(log.next == Offset(cut) && log.durable < Offset(cut))
  }

  /// Forgets the log.
  mutating func restart(after base: UInt64, snapshot: Snapshot?, hardState: HardState = HardState()) {
    let durable = log.durable.value
    var damage: JournalDamage?
    if case .damaged(let found) = log.admission { damage = found }
    log.restart(after: Offset(base), snapshot: snapshot, hardState: hardState, into: &output)
    let ticket = output.batches.last!.ticket
    // What an earlier cut left possible stays so only until this is done, too.
    alternatives.append(
      Alternative(entries: appended, base: self.base, durable: durable, snapshot: self.snapshot, damage: damage, until: ticket))
    alternatives.append(Alternative(entries: [:], base: 0, durable: 0, damage: .unfinishedRestart, until: ticket))
    appended = [:]
    self.base = base
    self.snapshot = snapshot?.offset
    term += 1
    collect()
    #expect(log.next == Offset(base + 1) && log.durable == Offset(base) && log.first == Offset(base + 1))
  }

  /// Power is cut now. What is wrong with what is found then, if anything is.
  func complaintAfterCrash(seed: UInt64) -> String? {
    var generator = TestGenerator(seed: seed)
    var crashed = disk
    crashed.crash(&generator)
    do {
      var found = try Bench(disk: crashed, settings: settings)
      if let complaint = try judge(&found) { return complaint }
      found.disk.capacity = .max
      if case .damaged = found.log.admission {
        found.restart(after: 70, snapshot: Snapshot(offset: Offset(75), body: Bytes("repair")))
        found.run()
        let expected: Set<JournalFileName> = [.mark, .segment(Offset(71)), .snapshot(Offset(75))]
        guard Set(found.disk.files.keys).subtracting([.hardState]) == expected else { return "files left by the repair" }
      }
      // It goes on from there.
      let entries = try found.readAll()
      found.appended = entries
      found.term = 1000
      found.append(count: 3, size: 100)
      found.run()
      found.rest()
      let after = found.appended
      try found.reopen()
      guard found.verdict == .clean else { return "afterwards \(found.verdict)" }
      return try found.readAll() == after ? nil : "afterwards other entries"
    } catch {
      return "\(error)"
    }
  }

  private func judge(_ found: inout Bench) throws -> String? {
    if found.replaced.contains(.mark), !replaced.contains(.mark) { return "both marks are torn" }
    if case .corrupt(let damage) = found.verdict {
      if damage == .unfinishedRestart, found.log.snapshotOffset != nil || found.foundSnapshot != nil { return "half a restart" }
      return alternatives.contains { $0.damage == damage } ? nil : "\(damage)"
    }
    let entries = try found.readAll()
    let first = found.log.first.value
    let last = found.log.durable.value
    guard Set(entries.keys) == Set(first..<last + 1) else { return "entries missing between \(first) and \(last)" }
    let now = Alternative(entries: appended, base: base, durable: log.durable.value, snapshot: snapshot, until: JournalTicket(0))
    let complaints = ([now] + alternatives.filter { $0.damage == nil }).map { $0.complaint(entries, first, last, found.log.snapshotOffset) }
    return complaints.contains(nil) ? nil : complaints[0]
  }
}

extension Alternative {
  fileprivate func complaint(_ found: [UInt64: [UInt8]], _ first: UInt64, _ last: UInt64, _ foundSnapshot: Offset?) -> String? {
    if let snapshot, foundSnapshot ?? .zero < snapshot { return "no snapshot" }
    guard first > base, last >= durable else { return "\(first) to \(last) of a log after \(base) durable to \(durable)" }
    let wrong = found.keys.filter { entries[$0] != found[$0] }.sorted()
    return wrong.isEmpty ? nil : "other entries from \(wrong[0]) on"
  }
}

extension DiskOperation {
  var isTruncationOfSegment: Bool {
    if case .truncate(.segment, _) = self { true } else { false }
  }
}
