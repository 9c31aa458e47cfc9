public import Core

/// What the application chose to be told when a timer expires.
public struct TimerKey: Hashable, Sendable {
  public let rawValue: UInt64
  @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// One scheduled timer; worth nothing once it expired or was cancelled.
public struct TimerID: Hashable, Sendable {
  @usableFromInline let index: UInt32
  @usableFromInline let generation: UInt32

  @usableFromInline init(index: UInt32, generation: UInt32) {
    self.index = index
    self.generation = generation
  }

  /// No timer: what a connection holds while it waits for nothing.
  public static let none = TimerID(index: .max, generation: 0)
}

/// Timers by the million: eight levels of 64 slots, each a linked list threaded through one slab.
///
/// A tick is 2^20 ns, a little over a millisecond. A timer lies on the level of the highest six-bit digit in
/// which its tick differs from the current one, so whatever is on a lower level is due earlier, and within a
/// level the lowest occupied slot is. Eight levels cover every `Instant`: nothing wraps, nothing is clamped.
///
///     level 2   . . . [digit 2 of the tick] . .      moves down when the wheel reaches its first tick
///     level 1   . [digit 1] . . . . .
///     level 0   . . . . [digit 0] . .                due, in the order scheduled
///
/// `schedule`, `cancel` and `reschedule` are O(1); `advance` is O(due) and moves each timer at most once per
/// level. A timer is never early and at most one tick late.
public struct TimerWheel: ~Copyable {
  static let tickBits: UInt64 = 20
  static let digitBits: UInt64 = 6
  static let levels = 8
  static let slotsPerLevel = 64
  /// The list of timers that are due and not yet popped.
  static let dueList = levels * slotsPerLevel
  /// The mark of a place in the slab that nobody uses.
  static let unused = UInt16.max
  /// The end of a list.
  static let nobody = UInt32.max

  /// 32 bytes a timer. The lists are circular, so a list's head also knows its tail.
  struct Entry {
    var key: TimerKey
    var tick: UInt64
    var next: UInt32
    var previous: UInt32
    var generation: UInt32
    var list: UInt16
  }

  private var entries: [Entry] = []
  private var firstUnused = TimerWheel.nobody
  private var heads = [UInt32](repeating: TimerWheel.nobody, count: TimerWheel.dueList + 1)
  /// One bit per slot that holds timers.
  private var occupied = [UInt64](repeating: 0, count: TimerWheel.levels)
  private var current: UInt64
  /// The time last told, somewhere within the current tick.
  private var now: Instant

  /// How many timers are scheduled or due.
  public private(set) var count = 0

  public init(now: Instant, capacity: Int = 0) {
    current = TimerWheel.tick(before: now)
    self.now = now
    entries.reserveCapacity(capacity)
  }

  /// Sets a timer; one whose time has come already is due at the next `advance`.
  public mutating func schedule(_ key: TimerKey, at deadline: Instant) -> TimerID {
    let index: UInt32
    if firstUnused != TimerWheel.nobody {
      index = firstUnused
      firstUnused = entries[Int(index)].next
    } else {
      precondition(entries.count < Int(TimerWheel.nobody), "more timers than an identifier can name")
      index = UInt32(entries.count)
      entries.append(
        Entry(key: key, tick: 0, next: 0, previous: 0, generation: 0, list: TimerWheel.unused))
    }
    entries[Int(index)].key = key
    entries[Int(index)].tick = tick(for: deadline)
    place(index)
    count += 1
    return TimerID(index: index, generation: entries[Int(index)].generation)
  }

  /// Takes a timer back; false when it has expired or was cancelled before.
  @discardableResult
  public mutating func cancel(_ timer: TimerID) -> Bool {
    guard isLive(timer) else { return false }
    unlink(timer.index)
    release(timer.index)
    return true
  }

  /// Gives a timer another time and keeps its identity; false when it has expired or was cancelled.
  @discardableResult
  public mutating func reschedule(_ timer: TimerID, at deadline: Instant) -> Bool {
    guard isLive(timer) else { return false }
    unlink(timer.index)
    entries[Int(timer.index)].tick = tick(for: deadline)
    place(timer.index)
    return true
  }

  /// When `advance` is needed next: never later than the earliest deadline's tick, and earlier only when timers
  /// have to move down a level by then.
  public var nextDeadline: Instant? {
    if heads[TimerWheel.dueList] != TimerWheel.nobody { return TimerWheel.instant(current) }
    guard let first = firstOccupied() else { return nil }
    return TimerWheel.instant(first.tick)
  }

  /// Makes every timer up to `now` due.
  public mutating func advance(to now: Instant) {
    let target = TimerWheel.tick(before: now)
    guard now >= self.now else { return }
    self.now = now
    while let first = firstOccupied(), first.tick <= target {
      current = first.tick
      let list = first.level * TimerWheel.slotsPerLevel + first.slot
      while heads[list] != TimerWheel.nobody {
        let index = heads[list]
        unlink(index)
        if first.level == 0 { append(index, to: TimerWheel.dueList) } else { place(index) }
      }
    }
    current = target
  }

  /// The next due timer's key. Timers scheduled meanwhile wait for the next `advance`, timers cancelled
  /// meanwhile are not told.
  public mutating func popDue() -> TimerKey? {
    let index = heads[TimerWheel.dueList]
    guard index != TimerWheel.nobody else { return nil }
    let key = entries[Int(index)].key
    unlink(index)
    release(index)
    return key
  }

  /// Makes every timer up to `now` due and appends their keys, ordered by tick and then as scheduled.
  public mutating func advance(to now: Instant, expired: inout [TimerKey]) {
    advance(to: now)
    while let key = popDue() { expired.append(key) }
  }

  // MARK: Ticks

  /// The last tick that has begun by `instant`.
  private static func tick(before instant: Instant) -> UInt64 {
    UInt64(max(instant.nanoseconds, 0)) >> tickBits
  }

  /// The first tick that does not begin before `instant`.
  private static func tick(after instant: Instant) -> UInt64 {
    (UInt64(max(instant.nanoseconds, 0)) + (1 << tickBits - 1)) >> tickBits
  }

  private func tick(for deadline: Instant) -> UInt64 {
    deadline <= now ? current : TimerWheel.tick(after: deadline)
  }

  private static func instant(_ tick: UInt64) -> Instant {
    Instant(nanoseconds: Int64(clamping: tick << tickBits))
  }

  // MARK: Lists

  private func isLive(_ timer: TimerID) -> Bool {
    let index = Int(timer.index)
    return index < entries.count && entries[index].generation == timer.generation
      && entries[index].list != TimerWheel.unused
  }

  private func firstOccupied() -> (level: Int, slot: Int, tick: UInt64)? {
    for level in 0..<TimerWheel.levels where occupied[level] != 0 {
      let slot = occupied[level].trailingZeroBitCount
      let shift = UInt64(level) * TimerWheel.digitBits
      let above = (current >> (shift + TimerWheel.digitBits)) << TimerWheel.digitBits
      return (level, slot, (above | UInt64(slot)) << shift)
    }
    return nil
  }

  private mutating func place(_ index: UInt32) {
    let tick = entries[Int(index)].tick
    let highestBit = 63 - (tick ^ current | 1).leadingZeroBitCount
    let level = highestBit / Int(TimerWheel.digitBits)
    let slot = Int(tick >> (UInt64(level) * TimerWheel.digitBits) & 63)
    occupied[level] |= 1 << UInt64(slot)
    append(index, to: level * TimerWheel.slotsPerLevel + slot)
  }

  private mutating func append(_ index: UInt32, to list: Int) {
    let head = heads[list]
    entries[Int(index)].list = UInt16(list)
    if head == TimerWheel.nobody {
      heads[list] = index
      entries[Int(index)].next = index
      entries[Int(index)].previous = index
      return
    }
    let tail = entries[Int(head)].previous
    entries[Int(index)].next = head
    entries[Int(index)].previous = tail
    entries[Int(tail)].next = index
    entries[Int(head)].previous = index
  }

  private mutating func unlink(_ index: UInt32) {
    let entry = entries[Int(index)]
    let list = Int(entry.list)
    if entry.next == index {
      heads[list] = TimerWheel.nobody
      if list != TimerWheel.dueList {
        occupied[list / TimerWheel.slotsPerLevel] &= ~(1 << UInt64(list % TimerWheel.slotsPerLevel))
      }
      return
    }
    entries[Int(entry.previous)].next = entry.next
    entries[Int(entry.next)].previous = entry.previous
    if heads[list] == index { heads[list] = entry.next }
  }

  private mutating func release(_ index: UInt32) {
    entries[Int(index)].generation &+= 1
    entries[Int(index)].list = TimerWheel.unused
    entries[Int(index)].next = firstUnused
    firstUnused = index
    count -= 1
  }
}
