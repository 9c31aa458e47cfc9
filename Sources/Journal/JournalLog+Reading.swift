public import Core

/// Plans say which bytes to read; they never reach past what is durable.
extension JournalLog {
  /// A plan for entries from `offset` on: at least one whole entry, about `maximumBytes` in all. Nil when
  /// `offset` is trimmed or not durable yet.
  public func plan(from offset: Offset, maximumBytes: Int) -> ReadPlan? {
    guard let (number, point) = locate(offset) else { return nil }
    let start = segments[number].points[point]
    let place = ReadPosition(offset: start.offset, segment: segments[number].first, position: start.position)
    return plan(in: number, at: place, from: offset, firstEndsBy: segments[number].end(ofPoint: point), maximumBytes)
  }

  /// The same from where an earlier read ended.
  public func plan(continuing place: ReadPosition, maximumBytes: Int) -> ReadPlan? {
    guard let (number, point) = locate(place.offset) else { return nil }
    guard segments[number].first == place.segment else { return plan(from: place.offset, maximumBytes: maximumBytes) }
    return plan(in: number, at: place, from: place.offset, firstEndsBy: segments[number].end(ofPoint: point), maximumBytes)
  }

  /// A plan for one entry alone.
  public func plan(single offset: Offset) -> ReadPlan? {
    guard var plan = plan(from: offset, maximumBytes: 0) else { return nil }
    plan.maximumCount = 1
    return plan
  }

  /// Looks for the first entry at or after `time`.
  public func search(time: WallTime) -> TimeSearch {
    for number in segments.indices where segments[number].latestTime >= time && segments[number].durableEnd > 0 {
      let segment = segments[number]
      let point = segment.lastPoint(where: { $0.latestBefore < time }) ?? 0
      guard segment.points[point].position < segment.durableEnd else { continue }
      guard let plan = plan(from: segment.points[point].offset, maximumBytes: 0) else { continue }
      return .read(plan)
    }
    return .found(durable.next)
  }

  /// The next stretch to verify, round and round; read and parse it like any other. Nil when there is nothing.
  public mutating func scrubPlan(maximumBytes: Int) -> ReadPlan? {
    if scrubNext < first || scrubNext > durable { scrubNext = first }
    return plan(from: scrubNext, maximumBytes: maximumBytes)
  }

  /// The stretch was read and is whole up to here.
  public mutating func scrubbed(upTo place: ReadPosition) {
    scrubNext = place.offset
  }

  /// The segment that holds `offset` and its last point at or before it.
  private func locate(_ offset: Offset) -> (segment: Int, point: Int)? {
    guard offset >= first, offset <= durable else { return nil }
    var low = 0
    var high = segments.count
    while low < high {
      let middle = (low + high) / 2
      if segments[middle].first <= offset { low = middle + 1 } else { high = middle }
    }
    guard low > 0, let point = segments[low - 1].lastPoint(where: { $0.offset <= offset }) else { return nil }
    return (low - 1, point)
  }

  private func plan(
    in number: Int, at place: ReadPosition, from offset: Offset, firstEndsBy: Int, _ maximumBytes: Int
  ) -> ReadPlan {
    let durableEnd = segments[number].durableEnd
    let (wanted, overflow) = place.position.addingReportingOverflow(max(0, maximumBytes))
    let end = min(durableEnd, overflow ? durableEnd : max(firstEndsBy, wanted))
    return ReadPlan(
      file: segments[number].file, position: place.position, length: end - place.position, from: offset,
      begins: place.offset, endsWhole: end == durableEnd || end == firstEndsBy)
  }
}
