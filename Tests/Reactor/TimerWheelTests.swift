import Core
import Testing

@testable import Reactor

@Suite("The timer wheel")
struct TimerWheelTests {
  /// What the wheel promises, done slowly: a timer's tick is its deadline rounded up, or the current one when
  /// the deadline has passed.
  private struct Model {
    struct Timer {
      let key: TimerKey
      var tick: Int64
      var order: Int
    }

    static let tick: Int64 = 1 << 20
    var timers: [TimerID: Timer] = [:]
    private var order = 0

    mutating func set(_ id: TimerID, _ key: TimerKey, at deadline: Instant, now: Instant) {
      order += 1
      let tick = deadline <= now ? now.nanoseconds / Model.tick : (deadline.nanoseconds + Model.tick - 1) / Model.tick
      timers[id] = Timer(key: key, tick: tick, order: order)
    }

    mutating func advance(to now: Instant) -> [TimerKey] {
      let due = timers.filter { $0.value.tick <= now.nanoseconds / Model.tick }
      for id in due.keys { timers[id] = nil }
      return due.values.sorted { ($0.tick, $0.order) < ($1.tick, $1.order) }.map(\.key)
    }

    var earliest: Int64? { timers.values.map(\.tick).min() }
  }

  @Test("agrees with a naive model, timer for timer and in order", arguments: [1, 20_260_101, 77] as [UInt64])
  func agreesWithModel(seed: UInt64) {
    var random = TestGenerator(seed: seed)
    var now = Instant(nanoseconds: Int64(random.below(1 << 50)))
    var wheel = TimerWheel(now: now)
    var model = Model()
    var ids: [TimerID] = []
    var nextKey: UInt64 = 0

    func someDelay() -> TimeSpan {
      // Every level is met: from the past to about 18 years ahead.
      let length = Int64(random.next() >> UInt64(random.below(55) + 5))
      return TimeSpan(nanoseconds: random.below(20) == 0 ? -(length >> 30) : length)
    }

    for operation in 0..<100_000 {
      switch random.below(10) {
      case 0...4:
        nextKey += 1
        let deadline = now + someDelay()
        let id = wheel.schedule(TimerKey(nextKey), at: deadline)
        model.set(id, TimerKey(nextKey), at: deadline, now: now)
        ids.append(id)
      case 5, 6:
        guard !ids.isEmpty else { continue }
        let id = ids.swapRemove(random.below(ids.count))
        #expect(wheel.cancel(id) == (model.timers.removeValue(forKey: id) != nil), "seed \(seed), \(operation)")
      case 7:
        guard !ids.isEmpty else { continue }
        let id = ids[random.below(ids.count)]
        let deadline = now + someDelay()
        let known = model.timers[id]
        #expect(wheel.reschedule(id, at: deadline) == (known != nil), "seed \(seed), \(operation)")
        if let known { model.set(id, known.key, at: deadline, now: now) }
      default:
        now = now + TimeSpan(nanoseconds: Int64(random.next() >> UInt64(random.below(40) + 24)))
        var expired: [TimerKey] = []
        wheel.advance(to: now, expired: &expired)
        let expected = model.advance(to: now)
        if expired != expected {
          Issue.record("seed \(seed), operation \(operation): \(expired.count) expired, \(expected.count) expected")
          return
        }
        if let next = wheel.nextDeadline {
          #expect(next.nanoseconds >= now.nanoseconds - Model.tick)
          // Finding the least of many in the model is slow: now and then is enough.
          if operation % 50 == 0, let earliest = model.earliest { #expect(next.nanoseconds / Model.tick <= earliest) }
        } else {
          #expect(model.timers.isEmpty)
        }
      }
      if wheel.count != model.timers.count {
        Issue.record("seed \(seed), operation \(operation): \(wheel.count) timers, \(model.timers.count) expected")
        return
      }
    }
    #expect(nextKey > 40_000)
  }

  @Test("following nextDeadline alone expires every timer, never early and at most one tick late")
  func deadlinesAreEnough() {
    var random = TestGenerator(seed: 9)
    var now = Instant(nanoseconds: 12_345_678_901)
    var wheel = TimerWheel(now: now)
    var deadlines: [Instant] = []
    for index in 0..<2000 {
      let deadline = now + .milliseconds(random.below(random.below(10) == 0 ? 100_000_000 : 60_000))
      deadlines.append(deadline)
      _ = wheel.schedule(TimerKey(UInt64(index)), at: deadline)
    }
    var told = 0
    var wakeUps = 0
    while let next = wheel.nextDeadline {
      wakeUps += 1
      now = max(now, next)
      var expired: [TimerKey] = []
      wheel.advance(to: now, expired: &expired)
      for key in expired {
        let deadline = deadlines[Int(key.rawValue)]
        #expect(now >= deadline && now - deadline <= TimeSpan(nanoseconds: 1 << 20))
      }
      told += expired.count
    }
    #expect(told == 2000)
    #expect(wakeUps <= 2000 * TimerWheel.levels)
  }

  @Test("a million timers are set, moved, cancelled and expired quickly, in 32 bytes each")
  func millionTimers() {
    #expect(MemoryLayout<TimerWheel.Entry>.stride == 32)
    var random = TestGenerator(seed: 3)
    let count = 1_000_000
    let began = ContinuousClock.now
    var wheel = TimerWheel(now: .zero)
    var ids: [TimerID] = []
    ids.reserveCapacity(count)
    for index in 0..<count {
      ids.append(wheel.schedule(TimerKey(UInt64(index)), at: milliseconds(random.below(60_000))))
    }
    for index in stride(from: 0, to: count, by: 2) {
      wheel.reschedule(ids[index], at: milliseconds(30_000 + index % 60_000))
    }
    for index in stride(from: 0, to: count, by: 4) { wheel.cancel(ids[index]) }
    #expect(wheel.count == 750_000)
    var expired = 0
    for second in 1...91 {
      wheel.advance(to: milliseconds(second * 1000))
      while wheel.popDue() != nil { expired += 1 }
    }
    #expect(expired == 750_000)
    #expect(wheel.count == 0 && wheel.nextDeadline == nil)
    // Without optimisation and on a busy machine; a release build needs a quarter of a second, anything quadratic hours.
    #expect(began.duration(to: .now) < .seconds(60))
  }

  @Test("a timer cancelled while others of the same moment are told is not told")
  func cancelledWhileDue() {
    var wheel = TimerWheel(now: .zero)
    _ = wheel.schedule(TimerKey(1), at: milliseconds(5))
    let second = wheel.schedule(TimerKey(2), at: milliseconds(5))
    let third = wheel.schedule(TimerKey(3), at: milliseconds(5))
    wheel.advance(to: milliseconds(10))
    #expect(wheel.popDue() == TimerKey(1))
    #expect(wheel.cancel(second) == true)
    #expect(wheel.reschedule(third, at: milliseconds(20)) == true)
    #expect(wheel.popDue() == nil)
    wheel.advance(to: milliseconds(22))
    #expect(wheel.popDue() == TimerKey(3))
  }

  @Test("a timer set for now or the past while timers are told waits for the next advance")
  func dueImmediately() {
    var wheel = TimerWheel(now: milliseconds(100))
    _ = wheel.schedule(TimerKey(1), at: milliseconds(3))
    #expect(wheel.popDue() == nil)
    #expect(wheel.nextDeadline.map { $0 <= milliseconds(100) } == true)
    wheel.advance(to: milliseconds(100))
    #expect(wheel.popDue() == TimerKey(1))
  }

  @Test("an identifier means nothing once its timer is gone, even when the place is used again")
  func staleIdentifiers() {
    var wheel = TimerWheel(now: .zero)
    let first = wheel.schedule(TimerKey(1), at: milliseconds(5))
    #expect(wheel.cancel(first) == true)
    let second = wheel.schedule(TimerKey(2), at: milliseconds(5))
    #expect(first.index == second.index)
    let answers = [wheel.cancel(first), wheel.reschedule(first, at: milliseconds(9)), wheel.cancel(.none)]
    #expect(answers == [false, false, false])
    #expect(wheel.count == 1)
  }

  @Test("the farthest instant there is can be waited for")
  func farthest() {
    var wheel = TimerWheel(now: milliseconds(1))
    _ = wheel.schedule(TimerKey(1), at: Instant(nanoseconds: .max))
    wheel.advance(to: Instant(nanoseconds: .max - (1 << 21)))
    #expect(wheel.popDue() == nil)
    #expect(wheel.count == 1 && wheel.nextDeadline != nil)
  }
}

extension Array {
  fileprivate mutating func swapRemove(_ index: Int) -> Element {
    swapAt(index, count - 1)
    return removeLast()
  }
}
