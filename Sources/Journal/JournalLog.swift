public import Core

/// One shard's log: segments of checksummed entries, what is known of them, and what is under way on disk.
///
/// A machine without I/O: methods fill a `JournalOutput` with batches of disk operations, and the owner
/// reports each batch `completed` or `failed`, in order. `durable` moves only by such reports.
///
/// ```
/// append ─▶ held ─(file there? space set aside?)─▶ batches ─▶ disk ─▶ completed ─▶ durable
///             └─ no: create / reserve first; no space: full, asked again on tick
/// ```
///
/// Invariant: `first - 1 ≤ durable ≤ next - 1`.
public struct JournalLog: ~Copyable, Sendable {
  public let settings: JournalSettings

  /// Every entry up to here is durable; only these are read.
  public internal(set) var durable: Offset
  /// Bytes appended that are not durable yet; owners bound what they have under way by it.
  public internal(set) var undurableBytes = 0
  /// Plain counters for the status.
  public internal(set) var counters = JournalCounters()

  /// Oldest first, the one being written last; never empty.
  var segments: [Segment]
  /// Segments removed since opening: `segments[n]` has the number `removed + n`.
  var removed = 0
  /// Appends not handed out yet, because their file or space is not there yet.
  var held = FirstInFirstOut<HeldWrite>()
  var inFlight = FirstInFirstOut<InFlight>()
  var lastTicket: UInt64 = 0
  /// The one request for a file or space that is under way.
  var spaceRequest: SpaceRequest?
  /// The request the disk had no room for.
  var lackedSpace: SpaceRequest?
  var retryAt = Instant.zero

  var mark = DurableMark()
  /// False when the mark's file was missing or damaged and has not been made again.
  var hasMark = true
  /// Batches under way that write the mark. Two of them need a barrier between: both unsynced could both be torn.
  var marksInFlight = 0
  /// Something other than `durable` has changed that the mark should tell.
  var markIsStale = false
  var appendedSinceTick = false
  var lastAppendAt = Instant.zero
  var lastMarkAt = Instant.zero

  /// Everything up to here is committed, as far as the owner has told.
  var committed = Offset.zero
  /// After a restart with a snapshot above the log's end: the log is being filled up to it.
  var filling = Offset.zero

  /// Durable snapshots, oldest first.
  var snapshots: [StoredSnapshot]
  /// Snapshots found damaged; removed when the next one is durable.
  var damagedSnapshots: [Offset] = []
  var snapshotInFlight: StoredSnapshot?
  /// Files that are there beside what is known of the log, in a damaged journal; a restart removes them.
  var leftovers: [JournalFileName] = []
  var isRestarting = false

  var scrubNext: Offset
  var failure: DiskError?
  var damage: JournalDamage?

  init(settings: JournalSettings, segments: [Segment], snapshots: [StoredSnapshot]) {
    precondition(!segments.isEmpty)
    self.settings = settings
    self.segments = segments
    self.snapshots = snapshots
    durable = segments[segments.count - 1].last
    scrubNext = segments[0].first
  }

  /// The oldest entry there is, or `next` when there is none.
  public var first: Offset { segments[0].first }
  /// The offset the next appended entry must have. Goes back only by `truncate` and `restart`.
  public var next: Offset { segments[segments.count - 1].last.next }
  /// Bytes of entries kept.
  public var retainedBytes: Int { segments.reduce(0) { $0 + $1.end } }
  public var segmentCount: Int { segments.count }
  /// The newest durable snapshot's offset.
  public var snapshotOffset: Offset? { snapshots.last?.offset }
  public var isWritingSnapshot: Bool { snapshotInFlight != nil }

  public var admission: JournalAdmission {
    if let failure { return .dead(failure) }
    if let damage { return .damaged(damage) }
    return lackedSpace == nil ? .accepting : .full
  }

  /// Appends stamped and sealed entries whose offsets go on from `next`; hands them back as shareable bytes.
  ///
  /// Allowed while `full` too, for entries that must not be refused; they wait. Never when dead or damaged.
  public mutating func append(_ entries: consuming ByteBuffer, into output: inout JournalOutput) -> Bytes {
    precondition(failure == nil && damage == nil, "append to a journal that is dead or damaged")
    let count = entries.count
    guard count > 0 else { return Bytes() }
    rollIfNeeded(for: count)
    let number = segments.count - 1
    let position = segments[number].end
    let before = segments[number].last
    entries.withUnsafeBytes { segments[number].append(entries: $0, spacing: settings.indexSpacingBytes) }
    CommitFooter(last: segments[number].last, durable: claimedDurable, position: segments[number].end).append(to: &entries)
    let written = entries.freeze()
    held.append(
      HeldWrite(segment: removed + number, position: position, bytes: written, last: segments[number].last))
    undurableBytes += count
    counters.entries += segments[number].last.value - before.value
    counters.bytes += UInt64(count)
    appendedSinceTick = true
    advance(into: &output)
    return written.slice(0..<count)
  }

  /// What a footer says was durable when it is written.
  var claimedDurable: Offset { settings.claimsDurability ? durable : .zero }

  private mutating func rollIfNeeded(for count: Int) {
    let active = segments[segments.count - 1]
    guard !active.isEmpty, active.end + count + CommitFooter.size > settings.segmentBytes else { return }
    segments.append(Segment(first: active.last.next))
  }

  mutating func emit(_ purpose: InFlight.Purpose, _ operations: [DiskOperation], into output: inout JournalOutput) {
    lastTicket += 1
    let ticket = JournalTicket(lastTicket)
    let writesMark = operations.contains { $0.file == .mark }
    if writesMark { marksInFlight += 1 }
    inFlight.append(InFlight(ticket: ticket, purpose: purpose, writesMark: writesMark))
    output.batches.append(DiskBatch(ticket: ticket, operations: operations))
  }
}

extension Segment {
  /// Takes note of whole entries; they must be consecutive.
  mutating func append(entries: UnsafeRawBufferPointer, spacing: Int) {
    var walked = 0
    for entry in RecordSequence(trusting: entries) {
      precondition(entry.offset == last.next, "entries out of order")
      precondition(entry.length >= RecordLayout.entryHeaderSize, "an entry without a header")
      walked += entry.length
      append(length: entry.length, time: entry.time, spacing: spacing)
    }
    precondition(walked == entries.count, "entries cut short")
  }
}

/// Plain counts since opening.
public struct JournalCounters: Sendable {
  public var entries: UInt64 = 0
  public var bytes: UInt64 = 0
  public var segmentsRemoved: UInt64 = 0
  public var timesFull: UInt64 = 0
  /// `truncate` and `restart` together. Read plans made at a lower count may meet other bytes than were planned for.
  public var cuts: UInt64 = 0
}

/// An append that waits to be handed out.
struct HeldWrite: Sendable {
  /// The number of its segment, counting removed ones.
  var segment: Int
  var position: Int
  /// Entries and footer.
  var bytes: Bytes
  var last: Offset

  /// Where the entries end.
  var end: Int { position + bytes.count - CommitFooter.size }
}

/// A request for a file or for room in one.
struct SpaceRequest: Equatable, Sendable {
  var segment: Int
  var upTo: Int
  var isNewFile: Bool
}
