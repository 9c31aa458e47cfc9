internal import Core

/// What followers waited in the last half minute: histograms only grow, so it is what came after one of that age.
struct LatencyWindow {
  /// Between two that are kept.
  static let step = TimeSpan.seconds(5)
  static let steps = 6

  /// By transport, oldest first.
  private var kept: [[LatencyHistogram]]
  private var keptAt: Instant

  /// At the start, when nothing has been recorded.
  init(at now: Instant, transports: Int) {
    kept = [[LatencyHistogram](repeating: LatencyHistogram(), count: transports)]
    keptAt = now
  }

  /// At least once a second, with all that was recorded since the start.
  mutating func sample(_ latencies: @autoclosure () -> [LatencyHistogram], at now: Instant) {
    guard now - keptAt >= Self.step else { return }
    keptAt = now
    kept.append(latencies())
    if kept.count > Self.steps { kept.removeFirst() }
  }

  /// Of what was recorded since the start, what is recent.
  func recent(of latencies: [LatencyHistogram]) -> [LatencyHistogram] {
    zip(latencies, kept[0]).map { $0.since($1) }
  }
}
