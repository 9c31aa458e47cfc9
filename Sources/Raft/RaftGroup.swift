public import Core

/// One replica's part in the consensus on one log.
///
/// ```
///                    nothing heard of a leader                majority would vote
///   ┌────────── follower ──────────────▶ pre-candidate ──────────────▶ candidate
///   │              ▲ ▲                        │                          │   │
///   │              │ └── a leader is there ◀──┘◀─────────────────────────┘   │ majority votes
///   │ timeoutNow   │                                                         ▼
///   └───────────▶ candidate          newer term, no quorum, removed        leader
///                  └────────────────────────────────◀────────────────────────┘
/// ```
///
/// A machine without I/O. Messages, time and the disk's answers come in; a `RaftOutput` is filled. The disk answers
/// later: `durable` moves only by `persisted`, and a promise (a vote, an acknowledgement) leaves only when what it
/// promises is durable. A leader sends entries while its own disk writes them.
///
/// Terms used: an **entry** is **received** when it is in memory and known to be the leader's, **durable** when the disk
/// has it, **committed** when no future leader can lack it. Sections in comments are those of Ongaro's dissertation,
/// "Consensus: Bridging Theory and Practice"; README.md lists where this differs.
///
/// Invariants: `base ≤ committed ≤ last`, `durable ≤ last`; nothing at or below `committed` is ever truncated.
public struct RaftGroup: ~Copyable {
  public let settings: RaftSettings
  public internal(set) var term: Term
  public internal(set) var role = RaftRole.follower
  /// Who leads this term, if known.
  public internal(set) var leader: NodeID?
  /// Entries up to here may be applied.
  public internal(set) var committed: Offset
  /// Entries up to here are on this replica's disk.
  public internal(set) var durable: Offset
  /// How often the log was cut; goes with every write.
  public internal(set) var generation: UInt64 = 0
  /// Neither votes, campaigns nor acknowledges: for a replica that may have forgotten what it promised. It follows all
  /// the same, as far as a leader sends without being acknowledged.
  public var abstains = false
  public internal(set) var counters = RaftCounters()
  /// The owner's calendar: what consensus appends itself bears this time, or that of the entry before if it is later.
  public var wall = WallTime(milliseconds: 0)

  var vote: NodeID?
  /// Whether `term` and `vote` are on the disk.
  var isHardStateDurable = true
  var log: LogTerms
  var tail: EntryTail
  var memberships: MembershipHistory
  /// The newest entry's time.
  var time: WallTime
  /// Cuts that reports of earlier writes may not know of, oldest first.
  var cuts: [Cut] = []
  /// The state offset of the newest snapshot on the disk.
  var snapshot: Offset?

  var random: SeededGenerator
  /// The time of the event in hand.
  var clock: Instant
  var electionDeadline: Instant
  /// When a leader was last heard of; at first, when this replica began, because it may have forgotten one (§4.2.3).
  var leaderHeardAt: Instant
  /// As candidate or pre-candidate.
  var tally = Tally()
  /// A vote was promised to this node and is not durable yet.
  var owesVote: NodeID?

  /// As follower: up to here the log is known to be this term's leader's.
  var received: Offset
  /// The newest acknowledgement sent in this term.
  var acknowledged = Offset.zero
  /// A probe is to be answered as soon as the term is durable.
  var owesReply = false
  var incoming: IncomingSnapshot?

  /// As leader: the others, in ascending order.
  var followers: [FollowerProgress] = []
  /// What is committed up to here is all that earlier leaders committed: the first entry of this leadership.
  var opening = Offset.zero
  /// Proposals and other own entries that are not committed.
  var waiting = FirstInFirstOut<(last: Offset, bytes: Int)>()
  var waitingBytes = 0
  var lastBeat: Int64 = -1
  var transfer: LeadershipTransfer?
  /// Somebody was told to campaign in spite of the lease.
  var hasForfeitedLease = false

  /// A cut of the log: what was written in generations before `generation` counts only below `from`.
  struct Cut {
    var generation: UInt64
    var from: Offset
  }

  /// Takes up a log that was opened, with the term and vote that were saved; `now` is when the replica begins.
  public init(
    _ settings: RaftSettings, hardState: RaftHardState, log summary: LogSummary, seed: UInt64, at now: Instant
  ) {
    precondition(settings.electionMinimum < settings.electionMaximum && settings.heartbeatEvery < settings.electionMinimum)
    let terms = summary.terms
    let known = min(max(summary.committed, terms.base.offset), terms.last)
    let kept = settings.faults.contains(.unsyncedLogVotedWith) ? terms.last : min(summary.durable ?? terms.last, terms.last)
    // Entries of a term are proof of it, should the crash have come between the two writes. No vote of it can have
    // counted: it would have been durable before it was sent.
    let isNewer = terms.lastTerm > hardState.term
    // Nothing is read of what is being made: release builds have let go of a property here that was not set yet.
    self.settings = settings
    log = terms
    tail = EntryTail(limit: settings.tailBytes)
    memberships = summary.memberships
    term = max(hardState.term, terms.lastTerm)
    vote = isNewer ? nil : hardState.vote
    time = summary.time
    committed = known
    received = known
    durable = kept
    snapshot = summary.snapshot
    random = SeededGenerator(seed: seed)
    clock = now
    leaderHeardAt = now
    electionDeadline = now
    if memberships.current != Membership(voters: [settings.node]) { putOffElection() }
  }

  public var membership: Membership { memberships.current }
  public var last: Offset { log.last }
  public var end: LogPosition { log.end }
  /// The entry before the oldest one in the log.
  public var base: LogPosition { log.base }
  public var hardState: RaftHardState { RaftHardState(term: term, vote: vote) }
  /// The newest entry's time; a leader stamps no earlier one.
  public var lastTime: WallTime { time }
  public var node: NodeID { settings.node }
  /// Whether this replica leads and knows all that earlier leaders committed.
  public var isOpen: Bool { role == .leader && committed >= opening }
  /// The term of an entry, if it is in the log.
  public func term(at offset: Offset) -> Term? { log.term(at: offset) }

  /// Time passed. Call it every 10 to 50 ms, for all groups of a node with the same `now`.
  public mutating func tick(at now: Instant, into output: inout RaftOutput) {
    clock = now
    if role == .leader {
      lead(into: &output)
    } else if now >= electionDeadline {
      if canCampaign { campaign(.preVote, into: &output) } else { putOffElection() }
    }
  }

  var canCampaign: Bool { !abstains && incoming?.isInstalling != true && memberships.lets(node, campaignWith: committed) }

  /// Draws a new time at which to campaign if nothing is heard until then (§3.4).
  mutating func putOffElection() {
    let spread = settings.electionMaximum.nanoseconds - settings.electionMinimum.nanoseconds
    let extra = Int64(random.next() % UInt64(spread))
    electionDeadline = clock + TimeSpan(nanoseconds: settings.electionMinimum.nanoseconds + extra)
  }
}

public enum RaftRole: UInt8, Hashable, Sendable {
  case follower
  case preCandidate
  case candidate
  case leader
}
