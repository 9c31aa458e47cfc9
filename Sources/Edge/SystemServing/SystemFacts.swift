public import Core

/// What a node tells of itself and of its cluster on `$SYS/…`, as numbers: the names are in `topics`.
public struct SystemFacts: Sendable {
  /// What the cluster is, as far as this node knows.
  public struct Cluster: Sendable {
    /// As `GET /v1/cluster` says it.
    public var state = ""
    public var nodes = Count()
    /// Nodes that own shards, and nodes that serve clients; one that does both counts in both.
    public var brokers = Count()
    public var edges = Count()
    public var shards = 0
    public var leaderlessShards = 0
    /// Those whose leader misses a replica.
    public var shortShards = 0
    /// MQTT clients of all nodes, and connections of every transport.
    public var clients = 0
    public var connections = 0
    /// Of the nodes that are alive, each once.
    public var versions: [String] = []

    public init() {}
  }

  public struct Count: Sendable {
    public var total = 0
    public var alive = 0

    public init() {}
  }

  public var version: String
  public var node: String
  public var uptime: TimeSpan
  public var clients: Int
  public var maximumClients: Int
  public var subscriptions = 0
  public var traffic = MQTTTraffic()
  public var load = MQTTLoad()
  /// Current values of the cluster's topics.
  public var retained = 0
  public var heapBytes = 0
  public var cluster = Cluster()

  public init(version: String, node: String, uptime: TimeSpan, clients: Int, maximumClients: Int) {
    self.version = version
    self.node = node
    self.uptime = uptime
    self.clients = clients
    self.maximumClients = maximumClients
  }
}
