public import Core

/// What an edge has to say to a shard's leader about who is present, or asks of it.
public struct PresenceRequest: Sendable {
  public enum Operation: Sendable {
    case announce(PresenceAnnouncement)
    case ask(PresenceQuestion)
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

/// Somebody who is present on a topic.
public struct PresenceMember: Sendable, Hashable {
  public var id: Bytes
  /// JSON on one line; empty where there is none.
  public var data: Bytes
  public var since: WallTime
  /// Of a change: 0 says that the member is not there any more.
  public var connections: Int

  public init(id: Bytes, data: Bytes, since: WallTime, connections: Int) {
    self.id = id
    self.data = data
    self.since = since
    self.connections = connections
  }
}

/// One edge's member of one topic.
public struct PresenceEntry: Sendable, Hashable {
  public var topic: Topic
  public var member: PresenceMember

  public init(topic: Topic, member: PresenceMember) {
    self.topic = topic
    self.member = member
  }
}

/// Who is connected to one edge: what changed since the last announcement, or, from one that begins up to one that
/// completes, everything. An edge has one under way at a time.
public struct PresenceAnnouncement: Sendable, Hashable {
  /// The edge reactor since its start: a number nobody else has.
  public var source: UInt64
  /// One more than that of the announcement before.
  public var sequence: UInt64
  public var begins: Bool
  public var completes: Bool
  public var entries: [PresenceEntry]
  /// Topics whose changes the edge wants to hear of, or does not any more.
  public var watch: [Topic]
  public var unwatch: [Topic]

  public init(
    source: UInt64, sequence: UInt64, begins: Bool = false, completes: Bool = false, entries: [PresenceEntry] = [], watch: [Topic] = [],
    unwatch: [Topic] = []
  ) {
    self.source = source
    self.sequence = sequence
    self.begins = begins
    self.completes = completes
    self.entries = entries
    self.watch = watch
    self.unwatch = unwatch
  }
}

/// "Who is there?"
public struct PresenceQuestion: Sendable, Hashable {
  public var filters: [Filter]
  /// Members in the answer, all topics together, or topics where only numbers are wanted.
  public var limit: Int
  /// Only members whose id comes after this one.
  public var after: Bytes?
  public var wantsCountOnly: Bool

  public init(filters: [Filter], limit: Int, after: Bytes? = nil, wantsCountOnly: Bool = false) {
    self.filters = filters
    self.limit = limit
    self.after = after
    self.wantsCountOnly = wantsCountOnly
  }
}
