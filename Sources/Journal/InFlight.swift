internal import Core

/// A batch handed out and not answered yet.
struct InFlight: Sendable {
  enum Purpose: Sendable {
    case write(segment: Int, end: Int, last: Offset)
    case space(SpaceRequest)
    case close
    case index
    case mark
    case trim(first: Offset)
    case snapshot(StoredSnapshot)
    case hardState(HardState)
    /// Removes what nobody needs.
    case tidy
    case truncation
    case restart(Restart)
  }

  var ticket: JournalTicket
  var purpose: Purpose
  var writesMark: Bool
  /// A later batch undoes what this one does: that it was done changes nothing any more.
  var isObsolete = false
}

extension InFlight.Purpose {
  /// Whether this batch may fail like this for want of space without the disk's content being in doubt.
  func bears(_ error: DiskError) -> Bool {
    guard error.kind == .noSpace else { return false }
    switch self {
    case .space, .snapshot, .hardState, .close, .index: return true
    case .mark: return error.file != .mark  // The index that came with it: made again at opening.
    case .restart(let restart): return error.file != .mark || restart.replacesMark
    case .write, .trim, .tidy, .truncation: return false
    }
  }
}
