internal import Core
internal import Replica

/// When followers of the status are told ahead of the next second: soon after something happened, and not for each of
/// many things that happen together.
struct NewsDesk {
  /// Between two that come ahead of time.
  static let pause = TimeSpan.milliseconds(250)

  private var stirrings: UInt64 = 0
  private var news: UInt64 = 0
  private var stirredAt: Instant
  private var isTelling = false

  init(at now: Instant) { stirredAt = now }

  /// Whether something happened that was not told yet, and the pause is over.
  mutating func isStirred(_ count: UInt64, at now: Instant) -> Bool {
    guard count != stirrings, now - stirredAt >= Self.pause else { return false }
    stirrings = count
    stirredAt = now
    isTelling = true
    return true
  }

  /// Once for each stirring: the other nodes have been told.
  mutating func isToldToOthers() -> Bool {
    defer { isTelling = false }
    return isTelling
  }

  mutating func hasNews(_ count: UInt64) -> Bool {
    defer { news = count }
    return count != news
  }
}

extension ReplicaFact {
  /// Whether it changes what the status says beside numbers.
  var isForTheStatus: Bool {
    switch self {
    case .leads, .leadsNoMore, .leaderChanged, .membershipChanged, .journalFailed, .damaged, .full, .roomAgain, .relearns, .repaired, .diverged: true
    case .opened, .snapshotWritten, .snapshotRefused, .trimmed, .snapshotInstalled, .closed: false
    }
  }
}
