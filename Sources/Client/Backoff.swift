public import Core

/// How long to wait before trying again: anything from nothing to a ceiling that doubles with every failure
/// ("full jitter"), so that clients cut off together do not come back together.
public struct Backoff: Sendable {
  /// The first ceiling unless the node names another.
  public static let standardBase = TimeSpan.milliseconds(250)
  public static let ceiling = TimeSpan.seconds(15)

  private var base: TimeSpan
  private var failures = 0

  public init(base: TimeSpan = Backoff.standardBase) { self.base = base }

  /// The node's own wish for the first ceiling, within reason.
  public mutating func adopt(base wish: TimeSpan) { base = max(.milliseconds(1), min(wish, Backoff.ceiling)) }

  /// Something worked: the next failure is a first one.
  public mutating func reset() { failures = 0 }

  /// The next wait; never less than `atLeast`, which a node may have asked for.
  public mutating func next(atLeast: TimeSpan? = nil, using generator: inout some RandomNumberGenerator) -> TimeSpan {
    var limit = base
    for _ in 0..<failures where limit < Backoff.ceiling { limit = TimeSpan(nanoseconds: limit.nanoseconds * 2) }
    limit = min(limit, Backoff.ceiling)
    failures += 1
    let wait = TimeSpan(nanoseconds: .random(in: 0...limit.nanoseconds, using: &generator))
    return TimeSpan(nanoseconds: wait.nanoseconds + (atLeast?.nanoseconds ?? 0))
  }
}
