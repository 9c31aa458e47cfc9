public import Core

/// What the replicas of a group say to each other. Who carries them adds which group it is and who speaks.
public enum RaftMessage: Hashable, Sendable {
  /// "Would you vote for me?" Nobody's term changes by it (§9.6).
  case preVote(VoteRequest)
  case preVoteReply(VoteReply)
  case vote(VoteRequest)
  case voteReply(VoteReply)
  case append(AppendEntries)
  case appendReply(AppendReply)
  case appendRejection(AppendRejection)
  case snapshotChunk(SnapshotChunk)
  case snapshotReply(SnapshotReply)
  case heartbeat(Heartbeat)
  case heartbeatReply(HeartbeatReply)
  /// "Campaign now": leadership is handed over (§3.10). The term is the sender's.
  case timeoutNow(term: Term)
}

public struct VoteRequest: Hashable, Sendable {
  /// The term the sender wants to lead.
  public var term: Term
  /// Where its log ends.
  public var last: LogPosition
  /// The old leader asked for this election: having heard of it is no reason to refuse.
  public var isTransfer: Bool

  public init(term: Term, last: LogPosition, isTransfer: Bool = false) {
    self.term = term
    self.last = last
    self.isTransfer = isTransfer
  }
}

public struct VoteReply: Hashable, Sendable {
  /// Granted: the term asked for. Denied: the term of who answers.
  public var term: Term
  public var isGranted: Bool

  public init(term: Term, isGranted: Bool) {
    self.term = term
    self.isGranted = isGranted
  }
}

public struct AppendEntries: Hashable, Sendable {
  public var term: Term
  /// The entry before the first one here.
  public var previous: LogPosition
  /// Whole entries one after another, each accepted by `RecordView.check`; may be none.
  public var entries: Bytes
  public var committed: Offset
  /// The leader does not know where the logs agree: answer at once, not only when it is durable.
  public var isProbe: Bool

  public init(term: Term, previous: LogPosition, entries: Bytes, committed: Offset, isProbe: Bool = false) {
    self.term = term
    self.previous = previous
    self.entries = entries
    self.committed = committed
    self.isProbe = isProbe
  }
}

public struct AppendReply: Hashable, Sendable {
  public var term: Term
  /// Up to here the follower's log is known to be the leader's …
  public var received: Offset
  /// … and up to here it is durable too. This is what counts.
  public var durable: Offset

  public init(term: Term, received: Offset, durable: Offset) {
    self.term = term
    self.received = received
    self.durable = durable
  }
}

public struct AppendRejection: Hashable, Sendable {
  public var term: Term
  /// The `previous` the follower does not have.
  public var rejected: Offset
  /// Its newest entry at or before that whose term is no later: nothing above can be shared (§3.5's back-up, by term).
  public var hint: LogPosition

  public init(term: Term, rejected: Offset, hint: LogPosition) {
    self.term = term
    self.rejected = rejected
    self.hint = hint
  }
}

/// Small and without entries, so that the beats of all groups between two nodes fit one message.
public struct Heartbeat: Hashable, Sendable {
  public var term: Term
  public var committed: Offset
  /// The leader's clock; comes back in the reply and means nothing to others.
  public var sentAt: Instant

  public init(term: Term, committed: Offset, sentAt: Instant) {
    self.term = term
    self.committed = committed
    self.sentAt = sentAt
  }
}

public struct HeartbeatReply: Hashable, Sendable {
  public var term: Term
  public var sentAt: Instant
  /// As in `AppendReply`: lets the leader notice appends that were lost …
  public var received: Offset
  /// … and acknowledgements.
  public var durable: Offset

  public init(term: Term, sentAt: Instant, received: Offset, durable: Offset) {
    self.term = term
    self.sentAt = sentAt
    self.received = received
    self.durable = durable
  }
}

/// Which state a snapshot holds, and where the log goes on that comes after it.
///
/// The two may differ: a log keeps its past for readers, so a follower gets the newest state together with the
/// whole log its leader has, from `base` on. Entries up to `state` are in both, and are not applied again.
public struct SnapshotMark: Hashable, Sendable {
  /// The newest entry applied to the state.
  public var state: Offset
  /// The entry before the log's first; not after `state`.
  public var base: LogPosition
  /// In force at `base`, or later.
  public var membership: Membership

  public init(state: Offset, base: LogPosition, membership: Membership) {
    self.state = state
    self.base = base
    self.membership = membership
  }
}

public struct SnapshotChunk: Hashable, Sendable {
  public var term: Term
  public var mark: SnapshotMark
  /// Where in the snapshot these bytes stand.
  public var position: Int
  public var bytes: Bytes
  public var isLast: Bool

  public init(term: Term, mark: SnapshotMark, position: Int, bytes: Bytes, isLast: Bool) {
    self.term = term
    self.mark = mark
    self.position = position
    self.bytes = bytes
    self.isLast = isLast
  }
}

public struct SnapshotReply: Hashable, Sendable {
  public var term: Term
  public var state: Offset
  /// How many bytes of it are there; the next chunk begins here.
  public var received: Int

  public init(term: Term, state: Offset, received: Int) {
    self.term = term
    self.state = state
    self.received = received
  }
}
