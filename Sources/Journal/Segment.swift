internal import Core

/// One entry's place, kept for one entry in about every 64 KiB.
struct IndexPoint: Equatable, Sendable {
  var offset: Offset
  /// The latest time among the entries before it in its segment.
  var latestBefore: WallTime
  var position: Int
}

/// What is known of one segment file.
struct Segment: Sendable {
  let first: Offset
  /// One below `first` while it is empty.
  var last: Offset
  /// Bytes of entries, appended or found.
  var end = 0
  /// How much of that is durable and may be read.
  var durableEnd = 0
  /// The length of the file: zeroes set aside for what comes.
  var reserved = 0
  /// Whether the file exists.
  var isCreated = false
  var firstTime = WallTime.distantPast
  /// The latest time of any entry; leaders' clocks may differ, so it need not be the last one's.
  var latestTime = WallTime.distantPast
  var points: [IndexPoint] = []
  /// `end` when the index was last saved.
  var indexedEnd = 0
  /// The footer that has to be written before entries follow: without it, a torn first sector behind `position`
  /// would be taken for damage.
  var missingFooter: CommitFooter?

  init(first: Offset) {
    self.first = first
    last = Offset(first.value - 1)
  }

  var isEmpty: Bool { end == 0 }
  var file: JournalFileName { .segment(first) }

  /// Takes note of the entry that follows the last one.
  @inline(__always) mutating func append(length: Int, time: WallTime, spacing: Int) {
    if points.isEmpty || end - points[points.count - 1].position >= spacing {
      points.append(IndexPoint(offset: last.next, latestBefore: latestTime, position: end))
    }
    if end == 0 { firstTime = time }
    if latestTime < time { latestTime = time }
    last = last.next
    end += length
  }

  /// Forgets the entries from `cut` on, which begin at `position`. The latest time may be one of theirs then.
  mutating func forget(from cut: Offset, at position: Int) {
    // What came before the first forgotten point is closer than what came before the end.
    if let point = points.first(where: { $0.offset >= cut }) { latestTime = point.latestBefore }
    points.removeAll { $0.offset >= cut }
    last = Offset(cut.value - 1)
    end = position
    durableEnd = min(durableEnd, position)
    indexedEnd = min(indexedEnd, position)
  }

  /// Whether the entry `offset` can begin at `position`, as far as the points tell.
  func mayHold(_ offset: Offset, at position: Int) -> Bool {
    guard position >= 0, position < end, let number = lastPoint(where: { $0.offset <= offset }) else { return false }
    let point = points[number]
    guard point.offset == offset ? position == point.position : position > point.position else { return false }
    return number + 1 == points.count || position < points[number + 1].position
  }

  /// The number of the last point that `isBefore` holds for; points are ordered by it. O(log points).
  func lastPoint(where isBefore: (IndexPoint) -> Bool) -> Int? {
    var low = 0
    var high = points.count
    while low < high {
      let middle = (low + high) / 2
      if isBefore(points[middle]) { low = middle + 1 } else { high = middle }
    }
    return low == 0 ? nil : low - 1
  }

  /// Where the first entry begins that is indexed after point `number`, at most at the durable end.
  func end(ofPoint number: Int) -> Int {
    number + 1 < points.count ? min(points[number + 1].position, durableEnd) : durableEnd
  }
}

extension WallTime {
  static let distantPast = WallTime(milliseconds: .min)
}
