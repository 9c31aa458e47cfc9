internal import Core
internal import Feeds
internal import MQTT
internal import Sessions
internal import WebSocket

/// One MQTT client: its channel, what it follows, and the messages of its own that wait for their shards' word.
final class MQTTSession {
  struct Subscription {
    var filter: Filter
    var wish: MQTTSubscription
    /// What the client calls it; nil if nothing.
    var identifier: UInt32?
    /// Whether each message says where it stands.
    var wantsPositions = false
  }

  struct PendingPublish {
    var sequence: UInt32
    var ticket: MQTTTicket
    /// Of QoS 2 in a session that is kept; 0 for all others.
    var packetIdentifier: UInt16
  }

  /// A SUBSCRIBE that is answered when everything it asked for is live: what is published after the answer is delivered.
  struct PendingSubscribe {
    /// The subscription text of its legs.
    var name: String
    var ticket: MQTTTicket
    var codes: [MQTTReasonCode]
    /// The groups it waits for.
    var groups: [SharedGroup] = []
    var filters: [Bytes] = []

    /// A shard has no room for what this filter asks for.
    mutating func refuse(_ filter: Bytes) {
      for index in filters.indices where filters[index] == filter { codes[index] = .quotaExceeded }
    }
  }

  var channel: MQTTChannel
  /// What the client's bytes are wrapped in; nil on TCP.
  let framing: MQTTFraming?
  /// Stands in the client's records, so that it need not be sent its own.
  var publisher: UInt32
  /// Empty before CONNECT was accepted.
  var clientIdentifier = Bytes()
  /// Whether it counts among the node's clients.
  var isCounted = false
  /// Nil where nobody would miss it: a client without a name, a will and a session.
  var keeping: MQTTKeeping?
  /// The client went without taking its leave.
  var hasWillDue = false
  var subscriptions: [Subscription] = []
  /// What it shares with others; not among its subscriptions.
  var shares = MQTTShares()
  /// What is followed, leg by leg, and where each stands; current while no reader reads.
  var legs: [Reader.Leg] = []
  var pendingPublishes: [PendingPublish] = []
  var pendingSubscribes: [PendingSubscribe] = []
  /// When a shard that could not be read is asked again; nil if none is.
  var readsAgainAt: Instant?
  /// Current values that found the window closed, as records.
  var backlog = MQTTBacklog()
  private var lastToken: UInt64 = 0
  private var lastSubscribe: UInt64 = 0

  init(settings: MQTTChannelSettings, publisher: UInt32, framing: MQTTFraming?, at now: Instant) {
    channel = MQTTChannel(settings: settings, at: now)
    self.publisher = publisher
    self.framing = framing
  }

  func nextToken() -> UInt64 {
    lastToken += 1
    return lastToken
  }

  /// A name for the legs of one SUBSCRIBE.
  func nextSubscribe() -> String {
    lastSubscribe += 1
    return "s\(lastSubscribe)"
  }

  /// The stream it can share with others: of plain messages of QoS 0. Who wants more is written to alone.
  func format(largestMessage: Int) -> EventFormat {
    let isPlain = subscriptions.allSatisfy { subscription in
      // The system's messages are each client's own anyhow.
      if subscription.filter.namesSystem { return true }
      return subscription.wish.qos == .atMostOnce && !subscription.wish.noLocal && !subscription.wish.retainAsPublished && subscription.identifier == nil
        && !subscription.wantsPositions
    }
    guard isPlain, !channel.usesTopicAliases, channel.largestPacket >= largestMessage else { return .mqttAlone }
    switch (channel.version == .v5, framing != nil) {
    case (false, false): return .mqtt3
    case (true, false): return .mqtt5
    case (false, true): return .mqtt3Framed
    case (true, true): return .mqtt5Framed
    }
  }

  /// How a message goes to this client; nil if none of its subscriptions wants it.
  func delivery(of record: RecordView, isCurrent: Bool) -> MQTTDelivery? {
    let topic = record.topic
    let isOwn = record.publisher == publisher
    var found: MQTTDelivery?
    for subscription in subscriptions where subscription.filter.matches(topic) {
      if isOwn, subscription.wish.noLocal { continue }
      var delivery = found ?? MQTTDelivery(.atMostOnce)
      delivery.qos = max(delivery.qos, subscription.wish.qos)
      if subscription.wish.retainAsPublished, record.flags.contains(.retain) || record.flags.contains(.clear) { delivery.isRetained = true }
      if let identifier = subscription.identifier { delivery.subscriptionIdentifiers.append(identifier) }
      found = delivery
    }
    guard var delivery = found else { return nil }
    delivery.qos = min(delivery.qos, MQTTRecordProperties.qos(of: record))
    if isCurrent { delivery.isRetained = true }
    return delivery
  }
}

/// Current values that a SUBSCRIBE brought and the client's window does not let out yet: what one read of a shard brings at
/// most, for nothing more is read while any wait.
struct MQTTBacklog {
  private var records: [Bytes] = []
  private var first = 0

  var isEmpty: Bool { first == records.count }
  var next: Bytes? { isEmpty ? nil : records[first] }

  /// What each is known by.
  func tokens(among shards: Int) -> [UInt64] {
    records[first...].map { record in
      record.withUnsafeBytes { bytes in
        let view = RecordView(trusting: bytes.baseAddress.unsafelyUnwrapped)
        return MQTTToken.make(Topic.shard(of: view.topic, among: shards), view.offset, isCurrent: true)
      }
    }
  }

  mutating func append(_ record: RecordView) { records.append(Bytes(copying: record.encoded)) }

  mutating func removeFirst() {
    first += 1
    if isEmpty {
      records.removeAll()
      first = 0
    }
  }
}

/// MQTT in WebSocket messages: packets may lie across them anyhow.
final class MQTTFraming {
  var receiver: WebSocketReceiver
  /// Received and not yet taken by the channel.
  var input = ByteBuffer()

  init(maximumMessage: Int) {
    receiver = WebSocketReceiver(role: .server, allowsCompression: false, maximumMessageSize: maximumMessage)
  }
}
