public import Core

/// What operators hold MQTT connections to. Each bound is enforced, and announced in CONNACK where 5.0 has a property for it.
public struct MQTTChannelSettings: Equatable, Sendable {
  /// Seconds; the longest keep-alive a client may have, 0 for any. In 5.0 a longer or absent one is overruled by a Server Keep
  /// Alive; before, where nothing can be announced, it only bounds how long this side waits.
  public var maximumKeepAlive = 0
  /// How many messages of QoS 1 and 2 a client may send before they are acknowledged, 1 to 65,535.
  public var receiveMaximum = 1024
  /// Bytes of the largest packet that is taken.
  public var maximumPacketSize = MQTTLimits.standard.maximumPacketSize
  /// How many messages of QoS 1 and 2 are under way to a client at once, whatever more it would take; 1 to 65,535.
  public var maximumInFlight = 1024
  /// The highest QoS that clients publish with and are granted.
  public var maximumQoS = MQTTQoS.exactlyOnce
  /// Topic aliases a client may define, and the most that are used towards it; 0 for none.
  public var topicAliasMaximum = 64
  /// How long a stranger may take for CONNECT.
  public var connectTimeout = TimeSpan.seconds(10)
  /// Subscriptions of one session; past it, 0x97.
  public var maximumSubscriptions = 10_000
  /// Seconds that a session is kept at most after its connection; 0 where sessions end with their connections.
  public var sessionExpiryMaximum: UInt32 = 0
  public var isRetainAvailable = true
  public var isSharedSubscriptionAvailable = true
  /// Messages handed out whose answer is awaited, and the bytes of them: past either nothing more is taken from the client
  /// until there are answers. One message may go past the bytes.
  public var maximumUnansweredMessages = 1024
  public var maximumUnansweredBytes = 4 << 20
  /// SUBSCRIBE and UNSUBSCRIBE packets whose answer is awaited; past it nothing more is taken.
  public var maximumUnansweredRequests = 16

  public init() {}

  /// Bytes of the longest client identifier; past it, 0x85. It is kept as the name of a session.
  public static let clientIdentifierSize = 1024
  /// Characters of the longest reason that is told.
  public static let reasonLength = 256

  func check() {
    precondition((0...0xffff).contains(maximumKeepAlive), "a keep-alive that CONNACK cannot tell")
    precondition((1...0xffff).contains(receiveMaximum), "a receive maximum that CONNACK cannot tell")
    precondition((1...0xffff).contains(maximumInFlight), "more in flight than there are packet identifiers")
    precondition((0...0xffff).contains(topicAliasMaximum), "a topic alias maximum that CONNACK cannot tell")
    precondition(maximumPacketSize > 0 && maximumSubscriptions >= 0, "a limit that lets nothing through")
    precondition(maximumUnansweredMessages > 0 && maximumUnansweredBytes > 0 && maximumUnansweredRequests > 0, "nothing would be taken")
  }
}
