internal import Broker
internal import Core
internal import Disks
internal import Edge
internal import Glibc
internal import Journal
internal import Reactor
internal import Security

/// A node, from start to end.
///
/// ```
///   open the data directory ─▶ claim the addresses ─▶ start reactors ─▶ all shards open ─▶ serve
///   TERM: drain, close, exit 0        INT, or a second TERM: close at once
/// ```
public enum TidingsNode {
  public static let version = "0.1.0"

  /// How often the main thread looks whether a stop has got further.
  private static let lookEvery: Int32 = 20
  /// An orderly close that takes longer is given up; what was acknowledged is on the disk already.
  private static let closeWithin = TimeSpan.seconds(20)

  /// Runs a node until it is told to stop; the result is the process's exit code.
  public static func run(_ configuration: NodeConfiguration, log: Log) -> Int32 {
    defer { log.finish() }
    let signals: SignalSource
    do throws(ReactorError) {
      signals = try SignalSource.open()
      let limit = try Machine.raiseDescriptorLimit()
      log.debug("descriptors", nil, ["limit": LogValue(limit)])
    } catch {
      log.error("start", "the node cannot start", ["error": LogValue(error)])
      return 1
    }
    var random = SystemRandomNumberGenerator()
    let store: BrokerStore
    do throws(DataDirectoryError) {
      store = try BrokerStore(
        path: configuration.dataFolder,
        fresh: NodeIdentity(node: NodeID(random.next()), cluster: ClusterID(random.next()), shards: configuration.shards),
        holder: "node \(configuration.name), process \(getpid()), since \(SystemClock.wall().timestamp)", durability: configuration.durability == .fsync ? .fsync : .memory,
        tell: { error in
          log.error("group-log", "there is no group log; every journal's file is synced by itself", ["error": LogValue(error)])
        })
    } catch {
      log.error("data-directory", error.description, ["path": LogValue(configuration.dataFolder)])
      return 1
    }
    defer { store.stop() }
    let replay = store.directory.replay
    if replay.rounds > 0 {
      log.info(
        "group-log", "what a run that was cut off wrote last is in the journals now",
        ["rounds": LogValue(replay.rounds), "writes": LogValue(replay.writes)])
    }
    let identity = store.directory.identity
    guard let cluster = identity.cluster, identity.shards > 0 else {
      log.error("data-directory", "the data directory belongs to no cluster; name another with --data", ["path": LogValue(configuration.dataFolder)])
      return 1
    }
    if identity.shards != configuration.shards, configuration.shards != NodeConfiguration.defaultShards {
      log.warning(
        "shards", "the number of shards was fixed when the cluster was born; --shards is not used",
        ["born-with": LogValue(identity.shards), "asked-for": LogValue(configuration.shards)])
    }
    var listeners = [[TCPListener]](repeating: [], count: configuration.reactors)
    do throws(ReactorError) {
      var options = SocketOptions()
      // What the kernel holds unsent for one client is bounded too, beside what the node holds.
      options.unsentLowWater = 128 << 10
      for endpoint in configuration.http {
        let claimed = try TCPListener.claim(Address(host: endpoint.host, port: endpoint.port), loops: configuration.reactors, options: options)
        for (reactor, list) in claimed.enumerated() { listeners[reactor] += list }
      }
    } catch {
      for list in listeners { for listener in list { listener.close() } }
      log.error("listen", "\(error); choose another address with --http")
      return 1
    }
    let address = listeners[0].first.map { $0.boundAddress.description } ?? ""
    let plan = NodePlan(
      configuration: configuration, node: identity.node, cluster: cluster, shardCount: identity.shards, seed: random.next(), store: store,
      broker: brokerSettings(configuration), edge: edgeSettings(configuration, identity, cluster, shards: identity.shards),
      listeners: ListenerShelf(listeners), log: log, httpAddress: address, started: SystemClock.wall())
    return run(plan, signals, addresses: listeners[0].map { $0.boundAddress.description })
  }

  private static func run(_ plan: NodePlan, _ signals: SignalSource, addresses: [String]) -> Int32 {
    let log = plan.log
    var threads: [ReactorThread<NodeReactor>] = []
    do throws(ReactorError) {
      for index in 0..<plan.reactors {
        threads.append(try ReactorThread.start(index: index) { loop in NodeReactor(plan: plan, loop: loop) })
      }
    } catch {
      log.error("start", "an event loop cannot start", ["error": LogValue(error)])
      stopAll(plan, threads)
      return 1
    }
    while plan.board.openedCount < plan.reactors, plan.board.failure == nil {
      if wait(signals) != nil {
        stopAll(plan, threads)
        return 0
      }
    }
    if let failure = plan.board.failure {
      log.error("open", "the node's log cannot be opened: \(failure)", ["path": LogValue(plan.configuration.dataFolder)])
      stopAll(plan, threads)
      return 1
    }
    for thread in threads { thread.mailbox.post(.serve) }
    announce(plan, addresses)
    let outcome = waitForTheEnd(plan, threads, signals)
    for thread in threads { thread.join() }
    log.info("stopped", "the node has stopped")
    return outcome
  }

  private static func announce(_ plan: NodePlan, _ addresses: [String]) {
    let log = plan.log
    log.info(
      "started", "the node serves",
      [
        "node": LogValue(plan.configuration.name), "id": LogValue(plan.node), "cluster": LogValue(plan.cluster),
        "http": LogValue(addresses.joined(separator: ",")), "data": LogValue(plan.configuration.dataFolder), "shards": LogValue(plan.shardCount),
        "reactors": LogValue(plan.reactors),
      ])
    if plan.configuration.durability == .memory {
      log.warning("durability", "DURABILITY IS 'memory': acknowledged messages that the disk has not seen are lost when the machine loses power")
    }
    for notice in plan.configuration.unservedNotices + plan.configuration.notices { log.info("notice", notice) }
  }

  // MARK: Signals and the end

  private static func waitForTheEnd(_ plan: NodePlan, _ threads: [ReactorThread<NodeReactor>], _ signals: SignalSource) -> Int32 {
    var drainEnds: Instant?
    var closeEnds: Instant?
    while plan.board.endedCount < plan.reactors {
      let now = SystemClock.monotonic()
      switch wait(signals) {
      case .hangup:
        plan.log.info("hangup", "there are no certificates, keys or passwords to read again in this version")
      case .interrupt:
        if closeEnds != nil { giveUp(plan, "told to end at once") }
        plan.board.beginDraining()
        close(threads)
        closeEnds = now + closeWithin
      case .terminate:
        if drainEnds != nil || closeEnds != nil { giveUp(plan, "told to end at once") }
        plan.log.info("draining", "clients are told to connect elsewhere", ["window": LogValue(plan.configuration.drainWindow.text)])
        plan.board.beginDraining()
        for thread in threads { thread.mailbox.post(.drain(over: plan.configuration.drainWindow)) }
        drainEnds = now + plan.configuration.drainWindow + TimeSpan.milliseconds(500)
      case nil: break
      }
      if let ends = drainEnds, closeEnds == nil, now >= ends || plan.board.idleCount == plan.reactors {
        close(threads)
        closeEnds = now + closeWithin
      }
      if let ends = closeEnds, now >= ends { giveUp(plan, "the shards did not close in time") }
    }
    return 0
  }

  private static func close(_ threads: [ReactorThread<NodeReactor>]) {
    for thread in threads { thread.mailbox.post(.close) }
  }

  private static func giveUp(_ plan: NodePlan, _ why: String) -> Never {
    plan.log.warning("stopped", "the node ends without closing its log: \(why)")
    plan.log.finish()
    exit(0)
  }

  /// The next signal, waited for a moment.
  private static func wait(_ signals: SignalSource) -> SignalSource.Signal? {
    var entry = pollfd(fd: signals.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
    guard poll(&entry, 1, lookEvery) > 0 else { return nil }
    return signals.next()
  }

  private static func stopAll(_ plan: NodePlan, _ threads: [ReactorThread<NodeReactor>]) {
    for thread in threads { thread.mailbox.requestStop() }
    for thread in threads { thread.join() }
  }

  // MARK: Settings

  private static func brokerSettings(_ configuration: NodeConfiguration) -> BrokerSettings {
    var settings = BrokerSettings()
    let forever = Int64(100 * 365 * 24 * 3600) * 1000
    settings.retention = Retention(
      ageMilliseconds: configuration.retention.age.map { Int64($0.milliseconds) } ?? forever, bytes: configuration.retention.bytes ?? Int.max)
    settings.journal.claimsDurability = configuration.durability == .fsync
    return settings
  }

  private static func edgeSettings(_ configuration: NodeConfiguration, _ identity: NodeIdentity, _ cluster: ClusterID, shards: Int) -> EdgeSettings {
    var settings = EdgeSettings(cluster: cluster, node: identity.node, nodeName: configuration.name, version: version, shardCount: shards)
    settings.fanout.readerBuffer = configuration.readerBufferBytes
    settings.heartbeat = configuration.heartbeat
    settings.maximumMessage = configuration.maximumMessageBytes
    settings.maximumConnections = configuration.maximumConnections
    settings.diagnostics = configuration.diagnostics
    settings.origins = configuration.origins
    return settings
  }
}
