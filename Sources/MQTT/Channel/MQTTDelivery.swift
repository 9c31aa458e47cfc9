/// How one message goes to one subscriber; what the message is stands in its rendering.
public struct MQTTDelivery: Equatable, Sendable {
  /// The lower of the message's and the subscription's.
  public var qos: MQTTQoS
  public var isRetained = false
  /// Of every subscription that matched; told in 5.0.
  public var subscriptionIdentifiers: [UInt32] = []
  /// What the shell gets back when the message is acknowledged; of no two messages in flight the same.
  public var token: UInt64

  public init(_ qos: MQTTQoS, token: UInt64 = 0) {
    self.qos = qos
    self.token = token
  }
}

/// What became of a delivery.
public enum MQTTDeliveryOutcome: Equatable, Sendable {
  /// It is in the bytes.
  case sent
  /// The client does not take packets as large: nothing is sent, and the message counts as acknowledged ([MQTT-3.1.2-25]).
  case tooLarge
  /// Nothing is sent, the window is closed: the message waits.
  case windowFull
  /// Nothing is sent, the client is not connected: the message is not done with.
  case notConnected
}
