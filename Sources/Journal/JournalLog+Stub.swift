public import Core
extension JournalLog {
  public func extent(holding offset: Offset) -> Offset { fatalError() }
  public mutating func truncate(from cut: Offset, droppedBytes: Int, into output: inout JournalOutput) { fatalError() }
  public mutating func note(committed: Offset) {}
  public mutating func restart(after base: Offset, snapshot: Snapshot?, hardState: HardState?, into output: inout JournalOutput) { fatalError() }
  public func snapshotPlan(_ offset: Offset, at position: Int, maximumBytes: Int) -> (plan: ReadPlan, isLast: Bool)? { nil }
  public static var appendRoom: Int { CommitFooter.size }
}
extension JournalOpening { public var committed: Offset { .zero } }
