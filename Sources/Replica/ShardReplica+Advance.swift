internal import Core
internal import Feeds
internal import Journal
internal import Shard

/// How reads move through the log: memory first, then the disk.
extension ShardReplica {
  enum Step {
    case done
    case read(ReadPlan)
    case refused(Refusal)
  }

  /// Scans on: to the end of the page, or to the next read.
  mutating func advance(_ scan: inout Scan, wall: WallTime) -> Step {
    while scan.at < committed {
      if scan.isFull || scan.examined >= settings.examinedBytesPerRead { return .done }
      if hasNothing(after: scan.at, for: scan.filters) {
        scan.at = committed
        return .done
      }
      if scan.at < beforeFirst {
        // A gap in the middle of a page: the next page begins with it.
        guard scan.pieces.isEmpty else { return .done }
        skipExpired(&scan)
        continue
      }
      if let batch = tail.batch(holding: scan.at.next) {
        scan.examine(batch, upTo: committed, wall: wall)
        continue
      }
      let plan: ReadPlan?
      if let place = scan.place, place.offset == scan.at.next {
        plan = log.plan(continuing: place, maximumBytes: settings.readChunkBytes)
      } else {
        plan = log.plan(from: scan.at.next, maximumBytes: settings.readChunkBytes)
      }
      return step(plan)
    }
    return .done
  }

  /// Whether no topic of exact filters can have anything after `offset`: two look-ups spare a scan.
  private func hasNothing(after offset: Offset, for filters: FilterSet) -> Bool {
    guard filters.isExact else { return false }
    for filter in filters.filters {
      let head = filter.bytes.withUnsafeBytes { state.topics.newest($0) }
      if head > offset || (head == .zero && state.mayHaveForgotten(after: offset)) { return false }
    }
    return true
  }

  private func skipExpired(_ scan: inout Scan) {
    let from = scan.gap?.reason == .expired ? scan.gap!.from : scan.at
    scan.gap = ReadGap(reason: .expired, from: from, to: beforeFirst)
    scan.at = beforeFirst
  }

  /// The gap to tell of: none when the one topic's oldest record follows what the reader had seen.
  func gap(of scan: Scan) -> ReadGap? {
    guard var gap = scan.gap, gap.reason == .expired else { return scan.gap }
    gap.skipped = state.messages(matching: scan.filters.filters, after: gap.from, upTo: gap.to)
    guard scan.filters.isExact, scan.filters.filters.count == 1, let previous = scan.previousOfFirst else { return gap }
    if previous == .zero, state.mayHaveForgotten(after: gap.from) { return gap }
    if previous == gap.from.next { gap.skipped = 1 }
    return previous <= gap.from ? nil : gap
  }

  func lastWalk(_ request: ReadRequest, _ count: Int) -> Walk {
    let limit = settings.maximumWalkRecords
    var walk = Walk(
      edge: request.edge, ticket: request.ticket, purpose: .last(upTo: committed), maximumRecords: limit,
      maximumBytes: request.maximumBytes)
    guard count > 0 else { return walk }
    var heads = state.topics.indices(matching: request.filters).map { state.topics.head(at: $0).newest }
    if heads.count > limit {
      // The newest records of all lie on the chains with the newest heads.
      heads.sort(by: >)
      heads.removeLast(heads.count - limit)
    }
    for head in heads where head >= log.first { walk.push(Walk.Step(offset: head, remaining: min(count, limit))) }
    return walk
  }

  /// For a reader far behind: back along the topics that it wants, where that is less than to look at all that was written
  /// since. A client that was away for a day, of a busy log, is sent its few messages for the price of those.
  func sparseWalk(_ scan: Scan, _ request: ReadRequest) -> Walk? {
    guard scan.gap == nil, scan.at >= beforeFirst, committed > scan.at else { return nil }
    let span = committed.value - scan.at.value
    let limit = min(Int(clamping: span / settings.passedPerRecord), settings.maximumSparseRecords)
    guard limit > 0, scan.filters.isExact || UInt64(state.topics.count) * 16 <= span,
      let heads = state.topics.newest(matching: request.filters, after: scan.at, atMost: limit)
    else { return nil }
    var walk = Walk(
      edge: request.edge, ticket: request.ticket, purpose: .since(scan, upTo: committed), maximumRecords: limit + 1,
      maximumBytes: request.maximumBytes)
    walk.after = scan.at
    for head in heads { walk.push(Walk.Step(offset: head, remaining: .max)) }
    return walk
  }

  /// The scan in its place, where there was more along the topics than was thought, or retention came between.
  func scan(insteadOf walk: Walk) -> Scan? {
    guard case .since(let scan, upTo: _) = walk.purpose else { return nil }
    let isWhole = walk.steps.isEmpty && walk.bytes < walk.maximumBytes && walk.taken < walk.maximumRecords
    return isWhole && scan.at >= beforeFirst ? nil : scan
  }

  /// Entries before the wanted one that are read with it: a chain's next record is often among them.
  private static var lookBack: UInt64 { 255 }

  mutating func advance(_ walk: inout Walk, wall: WallTime) -> Step {
    while true {
      walk.dropTrimmed(before: log.first)
      guard !walk.isDone, let offset = walk.steps.first?.offset else { return .done }
      if case .since = walk.purpose, walk.taken >= walk.maximumRecords { return .done }
      if walk.taken >= settings.maximumWalkSteps { return .refused(.overloaded) }
      let first = log.first
      if let batch = tail.batch(holding: offset) {
        guard batch.withEntry(offset, { walk.take($0, first: first, wall: wall) }) != nil else {
          preconditionFailure("a batch does not hold what it says")
        }
        continue
      }
      if let stretch = walk.stretch, stretch.first <= offset, offset < stretch.next.offset,
        stretch.bytes.withEntry(offset, { walk.take($0, first: first, wall: wall) }) != nil
      {
        continue
      }
      return step(plan(for: offset, &walk))
    }
  }

  private func plan(for offset: Offset, _ walk: inout Walk) -> ReadPlan? {
    let back = min(ShardReplica.lookBack, offset.value - log.first.value)
    let from = Offset(offset.value - back)
    let tried = walk.stretch.map { $0.first == from && !walk.wantsSingle } ?? false
    walk.wantsSingle = tried
    return tried ? log.plan(single: offset) : log.plan(from: from, maximumBytes: settings.readChunkBytes)
  }

  private func step(_ plan: ReadPlan?) -> Step {
    if let plan { return .read(plan) }
    // What is committed and retained is in memory or on the disk, unless the log is damaged.
    guard let failure else { preconditionFailure("a committed entry is neither in memory nor on the disk") }
    return .refused(.damaged(failure))
  }
}
