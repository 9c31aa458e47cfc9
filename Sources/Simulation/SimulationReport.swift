public import Core

/// What a run came to.
public struct SimulationReport: Sendable {
  /// By `FaultKind`.
  public var faults = [Int](repeating: 0, count: FaultKind.allCases.count)
  public var simulated = TimeSpan.zero
  public var events = 0
  public var committed = 0
  public var acknowledged = 0
  /// Messages given to readers, each checked.
  public var deliveries = 0
  public var gaps = 0
  /// Of MQTT clients: messages of theirs that were acknowledged, messages given to them, wills.
  public var mqttAcknowledged = 0
  public var mqttDeliveries = 0
  public var wills = 0
  public var damageFound = 0
  public var repaired = 0
  public var lostMessages = 0
  public var doubledMessages = 0
  /// The longest time from the last fault until all was well.
  public var healedAfter = TimeSpan.zero

  public init() {}

  public var faultCount: Int { faults.reduce(0, +) }

  public mutating func add(_ other: SimulationReport) {
    for index in faults.indices { faults[index] += other.faults[index] }
    simulated = TimeSpan(nanoseconds: simulated.nanoseconds + other.simulated.nanoseconds)
    events += other.events
    committed += other.committed
    acknowledged += other.acknowledged
    deliveries += other.deliveries
    gaps += other.gaps
    mqttAcknowledged += other.mqttAcknowledged
    mqttDeliveries += other.mqttDeliveries
    wills += other.wills
    damageFound += other.damageFound
    repaired += other.repaired
    lostMessages += other.lostMessages
    doubledMessages += other.doubledMessages
    healedAfter = max(healedAfter, other.healedAfter)
  }
}
