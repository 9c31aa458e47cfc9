/// Mistakes that the simulator must find; never made outside of it.
package struct ReplicaFaults: OptionSet, Sendable {
  package let rawValue: UInt16
  package init(rawValue: UInt16) { self.rawValue = rawValue }

  /// Publishers are answered when their message is appended.
  package static let acknowledgedEarly = ReplicaFaults(rawValue: 1)
  /// A snapshot from the leader is taken for one of the log's beginning.
  package static let snapshotWithoutPosition = ReplicaFaults(rawValue: 1 << 1)
  /// A feed says it is live from one lower than it is: the last message comes twice.
  package static let feedOneTooLow = ReplicaFaults(rawValue: 1 << 2)
  /// A feed says it is live from one higher than it is: a message is missed.
  package static let feedOneTooHigh = ReplicaFaults(rawValue: 1 << 3)
  /// Idempotency keys are not looked at after a change of leader.
  package static let keysForgotten = ReplicaFaults(rawValue: 1 << 4)
  /// Consumers' cursors take the lower of two positions.
  package static let cursorFoldedWrongly = ReplicaFaults(rawValue: 1 << 5)
  /// A lost record of term and vote is taken for a fresh one.
  package static let lostVoteIgnored = ReplicaFaults(rawValue: 1 << 6)
  /// Damage is read over: the log goes on behind it as if it ended there.
  package static let damageIgnored = ReplicaFaults(rawValue: 1 << 7)
}
