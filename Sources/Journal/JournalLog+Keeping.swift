public import Core

/// Marks, snapshots, term and vote: what is written beside the log.
extension JournalLog {
  /// Time passed. Call it every 50 ms or so.
  public mutating func tick(at now: Instant, into output: inout JournalOutput) {
    if appendedSinceTick {
      appendedSinceTick = false
      lastAppendAt = now
    }
    guard failure == nil, damage == nil else { return }
    retrySpace(at: now, into: &output)
    writeMarkIfDue(at: now, into: &output)
    let active = segments.count - 1
    if settings.claimsDurability,
      segments[active].durableEnd - segments[active].indexedEnd >= settings.indexSaveBytes
    {
      emit(.index, [saveIndex(of: active)], into: &output)
    }
  }

  private mutating func writeMarkIfDue(at now: Instant, into output: inout JournalOutput) {
    guard !markInFlight, markIsStale || (settings.claimsDurability && durable > mark.durable) else { return }
    let isIdle = durable.next == next && now - lastAppendAt >= settings.idleMarkAfter
    guard isIdle || now - lastMarkAt >= settings.busyMarkEvery else { return }
    lastMarkAt = now
    emit(.mark, nextMark(), into: &output)
  }

  /// The operations that write down where the log begins, where it is written and how far it is durable.
  mutating func nextMark() -> [DiskOperation] {
    precondition(!markInFlight, "two marks under way could both be torn")
    markInFlight = true
    markIsStale = false
    mark = DurableMark(of: self, sequence: mark.sequence + 1)
    return [.write(.mark, at: mark.position, mark.encoded()), .sync(.mark)]
  }

  /// Writes the shard's state after everything up to `snapshot.offset`, which must be durable, was applied.
  /// One at a time.
  public mutating func writeSnapshot(_ snapshot: Snapshot, into output: inout JournalOutput) {
    precondition(failure == nil && damage == nil && !snapshotInFlight)
    precondition(snapshot.offset <= durable, "a snapshot of what is not durable")
    snapshotInFlight = true
    emit(
      .snapshot(snapshot.offset),
      [.replace(.snapshot(snapshot.offset), header: SnapshotFile.header(of: snapshot), body: snapshot.body)], into: &output)
  }

  mutating func snapshotWritten(_ offset: Offset, into output: inout JournalOutput) {
    snapshotInFlight = false
    if snapshots.last != offset { snapshots.append(offset) }
    let surplus = max(0, snapshots.count - Self.keptSnapshots)
    let deletions = snapshots.prefix(surplus) + damagedSnapshots.filter { $0 != offset }
    snapshots.removeFirst(surplus)
    damagedSnapshots = []
    if !deletions.isEmpty { emit(.tidy, deletions.map { .delete(.snapshot($0)) }, into: &output) }
    output.facts.append(.snapshotWritten(offset))
  }

  /// One to use, one to fall back to.
  static var keptSnapshots: Int { 2 }

  /// Everything up to here is committed. The mark tells it when it is written next; it is not written for it.
  public mutating func note(committed offset: Offset) {
  }

  public mutating func saveHardState(_ state: HardState, into output: inout JournalOutput) {
    precondition(failure == nil && damage == nil)
    emit(
      .hardState(state), [.replace(.hardState, header: HardStateFile.encode(state), body: Bytes())], into: &output)
  }
}

extension DurableMark {
  init(of log: borrowing JournalLog, sequence: UInt64) {
    self.sequence = sequence
    guard log.settings.claimsDurability else { return }
    durable = log.durable
    first = log.first
    active = log.segments.last { $0.isCreated }?.first ?? .zero
  }
}
