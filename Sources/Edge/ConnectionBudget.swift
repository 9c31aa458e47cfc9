internal import Synchronization

/// How many connections all reactors of a node may hold together.
///
/// Some more are held in reserve: whoever asks how a full node is, be it the system that would start it anew for want of
/// an answer, is told. They serve nothing else.
public final class ConnectionBudget: Sendable {
  /// Connections in reserve, all reactors together: they are held only as long as a request takes to come.
  public static let reserve = 64

  public let limit: Int
  private let taken = Atomic<Int>(0)
  private let takenOfReserve = Atomic<Int>(0)

  public init(limit: Int) { self.limit = limit }

  enum Share {
    case regular, reserve
  }

  /// nil when there was none left.
  func take(mayReserve: Bool) -> Share? {
    if taken.add(1, ordering: .relaxed).newValue <= limit { return .regular }
    giveBack(.regular)
    guard mayReserve else { return nil }
    if takenOfReserve.add(1, ordering: .relaxed).newValue <= Self.reserve { return .reserve }
    giveBack(.reserve)
    return nil
  }

  func giveBack(_ share: Share) {
    switch share {
    case .regular: taken.subtract(1, ordering: .relaxed)
    case .reserve: takenOfReserve.subtract(1, ordering: .relaxed)
    }
  }
}
