public import Core

/// The machine's clocks. A loop reads them once per turn; everyone else is told.
public enum SystemClock {
  /// Never goes back, does not follow the calendar: what durations are measured with.
  public static func monotonic() -> Instant {
    Instant(nanoseconds: SystemCalls.monotonicNanoseconds())
  }

  /// The calendar's time.
  public static func wall() -> WallTime {
    WallTime(milliseconds: SystemCalls.wallMilliseconds())
  }
}
