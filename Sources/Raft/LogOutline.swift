public import Core

/// What consensus knows of a log up to some offset and could not read from the entries after it: kept in every snapshot.
///
/// ```
///  0  u8  version, 1
///  1  u64 base offset    9  u64 base term
/// 17  u32 runs, then for each: u64 first offset, u64 term
///     membership, as in its entry; nothing where there is none yet
/// ```
public struct LogOutline: Hashable, Sendable {
  /// Entries of one term lie together, from `first` to the next run.
  public struct Run: Hashable, Sendable {
    public var first: Offset
    public var term: Term
  }

  /// The entry before the first one kept.
  public var base: LogPosition
  public var runs: [Run]
  /// In force at the end of it; of no voters for a replica that has not heard of any.
  public var membership: Membership

  private static var version: UInt8 { 1 }
  private static var headerSize: Int { 21 }
  private static var runSize: Int { 16 }
  /// Elections that one log can remember; far more than a log keeps.
  public static var maximumRuns: Int { 1 << 20 }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.append(LogOutline.version)
    buffer.append(littleEndian: base.offset.value)
    buffer.append(littleEndian: base.term)
    buffer.append(littleEndian: UInt32(runs.count))
    for run in runs {
      buffer.append(littleEndian: run.first.value)
      buffer.append(littleEndian: run.term)
    }
    if !membership.members.isEmpty { membership.encode(into: &buffer) }
  }

  /// Nil when the bytes are not exactly one outline.
  public init?(decoding bytes: UnsafeRawBufferPointer) {
    func number(_ at: Int) -> UInt64 { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)) }
    guard bytes.count >= LogOutline.headerSize, bytes[0] == LogOutline.version else { return nil }
    base = LogPosition(offset: Offset(number(1)), term: number(9))
    let count = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 17, as: UInt32.self)))
    let end = LogOutline.headerSize + count * LogOutline.runSize
    guard count <= LogOutline.maximumRuns, bytes.count >= end else { return nil }
    runs = []
    runs.reserveCapacity(count)
    var previous = Run(first: base.offset, term: base.term)
    for index in 0..<count {
      let at = LogOutline.headerSize + index * LogOutline.runSize
      let run = Run(first: Offset(number(at)), term: number(at + 8))
      guard run.first > previous.first, index == 0 ? run.term >= previous.term : run.term > previous.term else { return nil }
      runs.append(run)
      previous = run
    }
    if bytes.count == end {
      membership = Membership(voters: [])
    } else {
      guard let found = Membership(decoding: UnsafeRawBufferPointer(rebasing: bytes[end...])) else { return nil }
      membership = found
    }
  }

  init(base: LogPosition, runs: [Run], membership: Membership) {
    self.base = base
    self.runs = runs
    self.membership = membership
  }
}

extension RaftGroup {
  /// What a snapshot of the state after everything up to `offset` has to keep; `offset` is committed.
  public func outline(at offset: Offset) -> LogOutline {
    precondition(offset <= max(committed, log.base.offset), "an outline of what is not committed")
    return LogOutline(base: log.base, runs: log.runs(upTo: offset), membership: memberships.inForce(at: offset))
  }
}

extension LogSummary {
  /// A log of which only `first ... last` is there, as far as a snapshot's outline tells of it. What comes after the
  /// snapshot's offset is to be noted.
  public init(_ outline: LogOutline, of state: Offset, first: Offset, last: Offset, time: WallTime) {
    let before = Offset(first.value - 1)
    var terms = LogTerms(base: outline.base)
    let end = min(state, last)
    for (index, run) in outline.runs.enumerated() {
      let next = index + 1 < outline.runs.count ? outline.runs[index + 1].first : state.next
      let upTo = min(Offset(next.value - 1), end)
      if upTo > terms.last { terms.append(upTo: upTo, term: run.term) }
    }
    terms.compact(upTo: min(before, terms.last))
    self.init(base: terms.base, membership: outline.membership, time: time)
    self.terms = terms
    committed = max(committed, min(state, last))
    snapshot = state
  }

  /// The newest membership noted.
  public var membership: Membership { memberships.current }

  /// Whether `node` decides alone, so that what it has is committed.
  public func decidesAlone(_ node: NodeID) -> Bool { membership.voters == [node] && !membership.isJoint }
}
