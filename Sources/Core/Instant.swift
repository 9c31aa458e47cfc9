/// A point on a monotonic clock, in nanoseconds since an arbitrary start. Shells read the clock; everyone
/// else is told.
public struct Instant: Hashable, Comparable, Sendable {
  public var nanoseconds: Int64
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  public static let zero = Instant(nanoseconds: 0)
  @inlinable public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
  @inlinable public static func + (a: Instant, b: TimeSpan) -> Instant { Instant(nanoseconds: a.nanoseconds &+ b.nanoseconds) }
  @inlinable public static func - (a: Instant, b: Instant) -> TimeSpan { TimeSpan(nanoseconds: a.nanoseconds &- b.nanoseconds) }
}

/// A length of time.
public struct TimeSpan: Hashable, Comparable, Sendable {
  public var nanoseconds: Int64
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  public static func milliseconds(_ count: Int) -> TimeSpan { TimeSpan(nanoseconds: Int64(count) * 1_000_000) }
  public static func seconds(_ count: Int) -> TimeSpan { .milliseconds(count * 1000) }
  public static let zero = TimeSpan(nanoseconds: 0)
  @inlinable public static func < (a: TimeSpan, b: TimeSpan) -> Bool { a.nanoseconds < b.nanoseconds }
  public var milliseconds: Int { Int(nanoseconds / 1_000_000) }
}

/// Milliseconds since 1970 in UTC: what is stamped on messages and shown to people. Never used to measure.
public struct WallTime: Hashable, Comparable, Sendable {
  public var milliseconds: Int64
  public init(milliseconds: Int64) { self.milliseconds = milliseconds }

  public static func < (a: WallTime, b: WallTime) -> Bool { a.milliseconds < b.milliseconds }
}
