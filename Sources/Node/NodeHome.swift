internal import Broker
internal import Core
internal import Disks
internal import Edge
internal import Glibc
internal import Journal
internal import MQTT
internal import Placement
internal import Reactor
internal import Sealing
internal import Security

/// Why a node cannot start, as a line of its log.
struct NodeProblem: Error {
  let event: String
  let text: String
  var fields: KeyValuePairs<String, LogValue> = [:]
}

/// What a node has before it has reactors: its directory, its identity, its addresses. Makes a plan for each life.
final class NodeHome {
  private let configuration: NodeConfiguration
  private let log: Log
  private let store: BrokerStore?
  private var identity: NodeIdentity
  private var replicas: Int
  private let secret: ClusterSecret
  private var random = SystemRandomNumberGenerator()
  /// As bound: a port that the system chose stays.
  private(set) var addresses: [String] = []
  private var http: [Endpoint]
  /// As bound; nil where MQTT is served nowhere.
  private(set) var mqtt: Endpoint?
  private var port: Endpoint
  private let started = SystemClock.monotonic()

  init(_ configuration: NodeConfiguration, _ log: Log) throws(NodeProblem) {
    self.configuration = configuration
    self.log = log
    http = configuration.http
    mqtt = configuration.mqtt
    port = configuration.clusterEndpoint
    replicas = configuration.isClustered ? configuration.replicas : 1
    secret = try NodeHome.secret(configuration)
    let isAlone = !configuration.isClustered
    let fresh = NodeIdentity(
      node: NodeID(random.next()), cluster: isAlone ? ClusterID(random.next()) : nil, shards: isAlone ? configuration.shards : 0)
    guard configuration.role != .edge else {
      store = nil
      identity = fresh
      return
    }
    do throws(DataDirectoryError) {
      let store = try NodeHome.open(configuration, fresh, log)
      self.store = store
      identity = store.directory.identity
    } catch {
      throw NodeProblem(event: "data-directory", text: error.description, fields: ["path": LogValue(configuration.dataFolder)])
    }
    tellOfTheDirectory()
    if isAlone, identity.cluster == nil {
      throw NodeProblem(
        event: "data-directory",
        text: "this data directory waits for a cluster to be born; start the node with --join as before, or name another directory with --data",
        fields: ["path": LogValue(configuration.dataFolder)])
    }
  }

  private static func open(_ configuration: NodeConfiguration, _ fresh: NodeIdentity, _ log: Log) throws(DataDirectoryError) -> BrokerStore {
    let holder = "node \(configuration.name), process \(getpid()), since \(SystemClock.wall().timestamp)"
    while true {
      do throws(DataDirectoryError) {
        return try BrokerStore(
          path: configuration.dataFolder, fresh: fresh, holder: holder, durability: configuration.durability == .fsync ? .fsync : .memory,
          tell: { error in
            log.error("group-log", "there is no group log; every journal's file is synced by itself", ["error": LogValue(error)])
          })
      } catch {
        // Each turn puts one log away.
        guard case .damagedGroupLog(let path, let name, let damage) = error, configuration.isClustered,
          try DataDirectory.distrust(path, log: name, holder: holder, where: hasPeers)
        else { throw error }
        log.error(
          "group-log", "\(name) is damaged and kept as \(name).damaged; what it held is on other brokers, from which all shards are learned anew",
          ["error": LogValue("\(damage)")])
      }
    }
  }

  /// Whether all shards have enough other replicas, by what was agreed at the cluster's birth.
  private static func hasPeers(_ birth: String?) -> Bool {
    guard let birth, case .born(let certificate)? = BirthNote.record(in: birth) else { return false }
    return certificate.terms.replicas >= 3 && certificate.members.count >= 3
  }

  private func tellOfTheDirectory() {
    if let replay = store?.directory.replay, replay.rounds > 0 {
      log.info(
        "group-log", "what a run that was cut off wrote last is in the journals now",
        ["rounds": LogValue(replay.rounds), "writes": LogValue(replay.writes)])
    }
    if identity.cluster != nil, identity.shards != configuration.shards, configuration.shards != NodeConfiguration.defaultShards {
      log.warning(
        "shards", "the number of shards was fixed when the cluster was born; --shards is not used",
        ["born-with": LogValue(identity.shards), "asked-for": LogValue(configuration.shards)])
    }
  }

  private static func secret(_ configuration: NodeConfiguration) throws(NodeProblem) -> ClusterSecret {
    // Who can reach loopback may reach the node's files too; still a cluster without a secret must not mix with one that
    // has one.
    let text = configuration.clusterSecret ?? Bytes("a cluster on loopback that has no secret\n")
    do throws(ClusterSecretFailure) {
      return try ClusterSecret(parsing: text.bytes)
    } catch {
      throw NodeProblem(event: "cluster-secret", text: "--cluster-secret-file \(configuration.clusterSecretFile ?? ""): \(error)")
    }
  }

  /// The node belongs to a cluster from here on.
  func join(_ finding: ClusterFinding) throws(NodeProblem) {
    identity.cluster = finding.cluster
    identity.shards = finding.shards
    replicas = finding.replicas
    guard let store else { return }
    var wasBorn = false
    if case .born = try birthRecord() { wasBorn = true }
    do throws(DataDirectoryError) {
      // A broker that comes later holds nothing until placement gives it something.
      if !wasBorn { _ = try store.keepHoldings(first: []) }
      try store.directory.save(identity)
    } catch {
      throw NodeProblem(event: "data-directory", text: error.description)
    }
  }

  func close() { store?.stop() }

  // MARK: A plan

  func plan() throws(NodeProblem) -> NodePlan {
    let record = try birthRecord()
    // Cut off between the two, the last life knew of its birth and had not written down whose it is.
    if case .born(let certificate) = record, identity.cluster == nil {
      try join(ClusterFinding(cluster: certificate.cluster, shards: certificate.terms.shards, replicas: certificate.terms.replicas))
    }
    let cluster = identity.cluster
    let listeners = try claimListeners()
    let clusterPlan = configuration.isClustered ? try clusterPlan(record) : nil
    var broker = brokerSettings()
    var holdings: Holdings?
    if configuration.isClustered, let founders = founders(record), let store {
      if case .born(let certificate) = record { replicas = certificate.terms.replicas }
      let isFirst: Bool
      (holdings, isFirst) = try keepHoldings(store, founders)
      // Later on the disk tells who the members are, and where it does not they have changed perhaps: then the shard's
      // leader tells. The disk of a node that was alone tells only what has changed since.
      broker.holders = { isFirst ? founders.holders(of: $0) : founders.isAlone ? [founders.members[0]] : [] }
    }
    if let store {
      do throws(DataDirectoryError) {
        broker.journal.mayBeNew = try store.directory.note(.made) == nil
      } catch {
        throw NodeProblem(event: "data-directory", text: error.description)
      }
    }
    let shards = cluster == nil ? configuration.shards : identity.shards
    var edge = edgeSettings(cluster ?? ClusterID(0), shards: shards)
    edge.givesKeys = configuration.isClustered
    edge.isUnborn = cluster == nil
    return NodePlan(
      configuration: configuration, node: identity.node, cluster: cluster ?? ClusterID(0), shardCount: shards, seed: random.next(), store: store,
      broker: broker, edge: edge, listeners: ListenerShelf(listeners), log: log, httpAddress: addresses.first ?? "", started: started,
      clusterPlan: clusterPlan, isBorn: cluster != nil, replicas: replicas, holdings: holdings)
  }

  private func birthRecord() throws(NodeProblem) -> BirthRecord {
    guard let store else { return .none }
    let text: String?
    do throws(DataDirectoryError) {
      text = try store.directory.note(.birth)
    } catch {
      throw NodeProblem(event: "data-directory", text: error.description)
    }
    guard let text else { return .none }
    guard let record = BirthNote.record(in: text) else {
      throw NodeProblem(
        event: "data-directory",
        text: "the file 'birth' in data directory \(configuration.dataFolder) is damaged; restore it, or start anew with an empty directory")
    }
    return record
  }

  /// Who holds what at first: the members as born, or the node alone that its directory was made by. nil before that.
  private func founders(_ record: BirthRecord) -> ShardHolders? {
    guard identity.cluster != nil else { return nil }
    if case .born(let certificate) = record { return ShardHolders(certificate) }
    return ShardHolders(alone: identity.node)
  }

  /// The shards that lie here, and whether none of them was ever opened by a node of several.
  private func keepHoldings(_ store: BrokerStore, _ founders: ShardHolders) throws(NodeProblem) -> (Holdings, isFirst: Bool) {
    do throws(DataDirectoryError) {
      let isFirst = try store.directory.note(.made) == nil
      let all = (0..<identity.shards).map { ShardID($0) }
      return (try store.keepHoldings(first: all.filter { founders.holders(of: $0).contains(identity.node) }), isFirst)
    } catch {
      throw NodeProblem(event: "data-directory", text: error.description)
    }
  }

  private func claimListeners() throws(NodeProblem) -> [[ClientListener]] {
    var listeners = [[ClientListener]](repeating: [], count: configuration.reactors)
    func claim(_ endpoint: Endpoint, speaksMQTT: Bool) throws(ReactorError) -> Endpoint {
      var options = SocketOptions()
      // What the kernel holds unsent for one client is bounded too, beside what the node holds.
      options.unsentLowWater = 128 << 10
      let claimed = try TCPListener.claim(Address(host: endpoint.host, port: endpoint.port), loops: configuration.reactors, options: options)
      for (reactor, list) in claimed.enumerated() { listeners[reactor] += list.map { ClientListener(listener: $0, speaksMQTT: speaksMQTT) } }
      guard endpoint.port == 0, let bound = claimed[0].first else { return endpoint }
      return Endpoint(host: endpoint.host, port: bound.boundAddress.port)
    }
    do throws(ReactorError) {
      for index in http.indices { http[index] = try claim(http[index], speaksMQTT: false) }
    } catch {
      close(listeners)
      throw NodeProblem(event: "listen", text: "\(error); choose another address with --http")
    }
    addresses = listeners[0].map { $0.listener.boundAddress.description }
    guard let endpoint = mqtt else { return listeners }
    do throws(ReactorError) {
      mqtt = try claim(endpoint, speaksMQTT: true)
    } catch {
      guard configuration.mqttIsChosen else {
        mqtt = nil
        log.warning("listen", "MQTT is served nowhere: \(error); choose another address with --mqtt, or say --mqtt off")
        return listeners
      }
      close(listeners)
      throw NodeProblem(event: "listen", text: "\(error); choose another address with --mqtt, or none: --mqtt off")
    }
    return listeners
  }

  private func close(_ listeners: [[ClientListener]]) {
    for list in listeners { for each in list { each.listener.close() } }
  }

  private func clusterPlan(_ record: BirthRecord) throws(NodeProblem) -> ClusterPlan {
    let sockets: ClusterSockets.Pair
    do throws(ReactorError) {
      sockets = try ClusterSockets.claim(port)
    } catch {
      throw NodeProblem(event: "listen", text: "\(error); choose another address with --cluster")
    }
    let bound = sockets.listener.boundAddress
    port = Endpoint(host: port.host, port: bound.port)
    let terms = BirthTerms(expect: configuration.expectedBrokers, shards: configuration.shards, replicas: configuration.replicas)
    return ClusterPlan(
      role: configuration.role, secret: secret, join: configuration.join, terms: terms, port: ClusterSockets(sockets),
      advertised: try advertised(bound), incarnation: try incarnation(), record: record)
  }

  /// Above that of every earlier life, though the clock may have been set back: others refuse whoever seems to be an older
  /// copy of somebody they know.
  private func incarnation() throws(NodeProblem) -> UInt64 {
    let clock = UInt64(max(1, SystemClock.wall().milliseconds))
    guard let store else { return clock }
    do throws(DataDirectoryError) {
      let last = try store.directory.note(.life).flatMap { UInt64($0) } ?? 0
      let incarnation = max(clock, last + 1)
      try store.directory.write(.life, String(incarnation))
      return incarnation
    } catch {
      throw NodeProblem(event: "data-directory", text: error.description)
    }
  }

  /// What others dial: as told, or as bound. Where that is every address, the one that the host's own name stands for, which
  /// is what a container has.
  private func advertised(_ bound: SocketAddress) throws(NodeProblem) -> SocketAddress {
    guard let told = configuration.advertise else {
      guard bound.isUnspecified else { return bound }
      if let own = NodeHome.address(of: configuration.hostName, like: bound) { return own }
      throw NodeProblem(
        event: "listen",
        text: "--cluster \(configuration.clusterEndpoint) is every address of this machine, and its name '\(configuration.hostName)' stands for none that others could dial; say --advertise HOST:PORT")
    }
    do throws(ReactorError) {
      guard let address = try Address(host: told.host, port: told.port == 0 ? bound.port : told.port).resolve().first else {
        throw ReactorError.addressUnavailable(told.description)
      }
      return address
    } catch {
      throw NodeProblem(event: "listen", text: "--advertise \(told): \(error)")
    }
  }

  /// The first address of a name that others can dial and that the bound socket hears; nil where there is none.
  static func address(of host: String, like bound: SocketAddress) -> SocketAddress? {
    do throws(ReactorError) {
      return try Address(host: host, port: bound.port).resolve().first {
        !$0.isLoopback && !$0.isUnspecified && (bound.family == .v6 || $0.family == .v4)
      }
    } catch {
      return nil  // A machine whose name nobody knows is not wrong; it only cannot be dialled by it.
    }
  }

  // MARK: Settings

  private func brokerSettings() -> BrokerSettings {
    var settings = BrokerSettings()
    let forever = Int64(100 * 365 * 24 * 3600) * 1000
    settings.retention = Retention(
      ageMilliseconds: configuration.retention.age.map { Int64($0.milliseconds) } ?? forever, bytes: configuration.retention.bytes ?? Int.max)
    settings.journal.claimsDurability = configuration.durability == .fsync
    return settings
  }

  private func edgeSettings(_ cluster: ClusterID, shards: Int) -> EdgeSettings {
    var settings = EdgeSettings(cluster: cluster, node: identity.node, nodeName: configuration.name, version: TidingsNode.version, shardCount: shards)
    settings.fanout.readerBuffer = configuration.readerBufferBytes
    settings.heartbeat = configuration.heartbeat
    settings.maximumMessage = configuration.maximumMessageBytes
    settings.maximumConnections = configuration.maximumConnections
    settings.diagnostics = configuration.diagnostics
    settings.origins = configuration.origins
    settings.mqtt = configuration.mqttLimits
    settings.mqtt.maximumPacketSize =
      configuration.mqttMaximumPacketBytes ?? configuration.maximumMessageBytes + NodeConfiguration.packetBesideMessage
    return settings
  }
}
