/// Mistakes to be made on purpose, so that tests can prove that they would be noticed. Never set outside tests.
package struct ReplicaFaults: OptionSet, Hashable, Sendable {
  package let rawValue: UInt16
  package init(rawValue: UInt16) { self.rawValue = rawValue }

  /// Publishers are answered when their message is appended, not when it is committed.
  package static let acknowledgedEarly = ReplicaFaults(rawValue: 1)
  /// A reader that resumes gets the last message it had again.
  package static let resumedOneTooLow = ReplicaFaults(rawValue: 1 << 1)
  /// A reader that resumes misses the first message.
  package static let resumedOneTooHigh = ReplicaFaults(rawValue: 1 << 2)
  /// A feed says that it is live from one entry lower than what it pushes.
  package static let feedLiveTooLow = ReplicaFaults(rawValue: 1 << 3)
  /// A new leader does not know the keys that were used before it.
  package static let keysForgotten = ReplicaFaults(rawValue: 1 << 4)
  /// A consumer's cursor is set to what is acknowledged, be it lower.
  package static let cursorFoldedWrongly = ReplicaFaults(rawValue: 1 << 5)
  /// A session's holder is told that a save is kept when it comes in.
  package static let savedEarly = ReplicaFaults(rawValue: 1 << 6)
  /// Whoever once held a session may still change it.
  package static let epochIgnored = ReplicaFaults(rawValue: 1 << 7)
  /// A will is forgotten when it is handed out, not when it is known to be published.
  package static let willForgotten = ReplicaFaults(rawValue: 1 << 8)
}
