public import Core

/// Which bytes to read to get entries, or some of a snapshot.
public struct ReadPlan: Hashable, Sendable {
  public let file: JournalFileName
  public let position: Int
  public let length: Int
  /// The first entry wanted.
  public let from: Offset
  /// The first entry in the bytes, at most an index spacing before.
  let begins: Offset
  /// Whether an entry ends where the bytes end.
  let endsWhole: Bool
  /// How many entries are wanted.
  var maximumCount = Int.max

  init(file: JournalFileName, position: Int, length: Int, from: Offset, begins: Offset, endsWhole: Bool) {
    precondition(length > 0, "a plan that reads nothing")
    self.file = file
    self.position = position
    self.length = length
    self.from = from
    self.begins = begins
    self.endsWhole = endsWhole
  }

  /// Some of a snapshot's body: there is nothing to parse, but fewer bytes than `length` are damage.
  init(snapshot: Offset, position: Int, length: Int) {
    precondition(position >= SnapshotFile.headerSize && length >= 0)
    file = .snapshot(snapshot)
    self.position = position
    self.length = length
    from = snapshot
    begins = snapshot
    endsWhole = true
  }

  /// Takes the wanted entries from the bytes that were read, all of them checked. Anything that is not as it
  /// was written is an error, never left out.
  public func parse(_ bytes: Bytes) throws(JournalDamage) -> ReadEntries {
    try bytes.withUnsafeBytes { all throws(JournalDamage) in
      var at = 0
      var offset = begins
      while offset < from {
        at += try skip(all, at: at, expected: offset)
        offset = offset.next
      }
      let start = at
      var count = 0
      while count < maximumCount, let length = try entry(all, at: at, expected: offset, isFirst: count == 0) {
        at += length
        offset = offset.next
        count += 1
      }
      return ReadEntries(
        bytes: bytes.slice(start..<at), first: from, count: count,
        next: ReadPosition(offset: offset, segment: segment, position: position + at))
    }
  }

  /// The first entry in these bytes whose time is `time` or later, or the one after them.
  public func parse(_ bytes: Bytes, time: WallTime) throws(JournalDamage) -> Offset {
    let entries = try parse(bytes)
    return entries.bytes.withUnsafeBytes { all in
      for entry in RecordSequence(trusting: all) where entry.time >= time { return entry.offset }
      return entries.next.offset
    }
  }

  private var segment: Offset {
    guard case .segment(let first) = file else { preconditionFailure("a snapshot holds no entries") }
    return first
  }

  private func skip(_ all: UnsafeRawBufferPointer, at: Int, expected: Offset) throws(JournalDamage) -> Int {
    guard all.count - at >= RecordLayout.entryHeaderSize else { throw damage(at: at, expected) }
    let length = Int(all.number(at, UInt32.self))
    guard all.number(at + RecordLayout.offset) == expected.value, length >= RecordLayout.entryHeaderSize,
      length <= all.count - at
    else { throw damage(at: at, expected) }
    return length
  }

  /// The length of the entry at `at`, or nil where the bytes end.
  private func entry(
    _ all: UnsafeRawBufferPointer, at: Int, expected: Offset, isFirst: Bool
  ) throws(JournalDamage) -> Int? {
    if at == all.count, !isFirst, at == length || !endsWhole { return nil }
    switch RecordView.check(UnsafeRawBufferPointer(rebasing: all[at...])) {
    case .valid(let length):
      guard all.number(at + RecordLayout.offset) == expected.value else { throw damage(at: at, expected) }
      return length
    case .incomplete where !isFirst && !endsWhole && all.count == length: return nil
    case .incomplete, .damaged: throw damage(at: at, expected)
    }
  }

  private func damage(at: Int, _ expected: Offset) -> JournalDamage {
    .badEntry(file, at: position + at, expected: expected)
  }
}

/// Where an entry begins, known from reading the one before it; spares the next plan a search.
public struct ReadPosition: Hashable, Sendable {
  public let offset: Offset
  let segment: Offset
  let position: Int

  init(offset: Offset, segment: Offset, position: Int) {
    self.offset = offset
    self.segment = segment
    self.position = position
  }
}

/// What a read gave.
public struct ReadEntries: Sendable {
  /// Whole, checked entries one after another, beginning with the one asked for.
  public let bytes: Bytes
  public let first: Offset
  public let count: Int
  /// Where to read on.
  public let next: ReadPosition
}

/// Where the first entry at or after a time is.
public enum TimeSearch: Hashable, Sendable {
  /// Known; the log's end when there is none yet.
  case found(Offset)
  /// Read this and ask `ReadPlan.parse(_:time:)`.
  case read(ReadPlan)
}
