/// Mistakes to be made on purpose, so that tests can prove that they would be noticed. Never set outside tests.
package struct JournalFaults: OptionSet, Hashable, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// A write that a crash cut off is taken for damage.
  package static let tornTailIsDamage = JournalFaults(rawValue: 1)
  /// Damage at the end of the log is cut off like a write that never finished.
  package static let damageIsTornTail = JournalFaults(rawValue: 1 << 1)
  /// What a killed process left unsynced is counted on though it was never synced since.
  package static let openedUnsynced = JournalFaults(rawValue: 1 << 2)
}
