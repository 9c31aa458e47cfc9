public import Core

public struct JournalLog: ~Copyable {
  public var first: Offset { fatalError() }
  public var next: Offset { fatalError() }
  public var durable: Offset { fatalError() }
  public var undurableBytes: Int { fatalError() }
  public var retainedBytes: Int { fatalError() }
  public var admission: JournalAdmission { fatalError() }

  /// Appends stamped and sealed entries whose offsets begin with `next`; hands them back as shareable bytes.
  public mutating func append(_ entries: consuming ByteBuffer, into output: inout JournalOutput) -> Bytes { fatalError() }
  public mutating func completed(_ ticket: JournalTicket, into output: inout JournalOutput) { fatalError() }
  public mutating func failed(_ ticket: JournalTicket, _ error: DiskError, into output: inout JournalOutput) { fatalError() }
  public mutating func tick(at now: Instant, into output: inout JournalOutput) { fatalError() }
  public mutating func writeSnapshot(_ snapshot: Snapshot, into output: inout JournalOutput) { fatalError() }
  public mutating func saveHardState(_ state: HardState, into output: inout JournalOutput) { fatalError() }
  public mutating func trim(at now: WallTime, _ retention: Retention, keepFrom: Offset, into output: inout JournalOutput) {
    fatalError()
  }
  public func plan(from offset: Offset, maximumBytes: Int) -> ReadPlan? { fatalError() }
  public func plan(continuing position: ReadPosition, maximumBytes: Int) -> ReadPlan? { fatalError() }
  public func plan(single offset: Offset) -> ReadPlan? { fatalError() }
  public func search(time: WallTime) -> TimeSearch { fatalError() }
  public mutating func scrubPlan(maximumBytes: Int) -> ReadPlan? { fatalError() }

  public static func open(disk: inout some Disk & ~Copyable, settings: JournalSettings) throws(DiskError) -> JournalOpening {
    fatalError()
  }
}

/// What opening gives.
public struct JournalOpening: ~Copyable {
  public var log: JournalLog
  public let verdict: JournalVerdict
  public let hardState: HardStateFinding
  /// The newest intact snapshot.
  public let snapshot: Snapshot?
  /// The entries after it.
  public var replay: JournalReplay
}

/// Reads the entries after the snapshot, a chunk at a time.
public struct JournalReplay: Sendable {
  /// Whole, checked entries, in order, or nil at the end.
  public mutating func next(disk: inout some Disk & ~Copyable) throws(ReplayError) -> Bytes? { fatalError() }
}

public enum ReplayError: Error, Hashable, Sendable {
  case disk(DiskError)
  case damage(JournalDamage)
}
