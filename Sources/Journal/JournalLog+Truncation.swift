public import Core

extension JournalLog {
  /// The entries of the segment that holds `offset` (`first ..< next`), and how many bytes they take.
  public func extent(holding offset: Offset) -> (offsets: ClosedRange<Offset>, bytes: Int) {
    precondition(offset >= first && offset < next, "no segment holds an offset outside the log")
    let segment = segments[(segments.lastIndex { $0.first <= offset }) ?? 0]
    return (segment.first...segment.last, segment.end)
  }

  /// Removes `cut` and everything after it, for good; `next` is `cut` then, and appends may follow at once.
  ///
  /// `droppedBytes` are the bytes of the entries from `cut` to the end of the segment that holds `cut`. Nothing
  /// committed and no snapshot, written or being written, may be at or above `cut`.
  public mutating func truncate(from cut: Offset, droppedBytes: Int, into output: inout JournalOutput) {
    preconditionFailure("not there yet")
  }
}
