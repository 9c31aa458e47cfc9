public import Core
public import MQTT
public import Security

/// Everything the edge is told when it starts; bounds carry their defaults.
public struct EdgeSettings: Sendable {
  public var cluster: ClusterID
  public var node: NodeID
  public var nodeName: String
  public var version: String
  public var shardCount: Int
  public var fanout = FanoutLimits()
  public var origins = Origins()
  public var permissions = Permissions.everything
  public var diagnostics = false
  /// Whether records without a publisher's key are given one, because they may have to be sent again.
  public var givesKeys = false
  /// The node belongs to no cluster yet: it says what it waits for, and serves nothing else.
  public var isUnborn = false

  /// Largest body of a request and largest WebSocket message.
  public var maximumMessage = 1 << 20
  /// Connections of the whole node; past it new ones are answered 503 and closed.
  public var maximumConnections: Int {
    get { connectionBudget.limit }
    set { connectionBudget = ConnectionBudget(limit: newValue) }
  }
  /// Shared by all reactors that are given a copy of these settings.
  public internal(set) var connectionBudget = ConnectionBudget(limit: 1_000_000)
  public var mqtt = MQTTChannelSettings()
  public internal(set) var mqttCensus = MQTTCensus()
  /// MQTT connections that have no deadline of their own are looked at this often.
  public var mqttIdleCare = TimeSpan.seconds(60)
  /// What QoS 1 has come to is saved this often at most, and a session that only stands somewhere else, so often.
  public var mqttSaveEvery = TimeSpan.seconds(1)
  public var mqttIdleSaveEvery = TimeSpan.seconds(60)
  /// A save that was refused is tried again after this.
  public var mqttSaveAgain = TimeSpan.seconds(1)
  /// Seconds that clients of a node that goes have to come back before their wills are published.
  public var mqttDrainPatience: UInt32 = 10
  /// An MQTT client whose messages cannot be read now is read for again after this.
  public var mqttReadAgain = TimeSpan.milliseconds(250)
  public var heartbeat = TimeSpan.seconds(15)
  /// A head that has begun must be whole within this.
  public var headTimeout = TimeSpan.seconds(10)
  /// A body must not pause for longer than this, and must be whole within `bodyTimeout`.
  public var bodyPause = TimeSpan.seconds(15)
  public var bodyTimeout = TimeSpan.seconds(60)
  /// A connection without a request is kept this long.
  public var idleTimeout = TimeSpan.seconds(75)
  /// How long an audience that everyone left keeps its filters, so that those who come back find the cache warm.
  public var audienceLinger = TimeSpan.seconds(30)
  /// Clients are told to come back after about this long, jittered by half.
  public var reconnectMilliseconds = 2000
  /// A connection on its way out is given this long to take what is queued.
  public var closeTimeout = TimeSpan.seconds(10)

  public init(cluster: ClusterID, node: NodeID, nodeName: String, version: String, shardCount: Int) {
    self.cluster = cluster
    self.node = node
    self.nodeName = nodeName
    self.version = version
    self.shardCount = shardCount
  }
}

/// Bounds of what one client may ask for.
enum RequestLimits {
  /// Filters of one reader.
  static let filters = 1024
  /// Requests of one connection that wait for their answers; past it no more are read.
  static let pipelined = 128
  /// Events in one answer of a poll.
  static let eventsPerAnswer = 1000
  /// Bytes of events in one answer of a poll.
  static let bytesPerAnswer = 1 << 20
  /// Messages of one batch.
  static let batch = 10_000
  /// `last=N`.
  static let last = 10_000
  /// Longest `wait` of a long-poll.
  static let waitSeconds = 60
  /// `limit` of a history.
  static let history = 1000
  /// Queued for one reader that catches up before it reads on.
  static let catchUpWindow = 128 << 10
  /// Bytes of one read from a shard.
  static let readBytes = 256 << 10
  /// Bytes queued for a connection that sends requests without taking answers; past it nothing more is read.
  static let unansweredBytes = 1 << 20
  /// An event's type, a content type, an idempotency key.
  static let typeLength = 256
  static let contentTypeLength = 256
  static let keyLength = 256
  /// Longest time to live: 49 days fit the record's field.
  static let timeToLive = TimeSpan(nanoseconds: Int64(UInt32.max) * 1_000_000)
}
