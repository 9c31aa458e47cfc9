/// What time it is, as most of a cluster's brokers have it: a node whose clock is wrong says so, and goes by theirs.
///
/// Otherwise a leader with a clock an hour ahead would stamp messages with an hour that has not come, and whatever counts in
/// time (retention, `Tidings-TTL`, `since=5m`) would be an hour off.
struct ClusterClock {
  /// Clocks this near to each other agree.
  static let tolerance: Int64 = 5_000
  /// A correction in force is left alone while it is this near to the right one: what it corrects does not jump about.
  static let drift: Int64 = 1_000

  enum Finding: Equatable {
    case agrees
    /// This node's is wrong by so much; positive when it is ahead.
    case isOff(by: Int64)
    /// No majority agrees. This one is furthest away, and ahead by so much.
    case differs(from: String, ahead: Int64)
  }

  /// Milliseconds to add to this node's clock.
  private(set) var correction: Int64 = 0
  private(set) var finding = Finding.agrees

  /// How far the other brokers' clocks are ahead of this node's. An edge's own clock has no voice.
  mutating func compare(with others: [(name: String, ahead: Int64)], ownCounts: Bool) {
    guard let furthest = others.max(by: { abs($0.ahead) < abs($1.ahead) }) else {
      // Nobody is heard: what was right a moment ago is still the best that is known.
      return
    }
    let voices = (others.map(\.ahead) + (ownCounts ? [0] : [])).sorted()
    var agreeing: ArraySlice<Int64> = []
    for start in voices.indices {
      let group = voices[start...].prefix { $0 - voices[start] <= Self.tolerance }
      if group.count > agreeing.count { agreeing = group }
    }
    guard agreeing.count * 2 > voices.count else {
      finding = .differs(from: furthest.name, ahead: furthest.ahead)
      // The earliest is the one to go by: stamps never go back, so a wrong late one could not be put right, and would
      // have messages expire before their time.
      if correction == 0 { correction = voices[0] }
      return
    }
    let right = agreeing[agreeing.startIndex + agreeing.count / 2]
    guard abs(right) > Self.tolerance else {
      finding = .agrees
      correction = 0
      return
    }
    finding = .isOff(by: -right)
    if abs(right - correction) > Self.drift { correction = right }
  }

  /// What is wrong, for people; nil when nothing is.
  func trouble(of node: String) -> String? {
    switch finding {
    case .agrees: nil
    case .isOff(let milliseconds):
      "the clock of \(node) is \(Self.span(milliseconds)) \(milliseconds > 0 ? "ahead of" : "behind") the brokers'; it goes by theirs meanwhile: set it, best by NTP"
    case .differs(let other, let ahead):
      "the clock of \(node) is \(Self.span(ahead)) \(ahead > 0 ? "behind" : "ahead of") \(other)'s, and there is no majority to tell which is right: set them, best by NTP"
    }
  }

  private static func span(_ milliseconds: Int64) -> String {
    let seconds = (abs(milliseconds) + 500) / 1000
    return seconds < 120 ? "\(seconds) s" : seconds < 7200 ? "\(seconds / 60) min" : "\(seconds / 3600) h"
  }
}
