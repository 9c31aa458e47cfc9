/// Lifeguard's multiplier: how much this member distrusts itself. Whoever is slow gives others more time before it
/// accuses them, because the fault is likelier its own.
struct LocalHealth: Sendable {
  /// The worst score: periods and timeouts are at most this much + 1 longer.
  static let worst = 8

  let isWatched: Bool
  private(set) var score = 0

  init(isWatched: Bool) { self.isWatched = isWatched }

  mutating func probeSucceeded() { change(by: -1) }

  /// A probe failed. Helpers that were asked and sent no nack say that it is we who are not heard; with all nacks
  /// in, the failure is the target's alone.
  mutating func probeFailed(nacksMissed: Int, nacksExpected: Int) {
    change(by: nacksExpected > 0 ? nacksMissed : 1)
  }

  /// Others had reason to think us dead.
  mutating func refuted() { change(by: 1) }

  mutating func overslept() { change(by: 1) }

  /// What every timeout is multiplied by.
  var multiplier: Int { score + 1 }

  private mutating func change(by amount: Int) {
    guard isWatched else { return }
    score = min(max(score + amount, 0), Self.worst)
  }
}
