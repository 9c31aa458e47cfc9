import Core

/// What is legal and unwise about a configuration on a machine.
struct ConfigurationAdvice {
  let reading: ConfigurationReading
  let machine: MachineFacts

  private var configuration: NodeConfiguration { reading.configuration }
  private var keepsMessages: Bool { configuration.role != .edge }

  /// Past this many seconds without a byte many proxies cut a connection, unless told otherwise.
  static let usualProxyPatience = TimeSpan.seconds(60)
  /// With fewer open files a node is soon full, whatever was asked for.
  static let fewOpenFiles = 16_384
  /// Files, links and listeners beside the connections of clients.
  static let filesBesideConnections = 256
  /// What a shard may have on the disk beside what `--retention` keeps.
  static let shardOverhead = 200.0 * 1_048_576

  var all: [UsageError] {
    doors + cluster + disk + limits + unused + configuration.notices.map { UsageError($0) }
  }

  private var doors: [UsageError] {
    var found: [UsageError] = []
    for (option, endpoint) in configuration.publicListeners where configuration.authenticationIsChosen {
      found.append(
        UsageError(
          "\(option) \(endpoint) lets in everybody who reaches it, to read and to publish everything",
          hint: "keep others away with a firewall or a proxy, or listen where only friends are"))
    }
    if let setting = reading.settings.first(where: { $0.option == "origins" }), setting.written?.split(separator: ",").contains("*") == true {
      found.append(
        UsageError(
          "--origins * lets any page that somebody opens read and publish in their name", hint: "name the pages' origins: https://app.example.com"))
    }
    if configuration.diagnostics, !configuration.publicListeners.isEmpty {
      found.append(UsageError("--diagnostics answers on addresses that others reach", hint: "leave it out where it is not for a test"))
    }
    return found
  }

  private var cluster: [UsageError] {
    guard configuration.isClustered else { return [] }
    var found: [UsageError] = []
    // Beyond loopback that is a mistake.
    if configuration.clusterSecretFile == nil, configuration.clusterEndpoint.isLoopback {
      found.append(
        UsageError(
          "the nodes of this cluster share no secret: every program on this machine can join it",
          hint: "head -c 32 /dev/urandom | base64 >cluster.secret, the same file on every node, and --cluster-secret-file cluster.secret"))
    }
    if machine.secretIsReadableByOthers, let file = configuration.clusterSecretFile {
      found.append(UsageError("--cluster-secret-file \(file) can be read by others than its owner", hint: "chmod 600 \(file)"))
    }
    guard keepsMessages else { return found }
    let brokers = configuration.expectedBrokers
    if brokers > 1, brokers < configuration.replicas {
      found.append(
        UsageError(
          "--bootstrap-expect \(brokers) gives birth to a cluster with fewer brokers than --replicas \(configuration.replicas)",
          hint: "expect at least \(configuration.replicas), or say --replicas \(brokers)"))
    }
    if configuration.replicas % 2 == 0 {
      found.append(
        UsageError(
          "--replicas \(configuration.replicas) survives the loss of no more brokers than \(configuration.replicas - 1) would",
          hint: "take an odd number"))
    }
    return found
  }

  private var disk: [UsageError] {
    guard keepsMessages else { return [] }
    var found: [UsageError] = []
    let folder = configuration.dataFolder
    if configuration.durability == .memory {
      found.append(
        UsageError("--durability memory loses acknowledged messages when the machine loses power", hint: "leave it out unless they may be lost"))
    }
    guard let bytes = configuration.retention.bytes else {
      found.append(
        UsageError("--retention has no size: shards grow until their age ends or the disk is full", hint: "add one, for each shard: --retention 24h,1GiB"))
      return found
    }
    let whole = Int(clamping: Int64(min(9e18, (Double(bytes) + ConfigurationAdvice.shardOverhead) * Double(configuration.shards))))
    if let free = machine.freeBytes, whole > free {
      found.append(
        UsageError(
          "\(configuration.shards) shards may come to \(ByteSize.rounded(whole)), and the disk of \(folder) has \(ByteSize.rounded(free)) left",
          hint: "make --retention smaller, or the disk larger"))
    }
    return found
  }

  private var limits: [UsageError] {
    var found: [UsageError] = []
    let room = machine.openFiles - ConfigurationAdvice.filesBesideConnections
    let asksForMore = reading.isWritten("max-connections") && room < configuration.maximumConnections
    if asksForMore || machine.openFiles < ConfigurationAdvice.fewOpenFiles {
      found.append(
        UsageError(
          "the limit of open files, \(machine.openFiles), has room for some \(max(0, room)) connections, less than --max-connections \(configuration.maximumConnections)",
          hint: "raise the hard limit: LimitNOFILE= in systemd, --ulimit nofile= in Docker, ulimit -Hn"))
    }
    if configuration.reactors > machine.processors {
      found.append(
        UsageError("--reactors \(configuration.reactors) are more than the \(machine.processors) processors it may use", hint: "leave it out"))
    }
    if configuration.heartbeat >= ConfigurationAdvice.usualProxyPatience {
      found.append(
        UsageError(
          "--heartbeat \(configuration.heartbeat.text) is longer than many proxies leave a quiet connection alone", hint: "stay below 60s, or raise their time-outs"))
    }
    if configuration.maximumMessageBytes > configuration.mqttMaximumPacketBytes ?? Int.max {
      found.append(
        UsageError("--mqtt-max-packet is smaller than --max-message: MQTT clients cannot publish all that others can", hint: "make it 64KiB larger than that"))
    }
    return found
  }

  /// Options that say something to a node of another kind.
  private var unused: [UsageError] {
    func unused(_ options: [String], _ why: String) -> UsageError? {
      let written = options.filter(reading.isWritten).map { "--\($0)" }
      return written.isEmpty ? nil : UsageError("\(written.joined(separator: ", ")) \(written.count == 1 ? "is" : "are") not used: \(why)")
    }
    var found: [UsageError?] = []
    if !configuration.isClustered {
      found.append(
        unused(
          ["advertise", "replicas", "replace-after", "rack", "cluster-secret-file"],
          "the node is alone; --join, --role or --bootstrap-expect make it one of several"))
    }
    if configuration.role == .edge {
      found.append(unused(["data", "shards", "retention", "durability", "replicas", "replace-after", "bootstrap-expect", "rack"], "an edge keeps nothing"))
    }
    return found.compactMap { $0 }
  }
}
