/// What of a session must be kept so that it can go on over another connection, on another node: enough to resume, nothing
/// that belongs to a connection (aliases, quotas).
public struct MQTTSessionState: Hashable, Sendable {
  /// A subscription and what the client calls it.
  public struct Subscription: Hashable, Sendable {
    public var subscription: MQTTSubscription
    /// 0 for none.
    public var identifier: UInt32

    public init(_ subscription: MQTTSubscription, identifier: UInt32 = 0) {
      self.subscription = subscription
      self.identifier = identifier
    }
  }

  /// A message of QoS 1 or 2 that was sent and not acknowledged.
  public struct InFlight: Hashable, Sendable {
    public var packetIdentifier: UInt16
    /// What the shell gave it.
    public var token: UInt64
    public var qos: MQTTQoS
    /// QoS 2: the client has it, and only PUBREL and PUBCOMP are left.
    public var isReceived: Bool

    public init(packetIdentifier: UInt16, token: UInt64, qos: MQTTQoS, isReceived: Bool = false) {
      self.packetIdentifier = packetIdentifier
      self.token = token
      self.qos = qos
      self.isReceived = isReceived
    }
  }

  /// No two with one filter.
  public var subscriptions: [Subscription] = []
  /// Packet identifiers of messages of QoS 2 that were taken and that the client has not let go of, ascending: a message that
  /// comes with one of them again is the same.
  public var unreleased: [UInt16] = []
  /// In the order of sending; no two with one packet identifier.
  public var inFlight: [InFlight] = []
  /// Where the search for a free packet identifier goes on.
  public var nextPacketIdentifier: UInt16 = 1

  public init() {}
}
