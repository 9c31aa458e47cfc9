import Core

@testable import Reactor

/// The loop under a port in tests: the real poller, edges and all, and a clock that stands until it is moved.
final class TestLoop: LoopControl {
  private(set) var now = Instant.zero + .seconds(1000)
  let wallTime = WallTime(milliseconds: 1_760_000_000_000)
  var clockTime: WallTime { wallTime }
  private let poller: Poller
  private var timers: TimerWheel
  private var mustNotSleep = false

  init() throws(ReactorError) {
    poller = try Poller()
    timers = TimerWheel(now: now)
  }

  func watch(_ descriptor: FileDescriptor, _ token: PollToken, _ interest: Interest) throws(ReactorError) {
    try poller.add(descriptor, token, interest)
  }

  func unwatch(_ descriptor: FileDescriptor) { poller.remove(descriptor) }
  func schedule(_ key: TimerKey, at deadline: Instant) -> TimerID { timers.schedule(key, at: deadline) }
  @discardableResult func cancel(_ timer: TimerID) -> Bool { timers.cancel(timer) }
  func wakeImmediately() { mustNotSleep = true }

  var timerCount: Int { timers.count }

  func move(by span: TimeSpan) { now = now + span }

  /// One turn's events: what the kernel has to tell, then the timers that are due. False if there was nothing.
  func events(ready: (PollToken, Readiness) -> Void, expired: (TimerKey) -> Void) -> Bool {
    let wasAsked = mustNotSleep
    mustNotSleep = false
    let count = poller.wait(timeoutMilliseconds: 0)
    timers.advance(to: now)
    for index in 0..<count { ready(PollToken(rawValue: poller.tokens[index]), Readiness(rawValue: poller.readiness[index])) }
    var due = 0
    while let key = timers.popDue() {
      due += 1
      expired(key)
    }
    return count + due > 0 || wasAsked
  }
}
