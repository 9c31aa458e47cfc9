internal import Core

/// Where in the log the entries lie that are no messages, so that the messages between two offsets can be counted
/// after they are gone.
///
/// Only the latest are remembered: what lies before them cannot be counted.
struct PlainEntries {
  /// Once there are twice as many runs, the older half is forgotten.
  static let keptRuns = 1024

  struct Run {
    var first: Offset
    var last: Offset
  }

  private(set) var runs: [Run] = []
  /// Everything after this offset is known.
  private(set) var knownAfter = Offset.zero

  init() {}

  /// What lies up to `offset` is unknown.
  init(unknownUpTo offset: Offset) { knownAfter = offset }

  init?(runs: [Run], knownAfter: Offset) {
    var end = knownAfter
    for run in runs {
      guard run.first > end, run.last >= run.first else { return nil }
      end = run.last
    }
    self.runs = runs
    self.knownAfter = knownAfter
  }

  mutating func note(_ offset: Offset) {
    if let last = runs.last, last.last.next == offset {
      runs[runs.count - 1].last = offset
      return
    }
    runs.append(Run(first: offset, last: offset))
    guard runs.count >= Self.keptRuns * 2 else { return }
    knownAfter = runs[Self.keptRuns - 1].last
    runs.removeFirst(Self.keptRuns)
  }

  /// How many there are after `from` and up to `to`; nil where that is not known.
  func count(after from: Offset, upTo to: Offset) -> UInt64? {
    guard from >= knownAfter, from <= to else { return nil }
    var count: UInt64 = 0
    for run in runs where run.last > from && run.first <= to {
      count += min(run.last, to).value - max(run.first, from.next).value + 1
    }
    return count
  }
}
