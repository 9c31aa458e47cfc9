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
    do throws(NodeProblem) {
      let home = try NodeHome(configuration, log)
      defer { home.close() }
      while true {
        let plan = try home.plan()
        switch run(plan, signals, addresses: home.addresses, mqtt: home.mqtt) {
        case .ended(let code): return code
        case .belongs(let finding): try home.join(finding)
        }
      }
    } catch {
      log.error(error.event, error.text, error.fields)
      return 1
    }
  }

  /// How one life of the node's reactors ends.
  private enum Outcome {
    case ended(Int32)
    /// A cluster was found or born: everything begins again as a member of it.
    case belongs(ClusterFinding)
  }

  private static func run(_ plan: NodePlan, _ signals: SignalSource, addresses: [String], mqtt: Endpoint?) -> Outcome {
    let log = plan.log
    var threads: [ReactorThread<NodeReactor>] = []
    do throws(ReactorError) {
      for index in 0..<plan.reactors {
        threads.append(try ReactorThread.start(index: index) { loop in NodeReactor(plan: plan, loop: loop) })
      }
    } catch {
      log.error("start", "an event loop cannot start", ["error": LogValue(error)])
      stopAll(plan, threads)
      return .ended(1)
    }
    while plan.board.openedCount < plan.reactors, plan.board.failure == nil {
      if wait(signals) != nil {
        stopAll(plan, threads)
        return .ended(0)
      }
    }
    if let failure = plan.board.failure {
      log.error("open", "the node's log cannot be opened: \(failure)", ["path": LogValue(plan.configuration.dataFolder)])
      stopAll(plan, threads)
      return .ended(1)
    }
    if plan.isBorn, let store = plan.store {
      do throws(DataDirectoryError) {
        if try store.directory.note(.made) == nil { try store.directory.write(.made, "yes\n") }
      } catch {
        log.error("data-directory", error.description)
        stopAll(plan, threads)
        return .ended(1)
      }
    }
    for thread in threads { thread.mailbox.post(.serve) }
    announce(plan, addresses, mqtt)
    let outcome = waitForTheEnd(plan, threads, signals)
    for thread in threads { thread.join() }
    if case .ended = outcome { log.info("stopped", "the node has stopped") }
    return outcome
  }

  private static func announce(_ plan: NodePlan, _ addresses: [String], _ endpoint: Endpoint?) {
    let log = plan.log
    let mqtt = LogValue(endpoint?.description ?? "off")
    guard plan.isBorn else {
      log.info(
        "started", "the node looks for its cluster and serves nothing yet",
        [
          "node": LogValue(plan.configuration.name), "id": LogValue(plan.node), "http": LogValue(addresses.joined(separator: ",")),
          "mqtt": mqtt, "cluster-port": LogValue(plan.clusterPlan?.advertised.description ?? ""),
        ])
      return
    }
    log.info(
      "started", "the node serves",
      [
        "node": LogValue(plan.configuration.name), "id": LogValue(plan.node), "cluster": LogValue(plan.cluster),
        "http": LogValue(addresses.joined(separator: ",")), "mqtt": mqtt, "data": LogValue(plan.store == nil ? "none" : plan.configuration.dataFolder), "shards": LogValue(plan.shardCount),
        "reactors": LogValue(plan.reactors),
      ])
    if plan.configuration.durability == .memory {
      log.warning("durability", "DURABILITY IS 'memory': acknowledged messages that the disk has not seen are lost when the machine loses power")
    }
    for notice in plan.configuration.notices { log.info("notice", notice) }
  }

  // MARK: Signals and the end

  private static func waitForTheEnd(_ plan: NodePlan, _ threads: [ReactorThread<NodeReactor>], _ signals: SignalSource) -> Outcome {
    var drainEnds: Instant?
    var closeEnds: Instant?
    while plan.board.endedCount < plan.reactors {
      let now = SystemClock.monotonic()
      if !plan.isBorn, let finding = plan.board.finding {
        for thread in threads { thread.mailbox.requestStop() }
        return .belongs(finding)
      }
      if let failure = plan.board.failure, closeEnds == nil {
        plan.log.error("failed", failure)
        close(threads)
        closeEnds = now + closeWithin
      }
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
        drainEnds = beginDraining(plan, threads, at: now)
      case nil: break
      }
      if plan.board.isGone, drainEnds == nil, closeEnds == nil {
        plan.log.info("left", "the node has left its cluster: others hold everything that it held")
        drainEnds = beginDraining(plan, threads, at: now)
      }
      if let ends = drainEnds, closeEnds == nil, now >= ends || plan.board.idleCount == plan.reactors {
        close(threads)
        closeEnds = now + closeWithin
      }
      if let ends = closeEnds, now >= ends { giveUp(plan, "the shards did not close in time") }
    }
    return .ended(plan.board.failure == nil ? 0 : 1)
  }

  /// When the clients that are still there then are let go.
  private static func beginDraining(_ plan: NodePlan, _ threads: [ReactorThread<NodeReactor>], at now: Instant) -> Instant {
    plan.board.beginDraining()
    for thread in threads { thread.mailbox.post(.drain(over: plan.configuration.drainWindow)) }
    return now + plan.configuration.drainWindow + TimeSpan.milliseconds(500)
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
}
