import Core

/// Keeps an event that repeats from filling the log: the first few of a while are written, the rest are counted.
struct LogLimiter {
  /// How many lines of one event a while may have.
  static let linesPerWindow = 10
  static let window = TimeSpan.seconds(10)
  /// Events told apart; what comes on top shares one budget.
  static let mostEvents = 256
  private static let others = "other events"

  struct Repetition: Equatable {
    let event: String
    let count: Int
  }

  private struct Budget {
    var began: Instant
    var written = 0
    var suppressed = 0
  }

  private var budgets: [String: Budget] = [:]
  private var nextSweep = Instant.zero

  /// Whether a line of `event` may be written now.
  mutating func admits(_ event: String, at now: Instant) -> Bool {
    let name = budgets[event] != nil || budgets.count < LogLimiter.mostEvents ? event : LogLimiter.others
    var budget = budgets[name] ?? Budget(began: now)
    defer { budgets[name] = budget }
    guard budget.written < LogLimiter.linesPerWindow else {
      budget.suppressed += 1
      return false
    }
    budget.written += 1
    return true
  }

  /// What was held back in whiles that are over, in order of name; call it before `admits`. Cheap until a while is over.
  mutating func sweep(at now: Instant) -> [Repetition] {
    guard now >= nextSweep else { return [] }
    return end(budgetsBegunBefore: Instant(nanoseconds: now.nanoseconds - LogLimiter.window.nanoseconds), now: now)
  }

  /// Everything held back so far, for the last lines before the end.
  mutating func finish(at now: Instant) -> [Repetition] { end(budgetsBegunBefore: now, now: now) }

  private mutating func end(budgetsBegunBefore limit: Instant, now: Instant) -> [Repetition] {
    var repetitions: [Repetition] = []
    var earliest = now
    for (event, budget) in budgets {
      if budget.began <= limit {
        if budget.suppressed > 0 { repetitions.append(Repetition(event: event, count: budget.suppressed)) }
        budgets[event] = nil
      } else {
        earliest = min(earliest, budget.began)
      }
    }
    nextSweep = earliest + LogLimiter.window
    return repetitions.sorted { $0.event < $1.event }
  }
}
