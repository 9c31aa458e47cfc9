public import Core

/// Which bytes to read to get entries.
public struct ReadPlan: Hashable, Sendable {
  public let file: JournalFileName
  public let position: Int
  public let length: Int
  /// The first entry wanted; the bytes may begin with a few before it.
  public let from: Offset
  public func parse(_ bytes: Bytes) throws(JournalDamage) -> ReadEntries { fatalError() }
  /// first at or after
  public func parse(_ bytes: Bytes, time: WallTime) throws(JournalDamage) -> Offset { fatalError() }
}

/// Where an entry begins, known from reading the one before it; spares the next plan a search.
public struct ReadPosition: Hashable, Sendable {
  public let offset: Offset
  let segment: Offset
  let position: Int
}

public struct ReadEntries: Sendable {
  /// Whole, checked entries one after another, beginning with the one asked for.
  public let bytes: Bytes
  public let first: Offset
  public let count: Int
  /// Where to read on.
  public let next: ReadPosition
}

public enum TimeSearch: Hashable, Sendable {
  /// The first entry at or after the time; the log's end when there is none yet.
  case found(Offset)
  /// Read this and ask `ReadPlan.parse(_:time:)`.
  case read(ReadPlan)
}
