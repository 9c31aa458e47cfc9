public import Core

/// A leader's answer to one announcement or question about who is present.
public struct PresenceReply: Sendable {
  public enum Answer: Sendable, Hashable {
    case receipt(PresenceReceipt)
    case list(PresenceList)
  }

  public var shard: ShardID
  public var ticket: Ticket
  public var result: Result<Answer, Refusal>

  public init(shard: ShardID, ticket: Ticket, result: Result<Answer, Refusal>) {
    self.shard = shard
    self.ticket = ticket
    self.result = result
  }
}

/// What became of an announcement.
public struct PresenceReceipt: Sendable, Hashable {
  /// The leader's table: a later leader's has a higher number.
  public var table: UInt64
  public var sequence: UInt64
  /// How many pushes this edge had been sent before.
  public var pushes: UInt64
  /// The table does not know what the announcement goes on from: everything is to be announced.
  public var wantsWhole: Bool
  public var refused: [PresenceDenial]

  public init(table: UInt64, sequence: UInt64, pushes: UInt64, wantsWhole: Bool = false, refused: [PresenceDenial] = []) {
    self.table = table
    self.sequence = sequence
    self.pushes = pushes
    self.wantsWhole = wantsWhole
    self.refused = refused
  }
}

/// Somebody who was not let in, and why.
public struct PresenceDenial: Sendable, Hashable {
  public enum Reason: UInt8, Sendable, CaseIterable {
    case topicFull = 1
    case shardFull = 2
  }

  public var topic: Topic
  public var id: Bytes
  public var reason: Reason

  public init(topic: Topic, id: Bytes, reason: Reason) {
    self.topic = topic
    self.id = id
    self.reason = reason
  }
}

/// Who is there, by topic.
public struct PresenceList: Sendable, Hashable {
  public struct Entry: Sendable, Hashable {
    public var topic: Topic
    public var count: Int
    /// In order of their ids.
    public var members: [PresenceMember]

    public init(topic: Topic, count: Int, members: [PresenceMember] = []) {
      self.topic = topic
      self.count = count
      self.members = members
    }
  }

  /// In order of their names; those where nobody is are left out.
  public var topics: [Entry]
  /// Of all topics that were asked for, listed or not.
  public var count: Int
  /// There are more topics, or more members, than are listed.
  public var isTruncated: Bool
  /// The leader is new and still being told.
  public var isPartial: Bool

  public init(topics: [Entry], count: Int, isTruncated: Bool = false, isPartial: Bool = false) {
    self.topics = topics
    self.count = count
    self.isTruncated = isTruncated
    self.isPartial = isPartial
  }
}

/// What a leader tells an edge of the topics it watches.
public struct PresencePush: Sendable {
  public var shard: ShardID
  public var table: UInt64
  /// Counted from 1 for each edge.
  public var number: UInt64
  public var changes: [PresenceChange]

  public init(shard: ShardID, table: UInt64, number: UInt64, changes: [PresenceChange]) {
    self.shard = shard
    self.table = table
    self.number = number
    self.changes = changes
  }
}

/// Who came to and went from one topic; from one that begins up to one that completes, all who are there.
public struct PresenceChange: Sendable, Hashable {
  public var topic: Topic
  public var begins: Bool
  public var completes: Bool
  /// Whoever is not in this state may be there all the same.
  public var isPartial: Bool
  /// They came, or have other data.
  public var came: [PresenceMember]
  public var left: [Bytes]

  public init(
    topic: Topic, begins: Bool = false, completes: Bool = false, isPartial: Bool = false, came: [PresenceMember] = [], left: [Bytes] = []
  ) {
    self.topic = topic
    self.begins = begins
    self.completes = completes
    self.isPartial = isPartial
    self.came = came
    self.left = left
  }
}
