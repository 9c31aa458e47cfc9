public import Core

/// Whom a shard answers: a reactor of an edge, wherever it runs.
public struct EdgeID: Hashable, Sendable {
  public var value: UInt32
  public init(_ value: UInt32) { self.value = value }
}

/// The asker's own number for a question; comes back with the answer, and means nothing to the shard.
public struct Ticket: Hashable, Sendable {
  public var value: UInt64
  public init(_ value: UInt64) { self.value = value }
}

/// Everything an edge asks of a shard. The same values cross a mailbox inside one process and a link between two.
public enum ShardRequest: Sendable {
  case publish(PublishBatch)
  case read(ReadRequest)
  case history(HistoryRequest)
  case interest(InterestChange)
  case consumer(ConsumerRequest)
  case presence(PresenceRequest)
  case session(SessionRequest)
  case group(GroupRequest)
}

/// Unstamped records that one edge gathered for one shard in one turn of its loop.
///
/// Handed from the edge to the shard, never shared: whoever holds it may write to it. That is what makes
/// `@unchecked Sendable` true.
public final class PublishBatch: @unchecked Sendable {
  public let edge: EdgeID
  /// Encoded records, one after another, in the order of `entries`.
  public var records: ByteBuffer
  public var entries: [PublishEntry]

  public init(edge: EdgeID, capacity: Int = 4096) {
    self.edge = edge
    records = ByteBuffer(capacity: capacity)
    entries = []
  }
}

/// What goes with one record of a batch and is not kept with it.
public struct PublishEntry: Sendable {
  public var ticket: Ticket
  /// The record's length in the batch.
  public var length: Int
  /// `If-Match`: the topic's newest offset must be this one, or the publish is refused.
  public var expectedHead: Offset?
  /// False: the publisher does not wait, no answer is sent.
  public var wantsAnswer: Bool

  public init(ticket: Ticket, length: Int, expectedHead: Offset? = nil, wantsAnswer: Bool = true) {
    self.ticket = ticket
    self.length = length
    self.expectedHead = expectedHead
    self.wantsAnswer = wantsAnswer
  }
}

/// Where a read begins.
public enum ReadStart: Sendable, Hashable {
  /// After this offset: a cursor.
  case after(Offset)
  /// At the end: nothing now, everything from here on.
  case latest
  /// At the oldest retained message.
  case earliest
  /// At the first message at or after this time.
  case time(WallTime)
  /// The last N messages of every topic that matches, then everything after them.
  case last(Int)
  /// The current (retained) value of every topic that matches, then everything after them.
  case current
}

/// "What matches these filters, from there on, so much at most."
public struct ReadRequest: Sendable {
  public var edge: EdgeID
  public var ticket: Ticket
  public var filters: [Filter]
  public var start: ReadStart
  public var maximumBytes: Int

  public init(edge: EdgeID, ticket: Ticket, filters: [Filter], start: ReadStart, maximumBytes: Int) {
    self.edge = edge
    self.ticket = ticket
    self.filters = filters
    self.start = start
    self.maximumBytes = maximumBytes
  }
}

/// One topic's messages, newest first.
public struct HistoryRequest: Sendable {
  public var edge: EdgeID
  public var ticket: Ticket
  public var topic: Topic
  /// Only messages before this offset; nil: from the newest.
  public var before: Offset?
  public var limit: Int

  public init(edge: EdgeID, ticket: Ticket, topic: Topic, before: Offset?, limit: Int) {
    self.edge = edge
    self.ticket = ticket
    self.topic = topic
    self.before = before
    self.limit = limit
  }
}

/// Changes what a feed pushes. Answered once, with the offset from which the change holds.
public struct InterestChange: Sendable {
  public var edge: EdgeID
  public var ticket: Ticket
  public var add: [Filter]
  public var remove: [Filter]
  /// The edge begins anew: whatever the shard held for it before is forgotten first.
  public var restarts: Bool
  /// How far the edge knows the shard to have come: a replica that has not come so far yet is no use to it.
  public var seen: Offset

  public init(edge: EdgeID, ticket: Ticket, add: [Filter], remove: [Filter], restarts: Bool = false, seen: Offset = .zero) {
    self.restarts = restarts
    self.seen = seen
    self.edge = edge
    self.ticket = ticket
    self.add = add
    self.remove = remove
  }
}

/// Reads and changes durable consumers. A consumer is a named cursor with filters; it is stored in the shard
/// that its name hashes to, whatever its filters match.
public struct ConsumerRequest: Sendable {
  public enum Operation: Sendable {
    case list
    case show(name: String)
    /// Makes the consumer if it is not there; answers what is there.
    case open(name: String, filters: [Filter], cursor: Cursor)
    /// Moves the cursor; never back, unless `reset`.
    case acknowledge(name: String, cursor: Cursor, reset: Bool)
    case delete(name: String)
  }

  public var edge: EdgeID
  public var ticket: Ticket
  public var operation: Operation

  public init(edge: EdgeID, ticket: Ticket, operation: Operation) {
    self.edge = edge
    self.ticket = ticket
    self.operation = operation
  }
}

/// A durable consumer as stored.
public struct Consumer: Sendable, Hashable {
  /// No name is longer.
  public static let maximumNameLength = 128

  public var name: String
  public var filters: [Filter]
  public var cursor: Cursor
  public var created: WallTime
  public var updated: WallTime

  public init(name: String, filters: [Filter], cursor: Cursor, created: WallTime, updated: WallTime) {
    self.name = name
    self.filters = filters
    self.cursor = cursor
    self.created = created
    self.updated = updated
  }
}
