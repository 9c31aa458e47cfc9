public import Core
public import Feeds
public import Journal
internal import Presence
internal import Raft
public import Shard

/// One replica of one shard: journal, state and feeds joined. The only place that orders "durable, then answer".
///
/// ```
///            publish ──▶ gate ──▶ journal ──▶ queue ─ ─ ─ committed? ─ ─▶ state ──▶ answers
///                                                                          ├──────▶ recent tail ──▶ reads
///                                                                          └──────▶ feeds ──▶ pushes
/// ```
///
/// Consensus decides what is committed. A group of one commits what its journal calls durable (when it does not wait
/// for the disk: what it appended, at the end of the turn), by the same way.
///
/// Invariant: nothing beyond `committed` is in any reply.
public struct ShardReplica: ~Copyable {
  public let settings: ReplicaSettings

  var log: JournalLog
  var group: RaftGroup
  /// What consensus wants done and is not done yet; empty between calls.
  var consensus = RaftOutput()
  var spareConsensus = RaftOutput()
  public internal(set) var state: ShardState
  var gate = PublishGate()
  /// Appended, not committed, oldest first.
  var queue = FirstInFirstOut<Appended>()
  var pendingBytes = 0
  /// The newest time stamped; no later stamp is earlier.
  var stamped: WallTime
  var feeds = FeedTable()
  var tail: RecentTail
  var desk = ReadDesk()
  var gathered = GatheredCommands()
  var presence: PresenceTable
  var sessionDesk = SessionDesk()
  var groups = GroupDesk()
  var snapshots: SnapshotWork
  var lastTrimAt: Instant
  /// Topics older than this were swept from the state since opening.
  var sweptBefore = Offset.zero
  /// The newest message applied since the shard was opened; before the first, whatever the log held then.
  var newestMessage = Offset.zero
  var failure: String?
  /// Leads, and knows all that is committed.
  var isServing = false
  /// The time of the event in hand.
  var clock: Instant
  var random: SeededGenerator
  var ailment: Ailment?
  /// What the wiped log begins with.
  var rebirth: HardState?
  /// Wiped, and without a vote until a membership after this offset gives it back.
  var relearnsUntil: Offset?
  var wantsSnapshot = false
  /// The disk had no room for term and vote: written again with the next tick.
  var owesHardState = false
  /// As leader: who asked to be repaired and still has a vote, or had one when last looked at.
  var ailing: [(node: NodeID, incident: UInt64)] = []
  var sessions = MemberSessions()
  var heardSession: UInt32 = 0
  var transfers: [(ticket: ReadTicket, transfer: Transfer)] = []
  var incoming: IncomingState?
  var installing: (mark: SnapshotMark, state: ShardState)?
  var isClosing = false
  var hasClosed = false
  public internal(set) var counters = ReplicaCounters()
  // Reused from call to call.
  var outcomes: [CommandOutcome] = []
  var answered: [(edge: EdgeID, results: [PublishResult])] = []

  init(
    settings: ReplicaSettings, log: consuming JournalLog, group: consuming RaftGroup, state: ShardState, tail: RecentTail,
    seed: UInt64, at now: Instant
  ) {
    self.settings = settings
    var presenceSettings = PresenceSettings()
    presenceSettings.settling = settings.presenceSettling
    presence = PresenceTable(shard: settings.shard, settings: presenceSettings)
    self.group = group
    random = SeededGenerator(seed: seed)
    clock = now
    snapshots = SnapshotWork(lastOffset: log.snapshotOffset ?? .zero, applied: state.applied, at: now)
    self.log = log
    self.state = state
    self.tail = tail
    stamped = state.time
    lastTrimAt = now
  }

  /// The newest offset that readers may know of.
  public var committed: Offset { state.applied }
  public var first: Offset { log.first }

  /// An edge asks for something.
  public mutating func receive(_ request: ShardRequest, at now: Instant, wall: WallTime, into output: inout ReplicaOutput) {
    clock = now
    switch request {
    case .publish(let batch): publish(batch, wall: wall, into: &output)
    case .read(let request): read(request, wall: wall, into: &output)
    case .history(let request): history(request, wall: wall, into: &output)
    case .interest(let change): changeInterest(change, into: &output)
    case .consumer(let request): consumer(request, wall: wall, into: &output)
    case .presence(let request): presence(request, into: &output)
    case .session(let request): session(request, wall: wall, into: &output)
    case .group(let request): group(request, wall: wall, into: &output)
    }
    settle(into: &output)
  }

  /// The shell has no more for now: what gathered is appended as one.
  public mutating func turnEnds(at now: Instant, wall: WallTime, into output: inout ReplicaOutput) {
    clock = now
    appendGathered(wall: wall, into: &output)
    settle(into: &output)
    if !settings.waitsForDisk, failure == nil, ailment == nil {
      group.persisted(upTo: lastAppended, generation: group.generation, at: now, into: &consensus)
      settle(into: &output)
    }
    pumpGroups(wall: wall, into: &output)
  }

  /// The disk has done a batch, syncs included.
  public mutating func completed(_ ticket: JournalTicket, at now: Instant, into output: inout ReplicaOutput) {
    clock = now
    log.completed(ticket, into: &output.disk)
    settle(into: &output)
  }

  /// The disk has not.
  public mutating func failed(_ ticket: JournalTicket, _ error: DiskError, at now: Instant, into output: inout ReplicaOutput) {
    clock = now
    log.failed(ticket, error, into: &output.disk)
    settle(into: &output)
  }

  /// Time passed. Call it every 50 to 100 ms.
  public mutating func tick(at now: Instant, wall: WallTime, into output: inout ReplicaOutput) {
    clock = now
    log.tick(at: now, into: &output.disk)
    if failure == nil {
      group.wall = wall
      if ailment == nil { group.tick(at: now, into: &consensus) } else { askForRepair(at: now, into: &output) }
      promoteLearners(into: &output)
    }
    settle(into: &output)
    feeds.pushProgress(settings.shard, upTo: committed, into: &output)
    tickPresence(into: &output)
    tickSessions(wall: wall, into: &output)
    tickGroups(into: &output)
    keepHouse(at: now, wall: wall, into: &output)
    settle(into: &output)
  }

  /// An edge, or the link to it, is gone: nothing more is pushed to it.
  public mutating func forget(_ edge: EdgeID) {
    feeds.remove(edge)
    presence.forget(edge, at: clock)
    groups.forget(edge)
  }

  private mutating func changeInterest(_ change: InterestChange, into output: inout ReplicaOutput) {
    guard isServing || isAlone, change.seen <= committed || knowsTheEnd else {
      output.replies.append(AddressedReply(edge: change.edge, reply: .feedEnded(settings.shard, readRefusal)))
      return
    }
    if change.restarts { feeds.remove(change.edge) }
    feeds.change(change, committed: committed)
    let isTooLow = settings.faults.contains(.feedLiveTooLow) && committed > .zero
    let liveFrom = isTooLow ? Offset(committed.value - 1) : committed
    let reply = InterestReply(shard: settings.shard, ticket: change.ticket, liveFrom: liveFrom)
    output.replies.append(AddressedReply(edge: change.edge, reply: .interest(reply)))
  }

  var lastAppended: Offset { Offset(log.next.value - 1) }

  /// Draws the consequences of what the journal and consensus have to tell, until neither has more.
  mutating func settle(into output: inout ReplicaOutput) {
    while !output.disk.facts.isEmpty || !consensus.isEmpty {
      if !output.disk.facts.isEmpty { takeJournalFacts(into: &output) }
      followConsensus(into: &output)
    }
  }

  private mutating func takeJournalFacts(into output: inout ReplicaOutput) {
    let facts = output.disk.facts
    output.disk.facts.removeAll(keepingCapacity: true)
    for fact in facts {
      switch fact {
      case .durable(let offset):
        if ailment == nil { group.persisted(upTo: offset, generation: group.generation, at: clock, into: &consensus) }
        tail.shrink(durable: offset)
      case .full: output.facts.append(.full)
      case .roomAgain: output.facts.append(.roomAgain)
      case .snapshotWritten(let offset):
        snapshots.written(offset)
        if ailment == nil { group.snapshotTaken(offset) }
        counters.snapshots += 1
        output.facts.append(.snapshotWritten(offset))
      case .snapshotRefused(let offset):
        snapshots.refused()
        output.facts.append(.snapshotRefused(offset))
      case .trimmed(let first): output.facts.append(.trimmed(first: first))
      case .died(let error): fail("\(error)", into: &output)
      case .hardStateSaved(let state):
        guard ailment == nil else { continue }
        group.hardStateSaved(RaftHardState(term: state.term, vote: state.vote), at: clock, into: &consensus)
      case .hardStateRefused: owesHardState = true
      case .restarted(let base): restarted(after: base, into: &output)
      case .restartRefused: restartRefused(into: &output)
      }
    }
  }

  /// Ends what waits: it will never be known to be durable.
  mutating func fail(_ reason: String, into output: inout ReplicaOutput) {
    guard failure == nil else { return }
    failure = reason
    stopServing(into: &output)
    endFeeds(into: &output)
    consensus.removeAll()
    output.facts.append(.journalFailed(reason))
    // What was appended may be kept by others.
    let refusal = isAlone ? Refusal.journalFailed(reason) : .unknownOutcome
    while !queue.isEmpty { refuse(queue.removeFirst().waiting, refusal, into: &output) }
    flushAnswers(into: &output)
    pendingBytes = 0
    gate.reset()
    refuseWaiting(.journalFailed(reason), into: &output)
  }
}
