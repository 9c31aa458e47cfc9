public import Core
public import Feeds
public import Journal
public import Raft

/// What a replica wants done and has to tell. Filled by its methods, emptied by the shell, reused.
///
/// Everything in `replies` may be sent at once: what has to be durable first is not here before it is.
public struct ReplicaOutput: Sendable {
  /// For the disk, in this order; the answers come back through `completed` and `failed`. The facts in it are the
  /// replica's own and empty when a method returns.
  public var disk = JournalOutput()
  /// Reads to make, in any order; the answers come back through `readCompleted`.
  public var reads: [ReplicaRead] = []
  /// In order: what one edge is told arrives there in this order.
  public var replies: [AddressedReply] = []
  /// To the other replicas of the shard, in this order to each.
  public var messages: [AddressedReplicaMessage] = []
  public var facts: [ReplicaFact] = []
  /// To the edge beside this replica, whichever that is.
  public var notices: [SessionNotice] = []
  /// When it is to be told: what was committed, in order.
  package var commits: [Bytes] = []

  public init() {}

  public var isEmpty: Bool { disk.isEmpty && reads.isEmpty && replies.isEmpty && messages.isEmpty && facts.isEmpty && notices.isEmpty }

  public mutating func removeAll() {
    disk.removeAll()
    reads.removeAll(keepingCapacity: true)
    replies.removeAll(keepingCapacity: true)
    messages.removeAll(keepingCapacity: true)
    commits.removeAll(keepingCapacity: true)
    facts.removeAll(keepingCapacity: true)
    notices.removeAll(keepingCapacity: true)
  }
}

public struct AddressedReply: Sendable {
  public var edge: EdgeID
  public var reply: ShardReply

  public init(edge: EdgeID, reply: ShardReply) {
    self.edge = edge
    self.reply = reply
  }
}

/// Names one read of a replica.
public struct ReadTicket: Hashable, Sendable {
  public var value: UInt64
  public init(_ value: UInt64) { self.value = value }
}

public struct ReplicaRead: Sendable {
  public var ticket: ReadTicket
  public var plan: ReadPlan
}

/// What an operator may want to know of.
public enum ReplicaFact: Sendable, Equatable {
  /// What opening found, and how far the log reaches.
  case opened(JournalVerdict, first: Offset, committed: Offset)
  /// The journal is dead: the shard refuses publishes until the process is started anew.
  case journalFailed(String)
  /// The shard cannot be served whole; the text says what is wrong.
  case damaged(String)
  case full
  case roomAgain
  case snapshotWritten(Offset)
  case snapshotRefused(Offset)
  case trimmed(first: Offset)
  /// This replica serves the shard from now on.
  case leads(term: Term)
  case leadsNoMore(term: Term)
  /// Who leads now, as far as is known here.
  case leaderChanged(NodeID?, term: Term)
  case membershipChanged(Membership)
  /// The leader sent its state: the log is filled up to there, and goes on.
  case snapshotInstalled(Offset)
  /// What was damaged is wiped; everything is learned from the other replicas.
  case relearns
  /// The damage is made good: this replica has everything, and votes.
  case repaired
  /// Another replica sent what cannot be if both kept their promises.
  case diverged(at: Offset, from: NodeID)
  /// Everything asked for at `close` is on the disk.
  case closed
}
