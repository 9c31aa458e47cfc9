public import Core

/// What a group wants done and what it has to tell. Filled by its methods, emptied by the caller, reused.
///
/// The order that makes it safe is kept inside: a message that depends on a write comes out here only after the write
/// was reported. So everything here may be done at once, in any order but for what stands on the fields.
public struct RaftOutput: Sendable {
  /// Make durable, the last one alone if there are several; then call `hardStateSaved` with it. May be written before,
  /// after or beside `writes`.
  public var hardState: RaftHardState?
  /// Do to the log in this order; then call `persisted`. Each is durable only with all those before it.
  public var writes: [LogWrite] = []
  /// Send, in this order to each node. Losing, doubling or reordering them costs time and nothing else.
  public var messages: [AddressedRaftMessage] = []
  /// Send; those of all groups to one node may travel together, and need not keep their place among `messages`.
  public var heartbeats: [AddressedHeartbeat] = []
  /// Likewise.
  public var heartbeatReplies: [AddressedHeartbeatReply] = []
  /// Everything up to here is committed: apply it, in order. It may be ahead of what this replica's own disk has;
  /// the entries are those handed out in `writes` and proposed.
  public var committed: Offset?
  /// Read from the log, then call `fetched`. All of it is durable.
  public var fetches: [EntryFetch] = []
  /// Read from the newest snapshot, then call `snapshotRead`.
  public var snapshotReads: [SnapshotRead] = []
  /// Keep beside the log, in this order; on the last one install it, then call `snapshotInstalled`.
  public var snapshotPieces: [SnapshotPiece] = []
  /// What happened, in order.
  public var facts: [RaftFact] = []

  public init() {}

  public var isEmpty: Bool {
    hardState == nil && writes.isEmpty && messages.isEmpty && heartbeats.isEmpty && heartbeatReplies.isEmpty
      && committed == nil && fetches.isEmpty && snapshotReads.isEmpty && snapshotPieces.isEmpty && facts.isEmpty
  }

  public mutating func removeAll() {
    hardState = nil
    writes.removeAll(keepingCapacity: true)
    messages.removeAll(keepingCapacity: true)
    heartbeats.removeAll(keepingCapacity: true)
    heartbeatReplies.removeAll(keepingCapacity: true)
    committed = nil
    fetches.removeAll(keepingCapacity: true)
    snapshotReads.removeAll(keepingCapacity: true)
    snapshotPieces.removeAll(keepingCapacity: true)
    facts.removeAll(keepingCapacity: true)
  }
}

public struct AddressedRaftMessage: Hashable, Sendable {
  public var to: NodeID
  public var message: RaftMessage
}

public struct AddressedHeartbeat: Hashable, Sendable {
  public var to: NodeID
  public var heartbeat: Heartbeat
}

public struct AddressedHeartbeatReply: Hashable, Sendable {
  public var to: NodeID
  public var reply: HeartbeatReply
}

/// One change of the log.
public struct LogWrite: Hashable, Sendable {
  /// First remove this entry and all after it, for good: no crash may bring them back beside what follows.
  public var truncateFrom: Offset?
  /// Then append these.
  public var entries: Bytes
  /// The newest of them.
  public var last: Offset
  /// Goes back with `persisted`: how often the log was cut, so that a late report about what is cut is not mistaken.
  public var generation: UInt64
}

/// A read of entries for a follower that is further behind than memory reaches.
public struct EntryFetch: Hashable, Sendable {
  public var follower: NodeID
  public var from: Offset
  /// About so much, and one entry at least.
  public var maximumBytes: Int
  public var term: Term
}

/// A read of a snapshot for a follower that is behind the log's start.
public struct SnapshotRead: Hashable, Sendable {
  public var follower: NodeID
  /// Which snapshot; another one's bytes do not fit.
  public var state: Offset
  public var position: Int
  public var maximumBytes: Int
  public var term: Term
}

/// A part of a snapshot that is coming in.
public struct SnapshotPiece: Hashable, Sendable {
  public var mark: SnapshotMark
  /// 0 begins it, and ends whatever was coming in before.
  public var position: Int
  public var bytes: Bytes
  /// It is whole: make it durable, and in the same step let the log be empty and begin after `mark.base`.
  public var isLast: Bool
}
