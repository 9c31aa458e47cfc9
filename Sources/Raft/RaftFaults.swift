/// Mistakes to be made on purpose, so that tests can prove that they would be noticed. Never set outside tests.
package struct RaftFaults: OptionSet, Hashable, Sendable {
  package let rawValue: UInt16
  package init(rawValue: UInt16) { self.rawValue = rawValue }

  /// A vote is given and its answer sent without waiting for the vote to be durable, nor asking for it.
  package static let voteNotSaved = RaftFaults(rawValue: 1 << 0)
  /// A leader commits entries of earlier terms because a majority has them (figure 3.7).
  package static let oldTermCommittedByCounting = RaftFaults(rawValue: 1 << 1)
  /// A follower appends after its conflicting entries instead of removing them: it keeps those it has.
  package static let conflictNotTruncated = RaftFaults(rawValue: 1 << 2)
  /// What was read at opening counts as durable, though it was never synced.
  package static let unsyncedLogVotedWith = RaftFaults(rawValue: 1 << 3)
  /// A follower acknowledges entries when it has them, not when its disk has.
  package static let acknowledgedBeforeDurable = RaftFaults(rawValue: 1 << 4)
  /// A leader counts itself for what its own disk has not written yet.
  package static let ownWriteCountedEarly = RaftFaults(rawValue: 1 << 5)
  /// A voter does not compare the candidate's log with its own.
  package static let staleLogElected = RaftFaults(rawValue: 1 << 6)
  /// A joint membership decides by the majority of its new voters alone.
  package static let jointMajorityForgotten = RaftFaults(rawValue: 1 << 7)
  /// The members are replaced in one step, without a joint membership between.
  package static let membershipNotJoint = RaftFaults(rawValue: 1 << 8)
  /// Learners count when a majority is counted.
  package static let learnersCounted = RaftFaults(rawValue: 1 << 9)
  /// A snapshot's state is taken over without its place in the log: consensus goes on where its own log ended.
  package static let snapshotPositionForgotten = RaftFaults(rawValue: 1 << 10)
  /// A write's late report counts for what was cut since it was asked for.
  package static let lateReportBelieved = RaftFaults(rawValue: 1 << 11)
  /// A replica helps to elect another though it has just heard of a leader.
  package static let leaderForgotten = RaftFaults(rawValue: 1 << 12)
  /// A leader that told another to campaign goes on believing that nobody can be elected.
  package static let leaseKeptInTransfer = RaftFaults(rawValue: 1 << 13)

  package static let all = RaftFaults(rawValue: (1 << 14) - 1)
}
