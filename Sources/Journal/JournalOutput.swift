public import Core

/// What a journal wants done and what it has to tell. Filled by its methods, emptied by the caller, reused.
public struct JournalOutput: Sendable {
  /// To be carried out in this order.
  public var batches: [DiskBatch] = []
  /// What happened, in order.
  public var facts: [JournalFact] = []

  public init() {}

  public var isEmpty: Bool { batches.isEmpty && facts.isEmpty }

  public mutating func removeAll() {
    batches.removeAll(keepingCapacity: true)
    facts.removeAll(keepingCapacity: true)
  }
}

public enum JournalFact: Hashable, Sendable {
  /// Everything up to here is durable; `durable` says the same.
  case durable(Offset)
  /// The disk has no room for more: refuse publishes. What was appended is kept and will be written.
  case full
  /// There is room again.
  case roomAgain
  /// The snapshot is durable; older ones but one are on their way out.
  case snapshotWritten(Offset)
  /// The snapshot could not be written for want of space, and the one before still stands; or a restart overtook it.
  case snapshotRefused(Offset)
  /// Term and vote are durable: answers that depend on them may go out.
  case hardStateSaved(HardState)
  /// Term and vote could not be saved for want of space: nothing that depends on them may go out.
  case hardStateRefused(HardState)
  /// Everything below `first` is gone.
  case trimmed(first: Offset)
  /// The log was forgotten and begins anew after this offset; the snapshot and the hard state handed over with it
  /// are durable. Appends may follow.
  case restarted(after: Offset)
  /// The disk had no room for the new beginning: the journal stays damaged until a restart succeeds.
  case restartRefused
  /// The journal is dead. Nothing in flight will become durable; nothing may be appended.
  case died(DiskError)
}

/// Whether a journal takes new messages.
public enum JournalAdmission: Hashable, Sendable {
  case accepting
  case full
  case dead(DiskError)
  /// Opened with damage: readable where it is whole, never written.
  case damaged(JournalDamage)
}
