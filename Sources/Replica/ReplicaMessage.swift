public import Core
public import Raft

/// What the replicas of one shard say to each other. Who carries it adds which shard it is and who speaks.
///
/// May be lost, doubled and reordered.
public enum ReplicaMessage: Hashable, Sendable {
  /// `session` is the leader's name for what it knows of one member, and comes back in that member's answers: once a
  /// member has begun anew, what it acknowledged before is nobody's any more.
  case raft(RaftMessage, session: UInt32)
  case repair(RepairMessage)
}

/// How a replica that cannot trust its disk begins anew.
///
/// ```
///  ailing ── ask ──▶ leader   takes its vote away
///         ── ask ──▶ leader   once that is committed: forgets what it had acknowledged
///         ◀─ begin ──          wipes its log, learns it from the others, votes again when it has it
/// ```
public enum RepairMessage: Hashable, Sendable {
  /// "What I promised may be lost." `incident` is drawn anew for each.
  case ask(incident: UInt64)
  /// "Nothing that you had counts any more: begin anew, in this term." The log ends with `last` now: a vote given back is
  /// given back after that.
  case begin(term: Term, incident: UInt64, last: Offset)
  /// "You have acknowledged everything up to there, in this term; now you say that you lack some of it."
  case missing(term: Term, upTo: Offset, session: UInt32)
}

public struct AddressedReplicaMessage: Hashable, Sendable {
  public var to: NodeID
  public var message: ReplicaMessage
}

extension RaftMessage {
  /// Whether a follower tells its leader what it has.
  var isAcknowledgement: Bool {
    switch self {
    case .appendReply, .appendRejection, .heartbeatReply, .snapshotReply: true
    case .preVote, .preVoteReply, .vote, .voteReply, .append, .snapshotChunk, .heartbeat, .timeoutNow: false
    }
  }

  /// Whether only a leader says so.
  public var isLeaders: Bool {
    switch self {
    case .append, .snapshotChunk, .heartbeat: true
    case .preVote, .preVoteReply, .vote, .voteReply, .appendReply, .appendRejection, .heartbeatReply, .snapshotReply, .timeoutNow: false
    }
  }
}
