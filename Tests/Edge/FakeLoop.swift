import Core
import Edge
import Testing

@testable import Reactor

/// The loop under an edge in tests: the real poller, edges and all, and a clock that stands until it is moved.
final class FakeLoop: LoopControl {
  private(set) var now = Instant.zero + .seconds(1000)
  private(set) var wallTime = WallTime(milliseconds: 1_760_000_000_000)
  var clockTime: WallTime { wallTime }
  private let poller: Poller
  private var timers: TimerWheel
  private var mustNotSleep = false
  private(set) var watchedCount = 0

  init() throws(ReactorError) {
    poller = try Poller()
    timers = TimerWheel(now: now)
  }

  func watch(_ descriptor: FileDescriptor, _ token: PollToken, _ interest: Interest) throws(ReactorError) {
    try poller.add(descriptor, token, interest)
    watchedCount += 1
  }

  func unwatch(_ descriptor: FileDescriptor) {
    poller.remove(descriptor)
    watchedCount -= 1
  }

  func schedule(_ key: TimerKey, at deadline: Instant) -> TimerID { timers.schedule(key, at: deadline) }
  @discardableResult func cancel(_ timer: TimerID) -> Bool { timers.cancel(timer) }
  func wakeImmediately() { mustNotSleep = true }

  var timerCount: Int { timers.count }

  func move(by span: TimeSpan) {
    now = now + span
    wallTime.milliseconds += Int64(span.milliseconds)
    timers.advance(to: now)
  }

  /// Whether the last turn asked for another one; forgotten with the question.
  func takeWake() -> Bool {
    defer { mustNotSleep = false }
    return mustNotSleep
  }

  /// Hands out what the kernel has to tell, and the timers that are due. False if there was nothing.
  func events(ready: (PollToken, Readiness) -> Void, expired: (TimerKey) -> Void) -> Bool {
    let count = poller.wait(timeoutMilliseconds: 0)
    for index in 0..<count { ready(PollToken(rawValue: poller.tokens[index]), Readiness(rawValue: poller.readiness[index])) }
    var timersDue = 0
    while let key = timers.popDue() {
      timersDue += 1
      expired(key)
    }
    return count + timersDue > 0
  }
}
