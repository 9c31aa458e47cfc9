internal import Core

/// What a leader knows of one other member, and what is on its way there.
///
/// ```
///            ┌──────────── accepted ───────────▶
///          probe (one at a time)          replicate (a window of appends, not waiting for answers)
///            ◀── rejected, or appends lost ────┘
///            │ entry before the log's start           ▲
///            ▼                                        │ installed
///          snapshot (chunk by chunk) ─────────────────┘
/// ```
struct FollowerProgress {
  enum Mode: Equatable {
    case probe
    case replicate
    case snapshot(SnapshotTransfer)
  }

  let node: NodeID
  /// Its part in the membership in force.
  var isVoter = false
  var isOutgoing = false

  var mode = Mode.probe
  /// Durable there, up to here.
  var match = Offset.zero
  /// The next entry to send.
  var next: Offset
  var window = InFlightWindow()
  /// A probe is on its way since then; only a later heartbeat's answer allows another.
  var probedAt: Instant?
  /// Entries from here are being read from the disk.
  var fetching: Offset?

  /// When anything of this term came from it.
  var heardAt: Instant
  /// When the newest heartbeat that it answered was sent; it helps nobody else for a while after that.
  var leasedAt: Instant?
  /// Entries up to here were sent when a heartbeat was sent at that time: an answer to a later heartbeat that does
  /// not know of them says that they were lost.
  var mark: (sentAt: Instant, upTo: Offset)?

  init(node: NodeID, next: Offset, heardAt: Instant) {
    self.node = node
    self.next = next
    self.heardAt = heardAt
  }

  /// Goes back to asking where the logs agree, from the entry after `known` on.
  mutating func probe(after known: Offset) {
    mode = .probe
    next = max(match, known).next
    window.removeAll()
    probedAt = nil
    mark = nil
    fetching = nil
  }

  mutating func replicate(after known: Offset) {
    mode = .replicate
    next = max(match, known).next
    window.removeAll()
    probedAt = nil
    mark = nil
    fetching = nil
  }

  /// Whether another append may go out now.
  func hasRoom(_ settings: RaftSettings) -> Bool {
    guard fetching == nil else { return false }
    switch mode {
    case .probe: return probedAt == nil
    case .replicate: return window.count < settings.maximumInFlightMessages && window.bytes < settings.maximumInFlightBytes
    case .snapshot: return false
    }
  }
}

/// Appends sent and not known to be durable there.
struct InFlightWindow {
  private var sent = FirstInFirstOut<(last: Offset, bytes: Int)>()
  private(set) var bytes = 0

  var count: Int { sent.count }

  mutating func append(last: Offset, bytes: Int) {
    sent.append((last, bytes))
    self.bytes += bytes
  }

  mutating func release(upTo offset: Offset) {
    while let oldest = sent.first, oldest.last <= offset {
      sent.removeFirst()
      bytes -= oldest.bytes
    }
  }

  mutating func removeAll() {
    sent.removeAll()
    bytes = 0
  }
}

/// A snapshot on its way to a follower: one chunk at a time.
struct SnapshotTransfer: Equatable {
  let mark: SnapshotMark
  /// The follower has so many bytes.
  var position = 0
  /// What was sent last, or read to be sent, begins at `position`.
  var isReading = false
  var sentAt: Instant?
  /// The last chunk has been sent: so many bytes in all.
  var total: Int?
}
