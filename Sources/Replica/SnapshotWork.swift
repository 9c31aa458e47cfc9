internal import Core
internal import Journal
internal import Raft
internal import Shard

/// When a snapshot is due, and the one under way: a copy of the state, encoded a slice per tick.
struct SnapshotWork: ~Copyable {
  /// The newest snapshot on the disk.
  private(set) var lastOffset: Offset
  /// The one before it, 0 if it is not known: the journal keeps both, and what the older one needs.
  private(set) var olderOffset = Offset.zero
  private var startedAt: Instant
  private var bytesSince = 0
  private(set) var entriesSince = 0
  private var entriesInside = 0
  private var encoder: SnapshotEncoder?
  private var buffer = ByteBuffer()
  private var finished: Snapshot?
  private var isAtDisk = false
  /// Bytes of the last one: a state larger than the log it shortens is not written again for each bit of log.
  private var lastSize = 0

  /// `applied` is where replaying ended.
  init(lastOffset: Offset, applied: Offset, at now: Instant) {
    self.lastOffset = lastOffset
    entriesSince = Int(applied.value - min(lastOffset, applied).value)
    startedAt = now
  }

  /// Neither encoding nor writing.
  var isIdle: Bool { encoder == nil && finished == nil && !isAtDisk }

  mutating func note(bytes: Int, entries: Int) {
    bytesSince += bytes
    entriesSince += entries
  }

  var canBegin: Bool { isIdle && entriesSince > 0 }

  func isDue(_ settings: ReplicaSettings, at now: Instant) -> Bool {
    guard isIdle, entriesSince > 0 else { return false }
    let retention = settings.retention
    let enough = min(settings.snapshotEveryBytes, max(settings.smallestSnapshotEveryBytes, retention.bytes / 4, lastSize))
    // No age makes it longer than `snapshotEvery`, so that a span of nanoseconds holds it.
    let age = TimeSpan.milliseconds(Int(min(retention.ageMilliseconds, Int64(settings.snapshotEvery.milliseconds))))
    let longEnough = max(settings.shortestSnapshotEvery, age)
    return bytesSince >= enough || entriesSince >= settings.snapshotEveryEntries || now - startedAt >= longEnough
  }

  mutating func begin(_ state: borrowing ShardState, _ outline: LogOutline, at now: Instant) {
    encoder = SnapshotEncoder(copy state)
    buffer = ByteBuffer()
    ReplicaSnapshot.begin(outline, into: &buffer)
    startedAt = now
    bytesSince = 0
    entriesInside = entriesSince
    entriesSince = 0
  }

  /// Encodes about `limit` bytes more.
  mutating func advance(by limit: Int) {
    guard encoder != nil else { return }
    let (wanted, overflow) = buffer.count.addingReportingOverflow(limit)
    guard encoder!.encode(into: &buffer, limit: overflow ? .max : wanted) else { return }
    let offset = encoder!.applied
    encoder = nil
    var whole = ByteBuffer()
    swap(&whole, &buffer)
    ReplicaSnapshot.end(&whole)
    lastSize = whole.count
    finished = Snapshot(offset: offset, body: whole.freeze())
  }

  /// The finished snapshot, once everything in it is durable: a snapshot must not be ahead of its log.
  mutating func takeFinished(durable: Offset) -> Snapshot? {
    guard let snapshot = finished, snapshot.offset <= durable else { return nil }
    finished = nil
    isAtDisk = true
    return snapshot
  }

  mutating func written(_ offset: Offset) {
    if offset > lastOffset { olderOffset = lastOffset }
    lastOffset = offset
    isAtDisk = false
  }

  /// The disk had no room: what would have been in it still waits for a snapshot.
  mutating func refused() {
    isAtDisk = false
    entriesSince += entriesInside
  }
}
