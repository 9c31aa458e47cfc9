internal import Synchronization

/// Counts the MQTT clients of all reactors of a node together, so that of two with one name everybody knows who came later:
/// what reactors tell each other arrives when it does, and the later client may be there first.
public final class MQTTArrivals: Sendable {
  private let last = Atomic<UInt64>(0)

  public init() {}

  /// Greater than every number before, on whatever reactor.
  func next() -> UInt64 { last.add(1, ordering: .relaxed).newValue }
}
