public import Core
public import MQTT
public import Security

/// What a node is told to be: every option of `tidings serve`, read and checked.
public struct NodeConfiguration: Sendable {
  public enum Role: String, Sendable { case all, broker, edge }

  public enum Durability: String, Sendable {
    /// On disk before the acknowledgement.
    case fsync
    /// In memory before the acknowledgement; on disk whenever the system gets to it.
    case memory
  }

  public enum Authentication: String, Sendable {
    /// Everybody who can reach the node may do everything.
    case none
  }

  /// What a shard keeps; nil is without that bound.
  public struct Retention: Sendable, Equatable {
    public var age: TimeSpan?
    public var bytes: Int?

    public init(age: TimeSpan?, bytes: Int?) {
      self.age = age
      self.bytes = bytes
    }
  }

  public var role = Role.all
  /// Shown to people; the durable identity is in the data folder.
  public var name: String
  /// What the machine, or the container, calls itself.
  public let hostName: String
  public var http = [Endpoint(host: "127.0.0.1", port: 8080)]
  /// nil where MQTT is off.
  public var mqtt: Endpoint? = Endpoint(host: "127.0.0.1", port: 1883)
  /// Whether `--mqtt` was written out: then the address must be had.
  public var mqttIsChosen = false
  public var mqttLimits: MQTTChannelSettings = {
    var limits = MQTTChannelSettings()
    limits.sessionExpiryMaximum = 7 * 24 * 3600
    return limits
  }()
  /// nil: as much as the largest message needs.
  public var mqttMaximumPacketBytes: Int?
  /// Where other nodes are met, if it was written out; nil is the default.
  public var cluster: Endpoint?
  public var isClusterOff = false
  public var join: [Endpoint] = []
  /// Brokers that a new cluster waits for, if it was written out.
  public var bootstrapExpect: Int?
  public var replicas = 3
  public var replaceAfter = TimeSpan.seconds(600)
  public var rack = ""
  public var clusterSecretFile: String?
  /// What stands in that file.
  public var clusterSecret: Bytes?
  public var advertise: Endpoint?
  public var dataFolder = "./tidings-data"
  public static let defaultShards = 16
  public var shards = defaultShards
  public var retention = Retention(age: .seconds(24 * 3600), bytes: 1 << 30)
  public var reactors: Int
  public var durability = Durability.fsync
  public var authentication = Authentication.none
  /// Whether `--auth` was written out, in whichever place.
  public var authenticationIsChosen = false
  /// Which pages may use the node from a browser.
  public var origins = Origins()
  /// The most bytes kept ready for one reader.
  public var readerBufferBytes = 256 << 10
  public var heartbeat = TimeSpan.seconds(15)
  public var drainWindow = TimeSpan.seconds(30)
  public var maximumConnections = 1_000_000
  public var maximumMessageBytes = 1 << 20
  public var diagnostics = false
  /// nil: text on a terminal, else JSON.
  public var logFormat: LogFormat?
  public var logLevel = LogLevel.info
  /// What the person should know although nothing is wrong enough to stop, to be logged at start.
  public var notices: [String] = []

  /// The defaults; the host's name and its processors are told.
  public init(name: String, reactors: Int) {
    self.name = name
    hostName = name
    self.reactors = reactors
  }
}

extension NodeConfiguration {
  /// Whether the node is one of several, or may become one: it has a cluster port then.
  public var isClustered: Bool {
    !isClusterOff && (role != .all || !join.isEmpty || (bootstrapExpect ?? 1) > 1 || cluster != nil)
  }

  public static let defaultCluster = Endpoint(host: "127.0.0.1", port: 7400)
  public var clusterEndpoint: Endpoint { cluster ?? NodeConfiguration.defaultCluster }
  public var expectedBrokers: Int { bootstrapExpect ?? (role == .all && join.isEmpty ? 1 : 3) }

  /// Why the node must not start as it is configured; nil if it may.
  ///
  /// Nothing unauthenticated gets in from outside this machine unless somebody said so in words.
  public var exposureProblem: UsageError? { exposureProblems.first }

  /// All of them.
  public var exposureProblems: [UsageError] {
    guard !authenticationIsChosen else { return clusterProblems }
    return clusterProblems
      + publicListeners.map { option, open in
        UsageError(
          "\(option) \(open) can be reached from other machines, and nothing says who may come in",
          hint: "write --auth none to let everybody in, or listen on loopback: \(option) 127.0.0.1:\(open.port)")
      }
  }

  /// Where clients of other machines may come in.
  var publicListeners: [(option: String, endpoint: Endpoint)] {
    (http.map { ("--http", $0) } + (mqtt.map { [("--mqtt", $0)] } ?? [])).filter { !$0.1.isLoopback }
  }

  private var clusterProblems: [UsageError] {
    var problems: [UsageError] = []
    if isClusterOff, role != .all || !join.isEmpty {
      problems.append(
        UsageError("--cluster off leaves a node that cannot meet others", hint: "leave --cluster out, or --role and --join"))
    }
    guard isClustered else { return problems }
    if role == .edge, join.isEmpty {
      problems.append(
        UsageError("--role edge without --join finds no brokers", hint: "name some: --join broker-1:7400,broker-2:7400"))
    }
    if !clusterEndpoint.isLoopback, clusterSecretFile == nil {
      problems.append(
        UsageError(
          "--cluster \(clusterEndpoint) can be reached from other machines, and there is no secret that keeps strangers out",
          hint: "put a line of at least 16 random bytes into a file, the same on every node, and name it: --cluster-secret-file FILE"))
    }
    return problems
  }
}
