public import Core

extension JournalLog {
  /// Forgets the whole log, for good, and begins anew after `base`, with a snapshot and a hard state if there are
  /// any; the snapshot may be above `base`, when the log is to be filled up to it. The fact `restarted` says when
  /// that is durable, `restartRefused` that the disk has no room for it; nothing may be appended before.
  ///
  /// Also for a damaged journal, whose repair it is; not for a dead one.
  public mutating func restart(
    after base: Offset, snapshot: Snapshot?, hardState: HardState?, into output: inout JournalOutput
  ) {
    preconditionFailure("not there yet")
  }
}
