internal import Synchronization

/// How many connections all reactors of a node may hold together.
public final class ConnectionBudget: Sendable {
  public let limit: Int
  private let taken = Atomic<Int>(0)

  public init(limit: Int) { self.limit = limit }

  /// Whether there was one left.
  func take() -> Bool {
    if taken.add(1, ordering: .relaxed).newValue <= limit { return true }
    giveBack()
    return false
  }

  func giveBack() { taken.subtract(1, ordering: .relaxed) }
}
