public import Core

extension JournalLog {
  /// A plan for some of the body of a durable snapshot, whose bytes are taken as they are, and whether they are its
  /// last. Nil when that snapshot is gone, or `position` is not inside.
  public func snapshotPlan(_ offset: Offset, at position: Int, maximumBytes: Int) -> (plan: ReadPlan, isLast: Bool)? {
    nil
  }
}
