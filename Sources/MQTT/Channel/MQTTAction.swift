public import Core

/// What the shell is to do, in this order.
public enum MQTTAction: Sendable {
  /// Authenticate the client and find its session; answered with `accept` or `refuse`, and nothing more is taken before.
  indirect case connect(MQTTConnect)
  /// Answered with `published`, whatever its QoS. For QoS 2 a session that is kept has to remember the packet identifier as
  /// unreleased together with the message: accepted means both.
  case publish(MQTTPublishRequest)
  /// QoS 2: the client has let go of a packet identifier, and a session that is kept forgets it, before the bytes of this call
  /// are sent: were it found again as it was, the client's next message with this identifier would be taken for the old one.
  case release(packetIdentifier: UInt16)
  /// Answered with `subscribed`.
  case subscribe(MQTTSubscribeRequest)
  /// Answered with `unsubscribed`.
  case unsubscribe(MQTTUnsubscribeRequest)
  /// A message of QoS 1 or 2 is done. In the order in which the client acknowledges, which is that of sending within one QoS.
  case acknowledged(token: UInt64)
  /// QoS 2: the client has the message, and must be sent it no more; a session that is kept saves that before the bytes of this
  /// call are sent.
  case received(token: UInt64)
  /// A resumed session's message that the client may not have got: answered, in this order, with `redeliver`, or with `abandon`
  /// if it is no more.
  case resend(token: UInt64, packetIdentifier: UInt16, qos: MQTTQoS)
  /// The will is due in so many seconds, unless the session is taken up before. It is told once at most.
  indirect case will(MQTTWill, delay: UInt32)
  /// Close the connection once the bytes before it are sent.
  case close
}

/// SUBSCRIBE, as far as it is for others to decide.
public struct MQTTSubscribeRequest: Sendable {
  public let ticket: MQTTTicket
  /// Those that may be granted: filters are valid, QoS is not above the maximum. One reason code is expected for each.
  public let subscriptions: [MQTTSubscription]
  /// Whether the session had each of them already, for `MQTTRetainHandling.ifNew`.
  public let isKnown: [Bool]
  /// What the client calls these subscriptions; nil if nothing.
  public let identifier: UInt32?
  /// As they came, user properties among them.
  public let properties: MQTTProperties
}

/// UNSUBSCRIBE, as far as it is for others to decide.
public struct MQTTUnsubscribeRequest: Sendable {
  public let ticket: MQTTTicket
  /// The valid ones; one reason code is expected for each.
  public let filters: [Bytes]
  /// As they came.
  public let properties: MQTTProperties
}

/// Where channels put what they have to say: one per reactor, emptied after each call and used again.
///
/// The bytes are the connection's and go out in the order they stand in; where a session is kept, what `received` and
/// `release` say is saved first.
public struct MQTTChannelOutput: ~Copyable, Sendable {
  public var bytes = ByteBuffer()
  public var actions: [MQTTAction] = []
  /// Of all channels that used this output; never emptied by `removeAll`.
  public var counters = MQTTChannelCounters()

  public init() {}

  /// Empties it and keeps its memory.
  public mutating func removeAll() {
    bytes.removeAll()
    actions.removeAll(keepingCapacity: true)
  }
}

/// How often what happened, and what was refused. Plain numbers, for a shell to read.
public struct MQTTChannelCounters: Sendable {
  /// Packets of every kind.
  public var packetsReceived = 0
  /// Packets of every kind but PUBLISH, which a shell may send without its channel.
  public var answersSent = 0
  private var reasons = [Int](repeating: 0, count: 256)
  /// Messages not sent because they were larger than the client takes ([MQTT-3.1.2-25]).
  public var deliveriesTooLarge = 0
  /// Answers of ours that were larger than the client takes, even without what may be left out ([MQTT-3.1.2-24]).
  public var answersTooLarge = 0
  /// Acknowledgements of what was never sent, or was done.
  public var unknownAcknowledgements = 0
  /// Connections closed because the client broke the protocol: malformed packets, forbidden ones, limits it was told of.
  public var violations = 0
  /// Connections closed because no CONNECT came.
  public var connectTimeouts = 0
  /// Connections closed because what came first was no CONNECT.
  public var strangers = 0

  public init() {}

  /// How often something was refused for `reason`, in any version.
  public subscript(reason: MQTTReasonCode) -> Int { reasons[Int(reason.rawValue)] }

  mutating func count(_ reason: MQTTReasonCode) { reasons[Int(reason.rawValue)] += 1 }
}
