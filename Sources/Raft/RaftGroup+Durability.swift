public import Core

/// The disk's answers.
extension RaftGroup {
  /// The log is durable up to `offset`, as it was written by writes of up to `generation`. Reports come in order.
  public mutating func persisted(upTo offset: Offset, generation: UInt64, at now: Instant, into output: inout RaftOutput) {
    clock = now
    precondition(generation <= self.generation, "a write that was never asked for")
    var limit = min(offset, log.last)
    cuts.removeAll { $0.generation <= generation }
    for cut in cuts where !settings.faults.contains(.lateReportBelieved) { limit = min(limit, Offset(cut.from.value - 1)) }
    guard limit > durable else { return }
    durable = limit
    tail.shrink(durable: durable)
    if role == .leader {
      commitByCounting(into: &output)
    } else {
      acknowledge(atOnce: false, into: &output)
    }
  }

  /// Term and vote are on the disk.
  public mutating func hardStateSaved(_ state: RaftHardState, at now: Instant, into output: inout RaftOutput) {
    clock = now
    // Something newer is on its way to the disk; what was promised since depends on that.
    guard state == hardState, !isHardStateDurable else { return }
    isHardStateDurable = true
    voteIsDurable(into: &output)
    acknowledge(atOnce: owesReply, into: &output)
  }

  /// The log was trimmed: everything up to `offset`, all of it applied and in the snapshot, is gone from it.
  public mutating func compacted(upTo offset: Offset) {
    precondition(offset <= committed, "what is not committed cannot be trimmed")
    log.compact(upTo: offset)
    memberships.compact(upTo: offset)
  }

  /// A snapshot of the state after everything up to `offset` is on the disk, and can be read from now on.
  public mutating func snapshotTaken(_ offset: Offset) {
    snapshot = max(snapshot ?? offset, offset)
  }
}
