internal import Core
internal import Feeds
internal import MQTT
internal import Sessions

/// One MQTT client at its edge: its channel, what it follows, and the messages of its own that wait for their shards' word.
final class EdgeSession {
  /// One subscription and where it stands; the simulation reads for each alone.
  struct Leg {
    var filter: Filter
    var granted: MQTTQoS
    var places: [Place]
    /// Its SUBSCRIBE is answered.
    var isAnnounced: Bool

    var isReady: Bool { places.allSatisfy { $0.at != nil } }
  }

  struct Place {
    var shard: Int
    var began = Offset.zero
    /// Nil: still to be found out.
    var at: Offset?
    var question: Ticket?
  }

  struct PendingPublish {
    var ticket: Ticket
    var answer: MQTTTicket
    /// Of QoS 2 in a session that is kept; 0 for all others.
    var packetIdentifier: UInt16
  }

  struct PendingSubscribe {
    var ticket: MQTTTicket
    var filters: [Filter]
    var codes: [MQTTReasonCode]
  }

  var channel: MQTTChannel
  /// Nil where nobody would miss it.
  var keeping: MQTTKeeping?
  var client = Bytes()
  var hasWillDue = false
  var legs: [Leg] = []
  var publishes: [PendingPublish] = []
  var subscribes: [PendingSubscribe] = []
  var recallTicket: Ticket?
  /// Received and not taken by the channel.
  var input = ByteBuffer()
  var readsAgainAt: Instant?

  init(settings: MQTTChannelSettings, at now: Instant) { channel = MQTTChannel(settings: settings, at: now) }
}

/// What an edge knows of its MQTT clients, for as long as it lives.
final class EdgeSessions {
  var house: MQTTSessionHouse<Int>
  /// Open ones, in the order in which they came.
  var connections: [MQTTPipe] = []
  /// Who is connected under which name. For look-up only.
  var clients: [Bytes: Int] = [:]
  /// Publishes that wait for an answer, and the wills among them. For look-up only.
  var publishes: [Ticket: Int] = [:]
  var reads: [Ticket: Int] = [:]
  var output = MQTTChannelOutput()
  var generator: SeededGenerator

  init(seed: UInt64, shards: Int) {
    generator = SeededGenerator(seed: seed)
    house = MQTTSessionHouse(owner: SessionOwner(high: generator.next(), low: generator.next()), shards: shards)
  }
}
