/// How far a session has come: what of it changes with every message. Kept apart from its subscriptions, which seldom do.
public struct MQTTSessionProgress: Hashable, Sendable {
  /// A message of QoS 2 that the client has sent and not let go of.
  public struct Unreleased: Hashable, Sendable {
    public var packetIdentifier: UInt16
    /// Its number among the messages of QoS 2 of the session: one that comes again has the same.
    public var number: UInt64
    /// Whether it is known to be kept.
    public var isAccepted: Bool

    public init(packetIdentifier: UInt16, number: UInt64, isAccepted: Bool) {
      self.packetIdentifier = packetIdentifier
      self.number = number
      self.isAccepted = isAccepted
    }
  }

  /// Subscriptions that stand at one place.
  public struct Leg: Hashable, Sendable {
    /// By their numbers among the session's subscriptions as they were saved last.
    public var subscriptions: [Int]
    /// One for each shard they can match in, in the order of the shards.
    public var places: [Place]

    public init(subscriptions: [Int], places: [Place]) {
      self.subscriptions = subscriptions
      self.places = places
    }
  }

  public struct Place: Hashable, Sendable {
    public var shard: UInt16
    /// Where it began, and how far it has come since.
    public var began: UInt64
    public var offset: UInt64
    /// The topics' current values are still to be sent, and it begins with them.
    public var owesCurrent: Bool

    public init(shard: UInt16, began: UInt64, offset: UInt64, owesCurrent: Bool) {
      self.shard = shard
      self.began = began
      self.offset = offset
      self.owesCurrent = owesCurrent
    }
  }

  /// Messages that are no more, of which the client may not have heard.
  public struct Gap: Hashable, Sendable {
    /// Why they are missing is said by whoever keeps the messages.
    public var reason: UInt8
    public var shard: UInt16
    public var from: UInt64
    public var to: UInt64
    /// How many; nil where that is not known.
    public var skipped: UInt64?

    public init(reason: UInt8, shard: UInt16, from: UInt64, to: UInt64, skipped: UInt64?) {
      self.reason = reason
      self.shard = shard
      self.from = from
      self.to = to
      self.skipped = skipped
    }
  }

  /// Where the search for a free packet identifier goes on.
  public var nextPacketIdentifier: UInt16 = 1
  /// The number of the newest message of QoS 2 from the client.
  public var lastNumber: UInt64 = 0
  /// Ascending by packet identifier.
  public var unreleased: [Unreleased] = []
  /// In the order of sending.
  public var inFlight: [MQTTSessionState.InFlight] = []
  /// Tokens of current values that were read and not sent yet.
  public var backlog: [UInt64] = []
  public var legs: [Leg] = []
  public var gaps: [Gap] = []

  public init() {}
}
