public import Core

/// What a version of the node can do; an option of something it cannot do yet is refused by name.
public enum Capability: String, Sendable, Equatable {
  case node
  case tls
  case credentials

  /// What this version can do.
  public static let available: Set<Capability> = [.node]

  var sentence: String {
    switch self {
    case .node: "running a node"
    case .tls: "TLS"
    case .credentials: "authentication"
    }
  }
}

/// What the text of an option's value must be; also says how JSON5 values of other types are taken.
public enum OptionKind: Sendable, Equatable {
  case text
  case flag
  case choice([String])
  case number(ClosedRange<Int>)
  case duration(ClosedRange<TimeSpan>)
  case size(ClosedRange<Int>)
  case endpoint
  case endpoints
  case list
}

/// One option of `tidings serve`: a row of the table from which flags, environment variables, keys of the
/// configuration file and help are all made.
public struct ServeOption: Sendable {
  public let name: String
  public let placeholder: String
  public let kind: OptionKind
  /// As help shows it.
  public let defaultText: String
  public let help: String
  public let capability: Capability

  init(
    _ name: String, _ placeholder: String, _ kind: OptionKind, default defaultText: String, _ help: String,
    needs capability: Capability = .node
  ) {
    self.name = name
    self.placeholder = placeholder
    self.kind = kind
    self.defaultText = defaultText
    self.help = help
    self.capability = capability
  }

  /// The environment variable that sets it.
  public var variable: String {
    ServeOption.variablePrefix + String(name.uppercased().map { $0 == "-" ? "_" : $0 })
  }

  public static let variablePrefix = "TIDINGS_"

  public var isAvailable: Bool { Capability.available.contains(capability) }
}

extension ServeOption {
  /// Bounds of values. Those that guard memory or time are generous; those that guard a format are its own.
  enum Bounds {
    static let shards = 1...Cursor.maximumPositions
    static let reactors = 1...256
    static let brokers = 1...255
    static let replicas = 1...9
    static let connections = 1...10_000_000
    static let messageBytes = 1024...64 << 20
    static let readerBufferBytes = 16 << 10...64 << 20
    static let heartbeat = TimeSpan.seconds(1)...TimeSpan.seconds(600)
    static let keepAlive = TimeSpan.seconds(1)...TimeSpan.seconds(0xffff)
    static let sessionExpiry = TimeSpan.seconds(1)...TimeSpan.seconds(3650 * 24 * 3600)
    static let mqttCount = 1...0xffff
    static let mqttAliases = 0...0xffff
    static let mqttPacket = 1024...256 << 20
    static let replaceAfter = TimeSpan.seconds(1)...TimeSpan.seconds(7 * 24 * 3600)
    /// In bytes; the gossip carries no more.
    static let rack = 64
    static let drainWindow = TimeSpan.zero...TimeSpan.seconds(3600)
  }

  /// Every option, in the order of help. What this version cannot do is named too, so that it is refused in words.
  public static let table: [ServeOption] = [
    ServeOption(
      "role", "ROLE", .choice(["all", "broker", "edge"]), default: "all",
      "'broker' owns shards and has a disk, 'edge' serves clients and has none, 'all' does both"),
    ServeOption("node", "NAME", .text, default: "the host's name", "name shown to people"),
    ServeOption("http", "ADDRESS,…", .endpoints, default: "127.0.0.1:8080", "where HTTP, SSE and WebSocket are served"),
    ServeOption(
      "mqtt", "ADDRESS", .endpoint, default: "127.0.0.1:1883",
      "where MQTT is served; 'off' for nowhere; the default is left out where another program has it"),
    ServeOption(
      "cluster", "ADDRESS", .endpoint, default: "127.0.0.1:7400",
      "where other nodes are met, with --role, --join or --bootstrap-expect; 'off' for never"),
    ServeOption(
      "advertise", "ADDRESS", .endpoint, default: "the bound address",
      "what others should dial; a node bound to every address is dialled where its host's name leads"),
    ServeOption("join", "ADDRESS,…", .endpoints, default: "none", "nodes to meet; names are looked up anew at every attempt"),
    ServeOption(
      "bootstrap-expect", "COUNT", .number(Bounds.brokers), default: "1 for a node that joins nobody, else 3",
      "brokers that a new cluster waits for; the same on all of them"),
    ServeOption("replicas", "COUNT", .number(Bounds.replicas), default: "3", "brokers that keep each shard; read when the cluster is born"),
    ServeOption(
      "replace-after", "TIME", .duration(Bounds.replaceAfter), default: "10m",
      "how long a broker may be dead before others take its replicas; the same on all of them"),
    ServeOption("rack", "NAME", .text, default: "none", "where the node stands; replicas of a shard are kept on different racks"),
    ServeOption(
      "cluster-secret-file", "FILE", .text, default: "none on loopback",
      "what the nodes of a cluster share: a line of at least 16 bytes, and a second one while it is changed"),
    ServeOption("data", "FOLDER", .text, default: "./tidings-data", "where messages are kept"),
    ServeOption(
      "shards", "COUNT", .number(Bounds.shards), default: "16",
      "parts the topics are spread over; read when the data folder is new"),
    ServeOption(
      "retention", "AGE,SIZE", .list, default: "24h,1GiB", "how long and how much each shard keeps; either may be left out"),
    ServeOption("reactors", "COUNT", .number(Bounds.reactors), default: "processors it may use", "event loops"),
    ServeOption(
      "durability", "KIND", .choice(["fsync", "memory"]), default: "fsync",
      "'fsync': on disk before it is acknowledged; 'memory': faster, and lost when the machine stops"),
    ServeOption(
      "auth", "KIND", .choice(["none"]), default: "none on loopback",
      "who may come in; 'none' is everybody, and must be written out beyond loopback"),
    ServeOption(
      "origins", "ORIGIN,…", .list, default: "same origin and loopback",
      "pages of which origins may read and publish; '*' for all"),
    ServeOption(
      "reader-buffer", "SIZE", .size(Bounds.readerBufferBytes), default: "256KiB",
      "bytes kept ready for a reader; slower ones read the log instead"),
    ServeOption(
      "heartbeat", "TIME", .duration(Bounds.heartbeat), default: "15s", "how often an idle reader hears that the node is there"),
    ServeOption(
      "drain-window", "TIME", .duration(Bounds.drainWindow), default: "30s",
      "over how long clients are asked to leave when the node is told to stop"),
    ServeOption(
      "max-connections", "COUNT", .number(Bounds.connections), default: "1000000",
      "connections at once; the system's limit of open files counts too"),
    ServeOption("max-message", "SIZE", .size(Bounds.messageBytes), default: "1MiB", "the largest message"),
    ServeOption(
      "mqtt-max-keepalive", "TIME", .duration(Bounds.keepAlive), default: "any",
      "the longest keep-alive of an MQTT client; who asks for more, or none, is told this"),
    ServeOption(
      "mqtt-receive-maximum", "COUNT", .number(Bounds.mqttCount), default: "1024",
      "messages of QoS 1 and 2 that an MQTT client may send before they are acknowledged"),
    ServeOption("mqtt-max-packet", "SIZE", .size(Bounds.mqttPacket), default: "the largest message and 64KiB", "the largest MQTT packet"),
    ServeOption(
      "mqtt-max-inflight", "COUNT", .number(Bounds.mqttCount), default: "1024",
      "messages of QoS 1 and 2 on their way to an MQTT client at once"),
    ServeOption("mqtt-max-qos", "QOS", .number(0...2), default: "2", "the highest QoS of MQTT clients"),
    ServeOption(
      "mqtt-topic-alias-maximum", "COUNT", .number(Bounds.mqttAliases), default: "64", "topic aliases of an MQTT client, each way; 0 for none"),
    ServeOption(
      "mqtt-max-session-expiry", "TIME", .duration(Bounds.sessionExpiry), default: "7d",
      "how long an MQTT session is kept for a client that is away; who asks for more is told this"),
    ServeOption("diagnostics", "", .flag, default: "off", "add /v1/echo, for conformance suites"),
    ServeOption(
      "log-format", "FORMAT", .choice(["text", "json"]), default: "text on a terminal, else json",
      "how log lines look: 'text' or 'json'"),
    ServeOption(
      "log-level", "LEVEL", .choice(["error", "warning", "info", "debug"]), default: "info",
      "the least important lines to write: 'error', 'warning', 'info' or 'debug'"),

    ServeOption("https", "ADDRESS", .endpoints, default: "off", "HTTP with TLS", needs: .tls),
    ServeOption("mqtts", "ADDRESS", .endpoint, default: "off", "MQTT with TLS", needs: .tls),
    ServeOption("client-ca", "FILE", .text, default: "none", "who signs client certificates", needs: .tls),
    ServeOption("jwt-secret-file", "FILE", .text, default: "none", "the secret that signs tokens", needs: .credentials),
    ServeOption("jwt-keys", "FILE", .text, default: "none", "the keys that sign tokens", needs: .credentials),
    ServeOption("password-file", "FILE", .text, default: "none", "names and passwords", needs: .credentials),
    ServeOption("acl-file", "FILE", .text, default: "none", "who may do what", needs: .credentials),
  ]

  /// `tidings serve`, as help shows it and arguments are read.
  public static let command = CommandDescription(
    name: "tidings serve", synopsis: "[OPTION…]",
    summary: "Run a node: publish and follow over HTTP, SSE, WebSocket and long-polling.",
    options: [OptionDescription(configName, "FILE", "a JSON5 file whose keys are the options below")]
      + table.filter(\.isAvailable).map { option in
        OptionDescription(option.name, option.kind == .flag ? nil : option.placeholder, default: option.defaultText, option.help)
      },
    notes: [
      "Each option is also an environment variable, TIDINGS_ and the name in capitals with '_' for '-' "
        + "(TIDINGS_READER_BUFFER), and a key of the file. A flag beats the environment, the environment beats the file.",
      "SIGTERM drains: the node stops accepting, asks clients to come back elsewhere, and exits 0. A second signal ends it at once.",
    ],
    examples: [
      "tidings serve", "tidings serve --http 0.0.0.0:8080 --auth none --data /var/lib/tidings",
      "TIDINGS_RETENTION=7d,10GiB tidings serve --config tidings.json5",
    ])

  static let configName = "config"

  /// The row of `name`; nil if there is none.
  static func named(_ name: String) -> ServeOption? { table.first { $0.name == name } }
}
