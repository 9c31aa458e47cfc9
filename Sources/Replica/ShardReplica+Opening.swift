public import Core
public import Journal
internal import Raft
internal import Shard

/// Why a shard cannot be opened at all.
public enum ReplicaOpenError: Error, Sendable, CustomStringConvertible {
  case disk(DiskError)
  /// The log holds what this version cannot apply; the text says what.
  case state(String)

  public var description: String {
    switch self {
    case .disk(let error): "\(error)"
    case .state(let text): text
    }
  }
}

extension ShardReplica {
  /// Opens the journal, reads the newest snapshot and applies the log after it as far as it is known to be committed.
  /// Returns when it is done; consensus begins with the ticks.
  ///
  /// A damaged log of a group of one is opened as far as it is whole: it can be read there, and nothing is appended. One
  /// of a larger group is learned anew from the others.
  public static func open(
    _ settings: ReplicaSettings, journal: JournalSettings, disk: inout some Disk & ~Copyable, seed: UInt64, at now: Instant,
    into output: inout ReplicaOutput
  ) throws(ReplicaOpenError) -> ShardReplica {
    var journal = journal
    if !settings.waitsForDisk { journal.claimsDurability = false }
    var opening: JournalOpening
    do throws(DiskError) {
      opening = try JournalLog.open(disk: &disk, settings: journal)
    } catch { throw .disk(error) }
    let verdict = opening.verdict
    var history = OpenedHistory(settings, opening)
    do {
      while let entries = try opening.replay.next(disk: &disk) { try history.take(entries) }
    } catch let error as ReplicaOpenError {
      throw error
    } catch ReplayError.disk(let error) {
      throw .disk(error)
    } catch {
      history.damage = history.damage ?? "\(error)"
    }
    return ShardReplica(
      settings, verdict, opening.hardState, opening.log, history, seed: seed, at: now, into: &output)
  }

  private init(
    _ settings: ReplicaSettings, _ verdict: JournalVerdict, _ finding: HardStateFinding, _ log: consuming JournalLog,
    _ history: OpenedHistory, seed: UInt64, at now: Instant, into output: inout ReplicaOutput
  ) {
    var random = SeededGenerator(seed: seed)
    let isLost = finding == .lost && verdict != .fresh
    let hardState = if case .found(let state) = finding { state } else { HardState() }
    let group = RaftGroup(
      settings.raft, hardState: RaftHardState(term: hardState.term, vote: hardState.vote), log: history.summary,
      seed: random.next(), at: now)
    self.init(settings: settings, log: log, group: group, state: history.state, tail: history.tail, seed: random.next(), at: now)
    queue = history.queue
    pendingBytes = history.queuedBytes
    newestMessage = committed
    output.facts.append(.opened(verdict, first: first, committed: committed))
    begin(damage: history.damage, isVoteLost: isLost, isFresh: verdict == .fresh, into: &output)
  }

  private mutating func begin(damage: String?, isVoteLost: Bool, isFresh: Bool, into output: inout ReplicaOutput) {
    if isAlone {
      // A vote that only counts for itself can be lost without harm, damage cannot.
      if let damage {
        failure = damage
        output.facts.append(.damaged(damage))
        return
      }
    } else if let damage {
      return fallIll(damage, into: &output)
    } else if isVoteLost {
      return fallIll("the record of term and vote is missing or damaged", into: &output)
    } else if isFresh, !settings.members.members.isEmpty {
      // So that it knows its group after the next start, whatever it has heard by then.
      var body = ByteBuffer()
      ReplicaSnapshot.begin(group.outline(at: .zero), into: &body)
      var encoder = SnapshotEncoder(state)
      _ = encoder.encode(into: &body, limit: .max)
      ReplicaSnapshot.end(&body)
      log.writeSnapshot(Snapshot(offset: .zero, body: body.freeze()), into: &output.disk)
    }
    // Who decides alone need not wait to hear of nobody.
    if isAlone { group.tick(at: clock, into: &consensus) }
    settle(into: &output)
  }
}

/// What opening learns of the log, entry by entry.
private struct OpenedHistory {
  var state = ShardState()
  var summary: LogSummary
  var tail: RecentTail
  /// Not known to be committed.
  var queue = FirstInFirstOut<Appended>()
  var queuedBytes = 0
  var damage: String?
  private let node: NodeID
  private let committed: Offset
  private var outcomes: [CommandOutcome] = []

  init(_ settings: ReplicaSettings, _ opening: borrowing JournalOpening) {
    node = settings.node
    committed = opening.committed
    tail = RecentTail(limit: settings.recentTailBytes)
    summary = LogSummary(membership: settings.members, time: WallTime(milliseconds: 0))
    guard let snapshot = opening.snapshot else { return }
    guard let known = ReplicaSnapshot(decoding: snapshot.body) else {
      damage = "the snapshot of offset \(snapshot.offset) is not one of this version"
      return
    }
    state = known.state
    summary = LogSummary(
      known.outline, of: snapshot.offset, first: opening.log.first, last: Offset(opening.log.next.value - 1), time: state.time)
  }

  mutating func take(_ entries: Bytes) throws(ReplicaOpenError) {
    guard damage == nil else { return }
    let begins = entries.withUnsafeBytes { RecordView(trusting: $0.baseAddress!).offset }
    guard begins == summary.last.next else {
      damage = "the log begins at \(begins) and nothing tells what was before"
      return
    }
    let first = summary.last.next
    summary.note(entries)
    queue.append(Appended(first: first, last: summary.last, bytes: entries, cost: entries.count, waiting: .nobody))
    queuedBytes += entries.count
    // Who decides alone has committed what it has.
    let limit = summary.decidesAlone(node) ? summary.last : committed
    while let oldest = queue.first, oldest.last <= limit {
      try apply(oldest)
      queuedBytes -= oldest.cost
      _ = queue.removeFirst()
    }
    summary.committed = max(summary.committed, state.applied)
  }

  private mutating func apply(_ appended: Appended) throws(ReplicaOpenError) {
    let problem: ShardStateError? = appended.bytes.withUnsafeBytes { memory in
      for entry in RecordSequence(trusting: memory) where entry.offset > state.applied {
        do throws(ShardStateError) {
          try state.apply(entry, outcomes: &outcomes)
        } catch { return error }
      }
      return nil
    }
    if let problem { throw .state("\(problem)") }
    outcomes.removeAll(keepingCapacity: true)
    tail.append(appended.bytes, first: appended.first, last: appended.last, cost: appended.cost, durable: appended.last)
  }
}
