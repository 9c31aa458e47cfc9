public import Core
public import Security

/// What a node is told to be: every option of `tidings serve`, read and checked.
public struct NodeConfiguration: Sendable {
  public enum Role: String, Sendable { case all }

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
  public var http = [Endpoint(host: "127.0.0.1", port: 8080)]
  /// Where MQTT was asked for, although this version does not serve it; nil when it was not.
  public var mqtt: Endpoint?
  /// Where clustering was asked for, although this version does not serve it; nil when it was not.
  public var cluster: Endpoint?
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
  public var drainWindow = TimeSpan.seconds(10)
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
    self.reactors = reactors
  }
}

extension NodeConfiguration {
  /// Why the node must not start as it is configured; nil if it may.
  ///
  /// Nothing unauthenticated gets in from outside this machine unless somebody said so in words.
  public var exposureProblem: UsageError? {
    guard !authenticationIsChosen, let open = http.first(where: { !$0.isLoopback }) else { return nil }
    return UsageError(
      "--http \(open) can be reached from other machines, and nothing says who may come in",
      hint: "write --auth none to let everybody in, or listen on loopback: --http 127.0.0.1:\(open.port)")
  }

  /// What was asked for and is not served by this version, as sentences for the log.
  public var unservedNotices: [String] {
    var sentences: [String] = []
    if let mqtt { sentences.append("MQTT is not served by this version: nothing listens on \(mqtt)") }
    if let cluster { sentences.append("clustering is not served by this version: nothing listens on \(cluster)") }
    return sentences
  }
}
