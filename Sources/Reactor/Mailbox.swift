import Synchronization

/// How other threads reach a loop: a bag of messages, swapped out whole once per turn, and a bell that is rung
/// only when the loop sleeps.
///
/// Messages of one producer arrive in the order posted. A message that was accepted is received, even when
/// the loop stops in the same moment. The box itself has no bound: who posts keeps its own count of what is
/// outstanding.
// Sendable because the messages are reached only under the mutex, the flag beside it is atomic, and the bell's
// descriptor never changes and lives as long as the box.
public final class Mailbox<Mail: Sendable>: @unchecked Sendable {
  private struct Contents {
    var mail: [Mail] = []
    var isClosed = false
    var stopRequested = false
  }

  /// An emptied array above this many places is given back instead of kept for the next swap.
  private static var largestKeptCapacity: Int { 4096 }

  private let contents = Mutex(Contents())
  private let attention = Atomic<UInt8>(Attention.working)
  let bell: FileDescriptor

  // What may fail comes before the object: the optimiser does not survive unwinding a half-made one that holds
  // an `Atomic`.
  public convenience init() throws(ReactorError) {
    self.init(bell: try SystemCalls.createBell())
  }

  private init(bell: FileDescriptor) { self.bell = bell }

  deinit { bell.close() }

  /// Hands over one message; false when the loop has stopped and nobody will read it.
  @discardableResult
  public func post(_ mail: Mail) -> Bool {
    let accepted = contents.withLock { contents in
      guard !contents.isClosed else { return false }
      contents.mail.append(mail)
      return true
    }
    if accepted { summon() }
    return accepted
  }

  /// Hands over several messages at once: one lock, at most one wake-up.
  @discardableResult
  public func post(contentsOf mail: [Mail]) -> Bool {
    let accepted = contents.withLock { contents in
      guard !contents.isClosed else { return false }
      contents.mail.append(contentsOf: mail)
      return true
    }
    if accepted, !mail.isEmpty { summon() }
    return accepted
  }

  /// Asks the loop to stop at the end of its turn.
  public func requestStop() {
    contents.withLock { $0.stopRequested = true }
    summon()
  }

  /// The message is in the bag before the flag is looked at, and the loop lowers the flag before it takes the
  /// bag: whoever still sees the flag up put its message in before the loop took the bag.
  private func summon() {
    guard attention.load(ordering: .acquiring) != Attention.summoned else { return }
    if attention.exchange(Attention.summoned, ordering: .acquiringAndReleasing) == Attention.sleeping {
      SystemCalls.ring(bell)
    }
  }

  // MARK: The loop's side

  var isSleeping: Bool { attention.load(ordering: .acquiring) == Attention.sleeping }

  /// Says that the loop is about to sleep; false when there is something to look at first.
  func beginSleep() -> Bool {
    attention.compareExchange(
      expected: Attention.working, desired: Attention.sleeping, ordering: .acquiringAndReleasing
    ).exchanged
  }

  /// Says that the loop is awake; true when somebody called it, before it slept or since.
  func endSleep() -> Bool {
    guard attention.load(ordering: .relaxed) != Attention.working else { return false }
    return attention.exchange(Attention.working, ordering: .acquiringAndReleasing) == Attention.summoned
  }

  /// Swaps the whole bag for the given one, emptied; true when the loop shall stop.
  func take(into mail: inout [Mail]) -> Bool {
    mail.removeAll(keepingCapacity: mail.capacity <= Mailbox.largestKeptCapacity)
    return contents.withLock { contents in
      swap(&contents.mail, &mail)
      return contents.stopRequested
    }
  }

  /// Accepts nothing from now on and hands out what was accepted.
  func close() -> [Mail] {
    contents.withLock { contents in
      contents.isClosed = true
      defer { contents.mail = [] }
      return contents.mail
    }
  }
}

/// What the loop is doing about mail.
private enum Attention {
  static let working: UInt8 = 0
  static let sleeping: UInt8 = 1
  static let summoned: UInt8 = 2
}
