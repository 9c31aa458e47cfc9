internal import Core

/// The term of every entry of the log, as ranges: a term's entries lie together.
///
/// Invariant: offsets and terms of `starts` grow; `base.offset ≤ last`.
struct LogTerms {
  struct Start {
    var first: Offset
    var term: Term
  }

  /// The entry before the first one kept.
  private(set) var base: LogPosition
  private(set) var last: Offset
  private var starts: [Start] = []

  init(base: LogPosition) {
    self.base = base
    last = base.offset
  }

  var lastTerm: Term { starts.last?.term ?? base.term }
  var end: LogPosition { LogPosition(offset: last, term: lastTerm) }

  /// The entry's term; nil when it is not known because it is before `base` or after `last`. O(log terms), O(1) in the last term.
  func term(at offset: Offset) -> Term? {
    guard offset <= last, offset >= base.offset else { return nil }
    guard let newest = starts.last else { return base.term }
    if offset >= newest.first { return newest.term }
    let index = firstStart(after: offset)
    return index == 0 ? base.term : starts[index - 1].term
  }

  /// The first offset of the last term.
  var lastTermBegins: Offset { starts.last?.first ?? base.offset }

  /// The newest entry at or below `offset` whose term is no later than `term`: where two logs may still agree.
  /// Nil when that lies before `base`.
  func newest(upTo offset: Offset, termAtMost term: Term) -> Offset? {
    var candidate = min(offset, last)
    while candidate > base.offset {
      let index = firstStart(after: candidate)
      guard index > 0 else { break }
      if starts[index - 1].term <= term { return candidate }
      candidate = Offset(starts[index - 1].first.value - 1)
    }
    return candidate == base.offset && base.term <= term ? candidate : nil
  }

  mutating func append(upTo newLast: Offset, term: Term) {
    precondition(newLast > last && term >= lastTerm, "terms and offsets of a log only grow")
    if term != lastTerm || starts.isEmpty { starts.append(Start(first: last.next, term: term)) }
    last = newLast
  }

  /// Forgets `from` and everything after it.
  mutating func truncate(from: Offset) {
    precondition(from > base.offset && from <= last, "truncation outside the log")
    last = Offset(from.value - 1)
    while let start = starts.last, start.first > last { starts.removeLast() }
  }

  /// Everything up to `offset` is gone from the log.
  mutating func compact(upTo offset: Offset) {
    guard offset > base.offset, let term = term(at: offset) else { return }
    let gone = firstStart(after: offset)
    base = LogPosition(offset: offset, term: term)
    starts.removeFirst(gone)
    // What is left of the range the base lies in.
    if last > offset, starts.first?.first != offset.next { starts.insert(Start(first: offset.next, term: term), at: 0) }
  }

  /// Where each term begins, of those that have entries up to `offset`.
  func runs(upTo offset: Offset) -> [LogOutline.Run] {
    starts.prefix(firstStart(after: offset)).map { LogOutline.Run(first: $0.first, term: $0.term) }
  }

  mutating func reset(to base: LogPosition) { self = LogTerms(base: base) }

  /// The index of the first range that begins after `offset`.
  private func firstStart(after offset: Offset) -> Int {
    var low = 0
    var high = starts.count
    while low < high {
      let middle = (low + high) / 2
      if starts[middle].first <= offset { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
