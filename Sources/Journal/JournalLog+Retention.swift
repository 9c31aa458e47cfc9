public import Core

extension JournalLog {
  /// Closes the open segment when it is old or large enough to be removed as a whole one day, and removes whole
  /// segments that are older than the age, or too much for the size, and not needed any more.
  ///
  /// Needed are entries from `keepFrom` on, and those after the older of the kept snapshots.
  public mutating func trim(
    at now: WallTime, _ retention: Retention, keepFrom: Offset, into output: inout JournalOutput
  ) {
    guard failure == nil, damage == nil else { return }
    closeIfLarge(at: now, retention, into: &output)
    guard marksInFlight == 0 else { return }  // The next call does it.
    let limit = min(keepFrom, (snapshots.first?.offset ?? .zero).next)
    let count = removable(at: now, retention, limit: limit)
    guard count > 0 else { return }
    let gone = segments.prefix(count).map(\.first)
    segments.removeFirst(count)
    removed += count
    counters.segmentsRemoved += UInt64(count)
    // The mark says where the log begins before anything is gone, so that a file lost later is told from one removed.
    var operations = nextMark()
    for first in gone { operations += [.delete(.segment(first)), .delete(.index(first))] }
    emit(.trim(first: first), operations, into: &output)
  }

  private mutating func closeIfLarge(at now: WallTime, _ retention: Retention, into output: inout JournalOutput) {
    let active = segments[segments.count - 1]
    guard !active.isEmpty, held.isEmpty, spaceRequest == nil, lackedSpace == nil, durable.next == next else { return }
    let isOld = now.milliseconds - active.firstTime.milliseconds >= max(1, retention.ageMilliseconds / Int64(Retention.parts))
    let isLarge = active.end >= max(Retention.smallestSegmentBytes, retention.bytes / Retention.parts)
    guard isOld || isLarge else { return }
    segments.append(Segment(first: active.last.next))
    advance(into: &output)
  }

  private func removable(at now: WallTime, _ retention: Retention, limit: Offset) -> Int {
    var count = 0
    var kept = retainedBytes
    while count + 1 < segments.count, segments[count + 1].isCreated {
      let oldest = segments[count]
      let isOld = now.milliseconds - oldest.latestTime.milliseconds >= retention.ageMilliseconds
      guard oldest.last < limit, isOld || kept > retention.bytes else { break }
      kept -= oldest.end
      count += 1
    }
    return count
  }
}
