public import Core

extension JournalLog {
  /// Writes the shard's state after everything up to `snapshot.offset`, which must be durable, was applied.
  /// One at a time.
  public mutating func writeSnapshot(_ snapshot: Snapshot, into output: inout JournalOutput) {
    precondition(failure == nil && damage == nil && snapshotInFlight == nil)
    precondition(snapshot.offset <= durable, "a snapshot of what is not durable")
    let (stored, header) = StoredSnapshot.of(snapshot)
    snapshotInFlight = stored
    emit(.snapshot(stored), [.replace(.snapshot(snapshot.offset), header: header, body: snapshot.body)], into: &output)
  }

  mutating func snapshotWritten(_ snapshot: StoredSnapshot, into output: inout JournalOutput) {
    snapshotInFlight = nil
    if snapshots.last?.offset == snapshot.offset { snapshots.removeLast() }
    snapshots.append(snapshot)
    let surplus = max(0, snapshots.count - Self.keptSnapshots)
    let deletions = snapshots.prefix(surplus).map(\.offset) + damagedSnapshots.filter { $0 != snapshot.offset }
    snapshots.removeFirst(surplus)
    damagedSnapshots = []
    if !deletions.isEmpty { emit(.tidy, deletions.map { .delete(.snapshot($0)) }, into: &output) }
    output.facts.append(.snapshotWritten(snapshot.offset))
  }

  /// One to use, one to fall back to.
  static var keptSnapshots: Int { 2 }

  /// A plan for some of the body of a durable snapshot, whose bytes are taken as they are, and whether they are its
  /// last. Nil when that snapshot is gone, or `position` is not inside. Fewer bytes than the plan's are damage.
  public func snapshotPlan(_ offset: Offset, at position: Int, maximumBytes: Int) -> (plan: ReadPlan, isLast: Bool)? {
    guard let snapshot = snapshots.last(where: { $0.offset == offset }) else { return nil }
    guard position >= 0, position < max(1, snapshot.bytes) else { return nil }
    let length = min(snapshot.bytes - position, max(1, maximumBytes))
    let plan = ReadPlan(snapshot: offset, position: SnapshotFile.headerSize + position, length: length)
    return (plan, position + length == snapshot.bytes)
  }

  /// What `Snapshot.checksum` of it must be, so that who got it in parts knows that it is whole. Nil when it is gone.
  public func snapshotChecksum(_ offset: Offset) -> UInt32? {
    snapshots.last { $0.offset == offset }?.checksum
  }
}
