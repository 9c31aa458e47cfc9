public import Core

/// What the owner of a group may have to act on.
public enum RaftFact: Hashable, Sendable {
  /// Somebody else leads, or nobody known.
  case leaderChanged(NodeID?, term: Term)
  /// This replica leads: proposals are taken. What earlier leaders left is committed once `opening` is.
  case becameLeader(term: Term, opening: Offset)
  /// It leads no more; what it proposed and is not committed may be lost or not.
  case steppedDown(StepDownReason, term: Term)
  /// In force from now on, though not committed; after a truncation, again the one before.
  case membershipChanged(Membership, at: Offset)
  /// A change is done, or its joint step is.
  case membershipCommitted(Membership, at: Offset)
  /// Handing over has ended: the target asked for votes, or it took too long.
  case transferEnded(to: NodeID, isTaken: Bool)
  /// The follower needs a snapshot and there is none: take one and call `snapshotTaken`.
  case snapshotWanted(NodeID)
  /// A snapshot from the leader is in place: the state is as of `state`, the log begins after `base`.
  case snapshotInstalled(SnapshotMark)
  /// The follower says it lacks what it has acknowledged; a message that was overtaken says so too.
  case contradicted(NodeID, acknowledged: Offset)
  /// A peer sent what cannot be if every replica kept its promises: this log or the other one is damaged.
  case diverged(at: Offset, from: NodeID)
}

public enum StepDownReason: Hashable, Sendable {
  /// There is a later term.
  case newerTerm
  /// No majority was heard of for as long as it takes to elect somebody else.
  case lostQuorum
  /// The committed membership has no vote for this replica.
  case removed
}

public enum ProposalVerdict: Hashable, Sendable {
  /// Appended; committed when `committed` reaches `last`.
  case accepted(last: Offset)
  case notLeader(NodeID?)
  /// No majority answers: nothing would come of it.
  case noQuorum
  /// Leadership is being handed over; who leads will be known in a moment.
  case transferring(to: NodeID)
  /// Too much waits to be committed.
  case overloaded
}

public enum MembershipVerdict: Hashable, Sendable {
  case accepted(Offset)
  case notLeader(NodeID?)
  /// One change at a time, and none before the leader's first entry is committed.
  case busy
  /// Already so.
  case unchanged
  /// No voters, or too many members.
  case invalid
  /// These are to vote and lack too much of the log: let them learn first.
  case behind([NodeID])
  /// Without these, which have not answered the last heartbeats, nothing would be committed any more: ask again later.
  case unanswered([NodeID])
}

public enum TransferVerdict: Hashable, Sendable {
  case started
  case notLeader(NodeID?)
  /// Not another voter.
  case unsuitable
  case busy
}
