public import Core

/// Everything a shard tells an edge. Answers and pushes of one shard arrive in the order in which it made them,
/// so that "live from offset N" stands before the first push after N.
public enum ShardReply: Sendable {
  case published(ShardID, [PublishResult])
  case read(ReadReply)
  case history(HistoryReply)
  case interest(InterestReply)
  case consumer(ConsumerReply)
  case presence(PresenceReply)
  case push(FeedPush)
  case presencePush(PresencePush)
  case session(SessionReply)
  case sessionNotice(SessionNotice)
  /// The feed, and every filter in it, is no more: it is to be opened anew, where the refusal says.
  case feedEnded(ShardID, Refusal)
  case group(GroupReply)

  /// Which shard it is from.
  public var shard: ShardID {
    switch self {
    case .published(let shard, _), .feedEnded(let shard, _): shard
    case .read(let reply): reply.shard
    case .history(let reply): reply.shard
    case .interest(let reply): reply.shard
    case .consumer(let reply): reply.shard
    case .presence(let reply): reply.shard
    case .push(let push): push.shard
    case .presencePush(let push): push.shard
    case .session(let reply): reply.shard
    case .sessionNotice(let notice): notice.shard
    case .group(let reply): reply.shard
    }
  }
}

/// How one publish ended.
public struct PublishResult: Sendable {
  public var ticket: Ticket
  public var outcome: Outcome

  public enum Outcome: Sendable, Equatable {
    /// Committed here.
    case accepted(Offset, WallTime)
    /// The key was used before: this is where the first one stands.
    case duplicate(Offset, WallTime)
    case refused(Refusal)
  }

  public init(ticket: Ticket, outcome: Outcome) {
    self.ticket = ticket
    self.outcome = outcome
  }
}

/// Why a shard did not do what it was asked.
public enum Refusal: Error, Sendable, Equatable {
  /// `If-Match` named another offset than the topic's newest, which this is (0: the topic has none).
  case headMoved(Offset)
  /// The disk is full; nothing was written. Goes away when there is space.
  case diskFull
  /// The shard cannot write any more; the text says why.
  case journalFailed(String)
  /// What was asked for lies in a damaged part of the log; the text says where.
  case damaged(String)
  /// Too much is waiting already.
  case overloaded
  /// This replica does not lead the shard; that one does, as far as it knows. Nothing was appended.
  case notLeader(NodeID?)
  /// A leader is about to serve; ask again in a moment. Nothing was appended.
  case electing
  /// Too few replicas answer: nothing can be kept. Nothing was appended.
  case noQuorum
  /// Whether it was kept is not known here: repeat it under the same key.
  case unknownOutcome
  case noSuchConsumer
  /// The name is taken by a consumer with other filters.
  case consumerDiffers
  /// The client has connected elsewhere, or its session is over.
  case sessionLost
}

/// The answer to a read.
public struct ReadReply: Sendable {
  public var shard: ShardID
  public var ticket: Ticket
  public var result: Result<Page, Refusal>

  public struct Page: Sendable {
    /// Matching records in order, each piece whole records one after another.
    public var pieces: [Bytes]
    /// Everything up to here was looked at: where the next read begins.
    public var upTo: Offset
    /// The newest committed offset at that moment; the read is complete when `upTo` has reached it.
    public var committed: Offset
    /// Set when messages after the start are no longer there.
    public var gap: ReadGap?
    /// True when `pieces` are current values rather than a stretch of the log.
    public var isCurrentValues: Bool
    /// From a replica that does not lead, while nobody is known to: there may be more elsewhere.
    public var isBehind: Bool

    public init(
      pieces: [Bytes], upTo: Offset, committed: Offset, gap: ReadGap? = nil, isCurrentValues: Bool = false, isBehind: Bool = false
    ) {
      self.isBehind = isBehind
      self.pieces = pieces
      self.upTo = upTo
      self.committed = committed
      self.gap = gap
      self.isCurrentValues = isCurrentValues
    }
  }

  public init(shard: ShardID, ticket: Ticket, result: Result<Page, Refusal>) {
    self.shard = shard
    self.ticket = ticket
    self.result = result
  }
}

/// A stretch of one shard that a reader asked for and cannot have.
public struct ReadGap: Sendable, Equatable {
  public enum Reason: String, Sendable {
    /// Retention passed over it.
    case expired
    /// The cursor is another cluster's.
    case foreign
    /// The cursor is ahead of everything committed.
    case future
  }

  public var reason: Reason
  /// The offset the reader gave.
  public var from: Offset
  /// Reading goes on after this one.
  public var to: Offset
  /// How many messages between the two the filters wanted; nil where the shard does not know.
  public var skipped: UInt64?

  public init(reason: Reason, from: Offset, to: Offset, skipped: UInt64? = nil) {
    self.reason = reason
    self.from = from
    self.to = to
    self.skipped = skipped
  }
}

public struct HistoryReply: Sendable {
  public var shard: ShardID
  public var ticket: Ticket
  /// Newest first, one record each.
  public var result: Result<[Bytes], Refusal>

  public init(shard: ShardID, ticket: Ticket, result: Result<[Bytes], Refusal>) {
    self.shard = shard
    self.ticket = ticket
    self.result = result
  }
}

/// From `liveFrom` on, exclusive, everything the added filters match is pushed.
public struct InterestReply: Sendable {
  public var shard: ShardID
  public var ticket: Ticket
  public var liveFrom: Offset

  public init(shard: ShardID, ticket: Ticket, liveFrom: Offset) {
    self.shard = shard
    self.ticket = ticket
    self.liveFrom = liveFrom
  }
}

public struct ConsumerReply: Sendable {
  public var shard: ShardID
  public var ticket: Ticket
  public var result: Result<[Consumer], Refusal>

  public init(shard: ShardID, ticket: Ticket, result: Result<[Consumer], Refusal>) {
    self.shard = shard
    self.ticket = ticket
    self.result = result
  }
}

/// Committed records that match a feed's filters, and how far the shard has come.
public struct FeedPush: Sendable {
  public var shard: ShardID
  /// Matching records in order, each piece whole records one after another.
  public var pieces: [Bytes]
  /// Everything up to here that matches has been pushed.
  public var upTo: Offset

  public init(shard: ShardID, pieces: [Bytes], upTo: Offset) {
    self.shard = shard
    self.pieces = pieces
    self.upTo = upTo
  }
}
