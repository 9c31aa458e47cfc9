internal import Synchronization

/// How many MQTT clients all reactors of a node have together, and had at most.
public final class MQTTCensus: Sendable {
  private let now = Atomic<Int>(0)
  private let most = Atomic<Int>(0)

  public init() {}

  public var clients: Int { now.load(ordering: .relaxed) }
  public var maximum: Int { most.load(ordering: .relaxed) }

  func came() { most.max(now.add(1, ordering: .relaxed).newValue, ordering: .relaxed) }

  func went() { now.subtract(1, ordering: .relaxed) }
}
