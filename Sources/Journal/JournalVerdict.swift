public import Core

/// What opening found.
public enum JournalVerdict: Hashable, Sendable {
  /// Nothing was here.
  case fresh
  case clean
  /// The last write never finished; the unfinished bytes are cut. Nothing that was durable is lost.
  case tornTail(JournalFileName, at: Int, bytes: Int)
  /// Something that was durable is missing or altered. Nothing is cut, nothing may be appended.
  case corrupt(JournalDamage)
}

/// Something durable is missing or altered.
public enum JournalDamage: Error, Hashable, Sendable {
  /// The entry with this offset, expected there, is not what was written.
  case badEntry(JournalFileName, at: Int, expected: Offset)
  /// Entries that were durable are not there: a file is missing or short.
  case missingEntries(from: Offset, through: Offset)
  /// No intact snapshot reaches the log's first entry.
  case noUsableSnapshot(logBegins: Offset)
  /// The log was being forgotten to begin anew and that did not come to its end; what is left says nothing.
  case unfinishedRestart
}

extension JournalDamage: CustomStringConvertible {
  public var description: String {
    switch self {
    case .badEntry(let file, let position, let offset):
      "entry \(offset) at byte \(position) of \(file.text) is damaged"
    case .missingEntries(let from, let through):
      "entries \(from) to \(through) were durable and are missing"
    case .noUsableSnapshot(let first):
      "the log begins at \(first) and no intact snapshot reaches it"
    case .unfinishedRestart:
      "the log was being forgotten to begin anew, which did not come to its end"
    }
  }
}

/// Term and vote, as consensus needs them kept.
public struct HardState: Hashable, Sendable {
  public var term: UInt64
  public var vote: NodeID?

  public init(term: UInt64 = 0, vote: NodeID? = nil) {
    self.term = term
    self.vote = vote
  }
}

/// What opening found of the hard state.
public enum HardStateFinding: Hashable, Sendable {
  case found(HardState)
  /// The file is missing or damaged though the journal is not new: this replica may have voted and must not
  /// vote again in a term it could have voted in.
  case lost
}

/// A shard's state after everything up to `offset` was applied.
public struct Snapshot: Hashable, Sendable {
  public var offset: Offset
  public var body: Bytes

  public init(offset: Offset, body: Bytes) {
    self.offset = offset
    self.body = body
  }
}
