internal import Core
internal import Journal
internal import Raft
internal import Replica

/// What goes wrong, and when it ends.
extension SimulatedCluster {
  func drawFault() throws(Problem) {
    queue.add(.fault, at: now + .milliseconds(1 + random.below(2 * plan.meanFaultMilliseconds)))
    guard !isHealing else { return }
    let total = plan.weights.reduce(0, +)
    var draw = random.below(total)
    for kind in FaultKind.allCases {
      draw -= plan.weights[kind.rawValue]
      guard draw < 0 else { continue }
      if try inject(kind) { report.faults[kind.rawValue] += 1 }
      return
    }
  }

  private var someBroker: SimulatedBroker { brokers[random.below(brokers.count)] }
  private var spell: TimeSpan {
    .milliseconds(([500, 3000, 15_000][random.below(3)] / 2 + random.below(3000)) * plan.spellPercent / 100)
  }

  /// False when there was nothing to do it to.
  private func inject(_ kind: FaultKind) throws(Problem) -> Bool {
    switch kind {
    case .kill: return strike(someBroker, losesPower: false)
    case .powerCut: return strike(someBroker, losesPower: true)
    case .allPowerCut:
      for broker in brokers { _ = strike(broker, losesPower: true) }
      return true
    case .pause:
      let broker = someBroker
      guard broker.isUp, broker.pausedUntil == nil else { return false }
      note("broker \(broker.index) is paused")
      broker.pausedUntil = now + spell
      queue.add(.brokerResumes, at: broker.pausedUntil!, target: broker.index, slot: Int(broker.incarnation))
      return true
    case .partition: return split(oneWay: false)
    case .oneWayPartition: return split(oneWay: true)
    case .isolation:
      let node = random.below(network.nodes)
      cut((0..<network.nodes).filter { $0 != node }.flatMap { [(node, $0), ($0, node)] }, "node \(node) is cut off")
      return true
    case .edgeKill:
      let edge = edges[random.below(edges.count)]
      guard edge.isUp else { return false }
      stop(edge)
      queue.add(.edgeStarts, at: now + spell, target: edge.index)
      return true
    case .linkCut:
      let edge = edges[random.below(edges.count)]
      breakLink(edge, random.below(plan.brokers))
      return true
    case .clockJump:
      let broker = someBroker
      broker.wallOffset += Int64(random.below(20_000) - 10_000)
      broker.wallOffset = max(-SimulatedBroker.farthestClock, min(SimulatedBroker.farthestClock, broker.wallOffset))
      return true
    case .clockDrift:
      // A clock that goes on from where it is: the drift is drawn once, at a start.
      let broker = someBroker
      guard broker.isUp else { return false }
      stop(broker, losesPower: false)
      broker.drift = Int64(random.below(20_000)) - 10_000
      queue.add(.brokerStarts, at: now + spell, target: broker.index)
      return true
    case .slowDisk:
      let broker = someBroker
      broker.diskTenths = 20 + random.below(400)
      queue.add(.diskHeals, at: now + spell, target: broker.index)
      return true
    case .stalledDisk:
      someBroker.diskStalledUntil = now + spell
      return true
    case .fullDisk:
      let broker = someBroker
      for host in broker.hosts { host.disk.isFull = true }
      note("the disk of broker \(broker.index) is full")
      queue.add(.diskHeals, at: now + spell, target: broker.index)
      return true
    case .failedSync:
      let broker = someBroker
      guard broker.isUp else { return false }
      broker.hosts[random.below(plan.shards)].disk.failsSync = true
      // An operator notices and starts the process anew; the machine is turned off and on for it.
      queue.add(.brokerStarts, at: now + .seconds(5) + spell, target: broker.index, slot: 1)
      return true
    case .bitRot, .missingFile, .shortFile, .damagedSnapshot, .lostVote: return damage(kind)
    case .replace: return replaceMember()
    case .transfer:
      guard let (broker, shard) = someLeader() else { return false }
      _ = broker.hosts[shard].process?.replica.transferLeadership(at: broker.clock(now), into: &output)
      try takeOutput(of: broker, shard)
      return true
    }
  }

  /// Whether a broker that has just begun to lead goes at once.
  func strikesEarly(_ broker: SimulatedBroker) -> Bool {
    let isNew = broker.hosts.contains { host in
      host.query { $0.status.raft.role == .leader && !$0.status.isServing } == true
    }
    guard isNew, random.below(100) < plan.earlyDeathPercent / 3 else { return false }
    note("broker \(broker.index) has just begun to lead")
    return strike(broker, losesPower: random.below(2) == 0)
  }

  private func strike(_ broker: SimulatedBroker, losesPower: Bool) -> Bool {
    guard broker.isUp else { return false }
    stop(broker, losesPower: losesPower)
    queue.add(.brokerStarts, at: now + spell, target: broker.index)
    return true
  }

  private func split(oneWay: Bool) -> Bool {
    let side = (0..<network.nodes).map { _ in random.below(2) == 0 }
    var ways: [(Int, Int)] = []
    for from in 0..<network.nodes {
      for to in 0..<network.nodes where from != to && side[from] != side[to] && (!oneWay || side[from]) { ways.append((from, to)) }
    }
    guard !ways.isEmpty else { return false }
    cut(ways, oneWay ? "one-way partition \(side)" : "partition \(side)")
    return true
  }

  private func cut(_ ways: [(Int, Int)], _ text: String) {
    note(text)
    for (from, to) in ways { network.block(from, to) }
    partitions.append(ways)
    queue.add(.partitionEnds, at: now + spell, slot: partitions.count - 1)
    for edge in edges {
      for broker in 0..<plan.brokers where network.isBlocked(nodeNumber(edge), broker) || network.isBlocked(broker, nodeNumber(edge)) {
        breakLink(edge, broker)
      }
    }
  }

  func partitionEnds(_ event: Event) {
    for (from, to) in partitions[Int(event.slot)] { network.unblock(from, to) }
    partitions[Int(event.slot)] = []
  }

  func diskHeals(_ event: Event) {
    let broker = brokers[Int(event.target)]
    broker.diskTenths = 10
    for host in broker.hosts { host.disk.isFull = false }
  }

  /// One disk of one shard, of a broker that is cursed, while it is down: found when it opens, or when it is read.
  private func damage(_ kind: FaultKind) -> Bool {
    guard !plan.cursed.isEmpty else { return false }
    let broker = brokers[plan.cursed[random.below(plan.cursed.count)]]
    let shard = random.below(plan.shards)
    let host = broker.hosts[shard]
    if broker.isUp {
      stop(broker, losesPower: false)
      queue.add(.brokerStarts, at: now + spell, target: broker.index)
    }
    func isLog(_ name: JournalFileName) -> Bool { if case .segment = name { true } else { false } }
    func isSnapshot(_ name: JournalFileName) -> Bool { if case .snapshot = name { true } else { false } }
    let isDone =
      switch kind {
      case .bitRot: host.disk.flipBit(&random) { _ in true }
      case .missingFile: host.disk.lose(&random) { _ in true }
      case .shortFile: host.disk.shorten(&random, isLog)
      case .damagedSnapshot: host.disk.flipBit(&random, in: isSnapshot)
      default: host.disk.lose(&random) { $0 == .hardState }
      }
    if isDone { host.isDamaged = true }
    note("broker \(broker.index) shard \(shard): \(kind.name)")
    return isDone
  }

  func someLeader() -> (SimulatedBroker, Int)? {
    let shard = random.below(plan.shards)
    for broker in brokers where broker.isUp && broker.pausedUntil == nil {
      if broker.hosts[shard].query({ $0.status.isServing }) == true { return (broker, shard) }
    }
    return nil
  }

  /// Another broker takes a member's place.
  private func replaceMember() -> Bool {
    guard let (broker, shard) = someLeader() else { return false }
    let host = broker.hosts[shard]
    guard let membership = host.query({ $0.status.raft.membership }), !membership.isJoint, membership.learners.isEmpty else { return false }
    var outside = brokers.map(\.node).filter { !membership.contains($0) }
    var voters = membership.voters
    let target: Membership
    if voters.count > plan.replicas {
      while voters.count > plan.replicas { voters.remove(at: random.below(voters.count)) }
      target = Membership(voters: voters)
    } else {
      // They learn first; whoever leads by then makes them vote. As many as are too many may leave then.
      var joining: [NodeID] = []
      for _ in 0..<min(outside.count, 1 + random.below(2)) { joining.append(outside.remove(at: random.below(outside.count))) }
      guard !joining.isEmpty else { return false }
      target = Membership(voters: voters, learners: joining)
    }
    note("shard \(shard): \(membership) to become \(target)")
    _ = host.process?.replica.changeMembership(to: target, at: broker.clock(now), into: &output)
    do throws(Problem) { try takeOutput(of: broker, shard) } catch { problem = problem ?? error }
    return true
  }
}
