public import Core

/// Beginning anew: the log of this replica is worth nothing any more, or is damaged, and its leader has another.
///
/// On the disk, in this order: a mark that says that nothing else counts; every file of the log and every snapshot
/// goes; term and vote; the snapshot; the first segment; a mark that says where the log begins. A crash before the
/// last of it is found as `unfinishedRestart`, to be repaired by another restart.
extension JournalLog {
  /// Forgets the whole log, for good, and begins anew after `base`, with this term and vote, and a snapshot if
  /// there is any; that may be above `base`, when the log is to be filled up to it. The fact `restarted` says when
  /// that is durable, `restartRefused` that the disk has no room for it; nothing may be appended before. Without a
  /// snapshot that reaches `base`, opening will find the log damaged, unless `base` is 0.
  ///
  /// Also for a damaged journal, whose repair it is; not for a dead one. A snapshot that is being written is refused;
  /// plans made before are void: see `JournalCounters.cuts`.
  public mutating func restart(
    after base: Offset, snapshot: Snapshot?, hardState: HardState, into output: inout JournalOutput
  ) {
    precondition(failure == nil && !isRestarting, "a restart of a journal that is dead or restarting")
    precondition(snapshot.map { $0.offset >= base } ?? true, "a snapshot below where the log begins")
    // Two marks under way could both be torn; this waits for those before and changes nothing.
    var operations: [DiskOperation] = marksInFlight > 0 ? [.truncate(.mark, to: DurableMark.fileSize)] : []
    let gone = everyFile
    let stored = snapshot.map { StoredSnapshot.of($0) }
    forgetEverything(into: &output)
    beginAgain(after: base, snapshot: stored?.stored)

    let begun = DurableMark(restartingAt: mark.sequence + 1)
    let whole = DurableMark(of: self, sequence: mark.sequence + 2)
    operations += hasMark ? begun.written : begun.replaced
    operations += gone.map { .delete($0) }
    // Always written: what is there may tell of commits that the new log does not reach yet.
    operations.append(.replace(.hardState, header: HardStateFile.encode(hardState), body: Bytes()))
    if let snapshot, let header = stored?.header {
      operations.append(.replace(.snapshot(snapshot.offset), header: header, body: snapshot.body))
    }
    operations.append(.create(segments[0].file, reserve: segments[0].reserved))
    operations += hasMark ? whole.written : whole.replaced
    leftovers = gone + operations.map(\.file).filter { $0 != .mark && $0 != .hardState && !gone.contains($0) }
    emit(.restart(Restart(base: base, snapshot: stored?.stored, mark: whole, replacesMark: !hasMark)), operations, into: &output)
  }

  mutating func restarted(_ restart: Restart, into output: inout JournalOutput) {
    isRestarting = false
    damage = nil
    leftovers = []
    hasMark = true
    mark = restart.mark
    // The other slot still says that a restart is under way.
    markIsStale = true
    if let snapshot = restart.snapshot { snapshots = [snapshot] }
    output.facts.append(.restarted(after: restart.base))
  }

  /// What was written stays; the next attempt writes the same first mark over it.
  mutating func restartRefused(into output: inout JournalOutput) {
    isRestarting = false
    output.facts.append(.restartRefused)
  }

  /// What is there, or will be when the batches under way are done.
  private var everyFile: [JournalFileName] {
    var files = leftovers
    files += segments.flatMap { [.segment($0.first), .index($0.first)] }
    files += (snapshots.map(\.offset) + damagedSnapshots).map { .snapshot($0) }
    if let snapshotInFlight { files.append(.snapshot(snapshotInFlight.offset)) }
    var seen: Set<JournalFileName> = []
    return files.filter { seen.insert($0).inserted }
  }

  /// Batches under way end as they may; only term and vote still matter to anybody.
  private mutating func forgetEverything(into output: inout JournalOutput) {
    inFlight.keep { batch in
      if case .hardState = batch.purpose { return true }
      batch.isObsolete = true
      return true
    }
    held.removeAll()
    undurableBytes = 0
    spaceRequest = nil
    if lackedSpace != nil { output.facts.append(.roomAgain) }
    lackedSpace = nil
    if let snapshotInFlight { output.facts.append(.snapshotRefused(snapshotInFlight.offset)) }
    snapshotInFlight = nil
    snapshots = []
    damagedSnapshots = []
    removed += segments.count
    counters.cuts += 1
  }

  private mutating func beginAgain(after base: Offset, snapshot: StoredSnapshot?) {
    isRestarting = true
    damage = .unfinishedRestart
    var segment = Segment(first: base.next)
    segment.isCreated = true
    segment.reserved = Self.rounded(settings.firstReserveBytes)
    segments = [segment]
    durable = base
    scrubNext = base.next
    filling = snapshot?.offset ?? .zero
    committed = max(base, filling)
  }
}

/// A beginning that is under way.
struct Restart: Sendable {
  var base: Offset
  var snapshot: StoredSnapshot?
  /// The mark that ends it.
  var mark: DurableMark
  /// Whether the marks' file is made anew, because there is none that is whole.
  var replacesMark: Bool
}

extension DurableMark {
  fileprivate init(restartingAt sequence: UInt64) {
    self.sequence = sequence
    isRestarting = true
  }

  fileprivate var replaced: [DiskOperation] { [.replace(.mark, header: encodedFile(), body: Bytes())] }
}
