public import Core
internal import Glibc

/// The monotonic clock, as commands read it.
public enum ClientClock {
  public static var now: Instant {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }

  /// Does nothing for a while.
  static func wait(_ span: TimeSpan) {
    let end = now + span
    while case let left = end - now, left > .zero {
      poll(nil, 0, milliseconds(left))
    }
  }

  /// How long a call to `poll` may last that must not end after `deadline`, or nil when it has passed.
  static func pollTimeout(until deadline: Instant) -> Int32? {
    let left = deadline - now
    return left > .zero ? milliseconds(left) : nil
  }

  private static func milliseconds(_ span: TimeSpan) -> Int32 {
    Int32(clamping: (span.nanoseconds + 999_999) / 1_000_000)
  }
}

/// The system's sentence for an error number.
func systemReason(_ number: Int32) -> String { String(cString: strerror(number)) }
