import Core

@testable import Raft

/// Which faults a run has, and how many: each seed picks its own mix.
struct FaultMix {
  /// In a thousand messages.
  var loss = 0
  var duplication = 0
  /// How far from the front of a queue the next message may be taken.
  var reordering = 1
  /// In ten thousand steps.
  var powerCuts = 0
  var kills = 0
  var partitions = 0
  var pauses = 0
  var diskStalls = 0
  /// Of a hundred new leaders, so many lose power or the network soon.
  var earlyDeaths = 0
  var membershipChanges = 0
  var transfers = 0
  var snapshots = 0
  var proposals = 20
  /// Of a hundred events of the disk or the network, so many are the disk's.
  var diskShare = 30
  /// A step takes up to so many microseconds.
  var stepMicroseconds = 2000

  init() {}

  init(_ random: inout SeededGenerator) {
    func some(_ most: Int, _ random: inout SeededGenerator) -> Int { random.below(2) == 0 ? 0 : random.below(most + 1) }
    loss = some(50, &random)
    duplication = some(100, &random)
    reordering = 1 + some(30, &random)
    let calm = [1, 2, 5][random.below(3)]
    powerCuts = some(60 / calm, &random)
    kills = some(60 / calm, &random)
    partitions = some(60 / calm, &random)
    pauses = some(60 / calm, &random)
    diskStalls = some(60 / calm, &random)
    membershipChanges = some(40, &random)
    transfers = some(30, &random)
    snapshots = some(60, &random)
    if random.below(2) == 0 {
      // A storm: little is proposed, and leaders come and go.
      powerCuts = 20 + random.below(60)
      kills = random.below(60)
      partitions = 20 + random.below(100)
      diskStalls = random.below(60)
      snapshots = 0
      earlyDeaths = 50
      duplication = 0
      membershipChanges = random.below(2) * 60
    }
    proposals = [20, 60, 200, 600][random.below(4)]
    diskShare = random.below(2) == 0 ? 1 + random.below(10) : 10 + random.below(40)
    stepMicroseconds = 1000 + random.below(3000)
  }
}

/// A cluster of five whose every step is drawn from a seed, checked as it goes.
final class Exploration {
  private struct Envelope {
    var from: Int
    var to: Int
    var message: RaftMessage
  }

  static let size = 5
  /// More are not kept on their way: the oldest are lost.
  private static let networkLimit = 400

  private var random: SeededGenerator
  private var mix: FaultMix
  let ledger = Ledger()
  private(set) var nodes: [TestNode] = []
  private var network: [Envelope] = []
  /// `blocked[from * size + to]`
  private var blocked: [Bool]
  private var pausedUntil: [Instant]
  /// Until then the disk finishes nothing.
  private var stalledUntil: [Instant]
  /// Losses of power that are coming.
  private var doomed: [(index: Int, step: Int)] = []
  private var clock = Instant.zero
  private var proposed = 0
  private(set) var steps = 0
  /// Stands for everything that happened, in order.
  private(set) var traceHash: UInt64 = 0
  private(set) var leaderships = 0
  private(set) var restarts = 0

  init(seed: UInt64, faults: RaftFaults = [], mix chosen: FaultMix? = nil) {
    random = SeededGenerator(seed: seed)
    mix = chosen ?? FaultMix(&random)
    blocked = [Bool](repeating: false, count: Exploration.size * Exploration.size)
    pausedUntil = [Instant](repeating: .zero, count: Exploration.size)
    stalledUntil = pausedUntil
    let ids = (1...Exploration.size).map { NodeID(UInt64($0)) }
    let voters = random.below(2) == 0 ? 3 : Exploration.size
    let membership = Membership(voters: Array(ids.prefix(voters)), learners: Array(ids.dropFirst(voters)))
    // Small numbers make rare meetings likely; every replica of a group has the same.
    let appendBytes = [60, 60, 120, 300][random.below(4)]
    let heartbeat = 50 + random.below(50)
    let electionMinimum = heartbeat * (2 + random.below(3))
    let electionMaximum = electionMinimum + 50 + random.below(300)
    for id in ids {
      let node = TestNode(id, membership: membership, seed: random.next(), ledger: ledger) { settings in
        settings.faults = faults
        settings.maximumAppendBytes = appendBytes
        settings.heartbeatEvery = .milliseconds(heartbeat)
        settings.electionMinimum = .milliseconds(electionMinimum)
        settings.electionMaximum = .milliseconds(electionMaximum)
        settings.leaseMargin = .milliseconds(heartbeat / 4)
      }
      node.isDiskSlow = true
      nodes.append(node)
      node.start(at: clock)
    }
  }

  var committed: Int { ledger.committed.count }

  /// Runs so many steps, or until something is violated.
  func run(steps count: Int) {
    let end = steps + count
    while steps < end, ledger.violations.isEmpty { step() }
  }

  /// Ends all faults and runs until everything proposed at the end is applied everywhere; false if that takes too long.
  func heal() -> Bool {
    mix = FaultMix()
    doomed = []
    for index in blocked.indices { blocked[index] = false }
    for index in nodes.indices {
      pausedUntil[index] = clock
      stalledUntil[index] = clock
      if !nodes[index].isUp { restart(index) }
    }
    let limit = clock + .seconds(60)
    while clock < limit, ledger.violations.isEmpty {
      for _ in 0..<200 where ledger.violations.isEmpty { step() }
      if isCalm { return true }
    }
    return false
  }

  /// One leader, and every member has and has applied all that it has.
  private var isCalm: Bool {
    guard let leading = nodes.indices.first(where: { nodes[$0].machine.role == .leader && nodes[$0].machine.hasQuorum(at: clock) })
    else { return false }
    let end = nodes[leading].machine.committed
    let membership = nodes[leading].machine.membership
    guard !membership.isJoint, end.value > 0 else { return false }
    let members = nodes.filter { membership.contains($0.id) }
    return members.allSatisfy { $0.machine.committed.value + 20 >= end.value && $0.machine.leader == nodes[leading].id }
      && nodes[leading].machine.last.value <= end.value + 40
  }

  private func step() {
    steps += 1
    clock = clock + TimeSpan(nanoseconds: Int64(random.below(mix.stepMicroseconds)) * 1000)
    if let place = doomed.firstIndex(where: { $0.step <= steps }) {
      let index = doomed.remove(at: place).index
      if nodes[index].isUp { return random.below(3) == 0 ? isolate(index) : losePower(index) }
    }
    let draw = random.below(10_000)
    if draw < mix.proposals { return propose() }
    var bound = mix.proposals
    func falls(_ weight: Int) -> Bool {
      bound += weight
      return draw < bound
    }
    if falls(mix.powerCuts + mix.kills + mix.partitions), someLeader() == nil, random.below(4) != 0 {
      // Nothing is learned from a cluster that never comes to anything.
      return mend()
    }
    bound = mix.proposals
    if falls(mix.powerCuts) { return strike { losePower($0) } }
    if falls(mix.kills) { return strike { kill($0) } }
    if falls(mix.partitions) { return partition() }
    if falls(mix.pauses) { return strike { pausedUntil[$0] = clock + .milliseconds(random.below(2000)) } }
    if falls(mix.diskStalls) { return strike { stalledUntil[$0] = clock + .milliseconds(random.below(3000)) } }
    if falls(mix.membershipChanges) { return changeMembership() }
    if falls(mix.transfers) { return transfer() }
    if falls(mix.snapshots) { return takeSnapshot(random.below(nodes.count)) }
    if falls(mix.powerCuts + mix.kills > 0 ? 150 : 0) { return restartOne() }
    if falls(600) { return tick() }
    if random.below(100) < mix.diskShare || network.isEmpty {
      if !disk() { tick() }
    } else {
      deliver()
    }
  }

  private func tick() {
    for index in nodes.indices where isAwake(index) {
      nodes[index].machine.tick(at: clock, into: &nodes[index].output)
      collect(index)
    }
  }

  private func isAwake(_ index: Int) -> Bool { nodes[index].isUp && pausedUntil[index] <= clock }

  /// Lets one disk do something; false if none has anything to do.
  private func disk() -> Bool {
    let first = random.below(nodes.count)
    for index in (0..<nodes.count).map({ (first + $0) % nodes.count }) {
      let node = nodes[index]
      guard node.isUp, !node.disk.isIdle, stalledUntil[index] <= clock else { continue }
      // Term and vote, and the log, are written beside each other.
      let isHardState = node.disk.logQueue.isEmpty || (!node.disk.hardStateQueue.isEmpty && random.below(2) == 0)
      if isHardState { node.completeHardState(at: clock) } else { node.completeLog(at: clock) }
      collect(index)
      return true
    }
    return false
  }

  private func deliver() {
    let place = random.below(min(network.count, mix.reordering))
    let envelope = network[place]
    if random.below(1000) >= mix.duplication { network.remove(at: place) }
    guard random.below(1000) >= mix.loss, !blocked[envelope.from * Exploration.size + envelope.to], isAwake(envelope.to) else { return }
    let node = nodes[envelope.to]
    note(UInt64(envelope.from * 16 + envelope.to))
    node.machine.receive(envelope.message, from: nodes[envelope.from].id, at: clock, into: &node.output)
    collect(envelope.to)
  }

  /// Draws the consequences of one event at one node.
  private func collect(_ index: Int) {
    let node = nodes[index]
    while true {
      node.askDisk()
      let output = node.output
      guard !output.isEmpty else { return }
      node.output.removeAll()
      ledger.check(facts: output.facts, at: node.id)
      for fact in output.facts { consider(fact, at: index) }
      if let offset = output.committed { commit(offset, at: index) }
      for message in output.messages { post(message.message, from: index, to: message.to) }
      for beat in output.heartbeats { post(.heartbeat(beat.heartbeat), from: index, to: beat.to) }
      for reply in output.heartbeatReplies { post(.heartbeatReply(reply.reply), from: index, to: reply.to) }
      for fetch in output.fetches { node.machine.fetched(fetch, node.fetch(fetch), at: clock, into: &node.output) }
      for read in output.snapshotReads {
        let answer = node.read(read)
        node.machine.snapshotRead(read, answer?.bytes, isLast: answer?.isLast ?? false, at: clock, into: &node.output)
      }
      if output.facts.contains(where: { if case .snapshotWanted = $0 { true } else { false } }) { takeSnapshot(index) }
    }
  }

  private func consider(_ fact: RaftFact, at index: Int) {
    guard case .becameLeader(let term, _) = fact else { return }
    leaderships += 1
    if random.below(100) < mix.earlyDeaths { doomed.append((index, steps + random.below(40))) }
    note(term)
    ledger.check(leader: nodes[index].id, term: term, log: nodes[index].disk.cached)
    for other in nodes.indices where other != index && nodes[other].isUp && nodes[other].machine.leaseholds(at: clock) {
      ledger.fail("lease: \(nodes[other].id.short) holds one while \(nodes[index].id.short) is elected in term \(term)")
    }
  }

  private var applied = [Offset](repeating: .zero, count: Exploration.size)

  private func commit(_ offset: Offset, at index: Int) {
    note(offset.value)
    let node = nodes[index]
    // What this process told before needs no second look.
    ledger.check(committed: offset, after: applied[index], log: node.disk.cached, at: node.id, term: node.machine.term)
    applied[index] = offset
  }

  private func post(_ message: RaftMessage, from: Int, to node: NodeID) {
    if network.count >= Exploration.networkLimit { network.removeFirst(Exploration.networkLimit / 4) }
    note(message.digest)
    network.append(Envelope(from: from, to: Int(node.value) - 1, message: message))
  }

  private func note(_ value: UInt64) { traceHash = StableHash.mixed(traceHash, value) }
}

extension Exploration {
  private func propose() {
    guard let index = someLeader() else { return }
    let node = nodes[index]
    let count = 1 + random.below(4)
    let payloads = (0..<count).map { _ in
      proposed += 1
      return "\(proposed)"
    }
    let entries = TestNode.entries(payloads, from: node.machine.last.next, term: node.machine.term)
    _ = node.machine.propose(entries, at: clock, into: &node.output)
    collect(index)
  }

  /// Any that believes that it leads.
  private func someLeader() -> Int? {
    let leaders = nodes.indices.filter { isAwake($0) && nodes[$0].machine.role == .leader }
    return leaders.isEmpty ? nil : leaders[random.below(leaders.count)]
  }

  /// Lets something happen to one node, to one that leads, or to about half of them at once.
  private func strike(_ fault: (Int) -> Void) {
    switch random.below(4) {
    case 0: if let leader = someLeader() { fault(leader) }
    case 1: for index in nodes.indices where random.below(2) == 0 { fault(index) }
    default: fault(random.below(nodes.count))
    }
  }

  private func losePower(_ index: Int) {
    guard nodes[index].isUp else { return }
    nodes[index].stop()
    nodes[index].disk.losePower(&random)
    // What it said last may not have left it.
    if random.below(2) == 0 { network.removeAll { $0.from == index } }
    note(1)
  }

  private func kill(_ index: Int) {
    guard nodes[index].isUp else { return }
    nodes[index].stop()
    nodes[index].disk.loseProcess()
    note(2)
    guard random.below(3) == 0 else { return }
    // What ended the process may end the machine too, a little later, when another process already runs.
    stalledUntil[index] = clock + .milliseconds(1000)
    doomed.append((index, steps + 20 + random.below(400)))
    if random.below(2) == 0 { restart(index) }
  }

  private func restartOne() {
    let down = nodes.indices.filter { !nodes[$0].isUp }
    if !down.isEmpty { restart(down[random.below(down.count)]) }
  }

  private func restart(_ index: Int) {
    restarts += 1
    applied[index] = .zero
    nodes[index].start(at: clock)
    collect(index)
  }

  /// Ends what stands in the way of an election.
  private func mend() {
    for index in nodes.indices where random.below(3) != 0 {
      for other in nodes.indices {
        blocked[index * Exploration.size + other] = false
        blocked[other * Exploration.size + index] = false
      }
      pausedUntil[index] = clock
      stalledUntil[index] = clock
      if !nodes[index].isUp { restart(index) }
    }
  }

  private func partition() {
    for link in blocked.indices { blocked[link] = false }
    switch random.below(4) {
    case 0: break
    case 1:
      // Two sides.
      let side = random.next()
      for from in nodes.indices {
        for to in nodes.indices where side >> from & 1 != side >> to & 1 { blocked[from * Exploration.size + to] = true }
      }
    case 2: isolate(random.below(nodes.count))
    default:
      for link in blocked.indices { blocked[link] = random.below(3) == 0 }
    }
  }

  /// One node hears nobody, or nobody hears it, or both.
  private func isolate(_ alone: Int) {
    let manner = random.below(3)
    for other in nodes.indices {
      if manner != 0 { blocked[alone * Exploration.size + other] = true }
      if manner != 1 { blocked[other * Exploration.size + alone] = true }
    }
  }

  private func changeMembership() {
    guard let index = someLeader() else { return }
    var ids = nodes.map(\.id)
    for place in ids.indices.dropLast() { ids.swapAt(place, place + random.below(ids.count - place)) }
    let voters = 2 + random.below(4)
    let learners = random.below(ids.count - voters + 1)
    let target = Membership(voters: Array(ids.prefix(voters)), learners: Array(ids.dropFirst(voters).prefix(learners)))
    _ = nodes[index].machine.changeMembership(to: target, at: clock, into: &nodes[index].output)
    collect(index)
  }

  private func transfer() {
    guard let index = someLeader() else { return }
    let target = random.below(2) == 0 ? nil : nodes[random.below(nodes.count)].id
    _ = nodes[index].machine.transferLeadership(to: target, at: clock, into: &nodes[index].output)
    collect(index)
  }

  private func takeSnapshot(_ index: Int) {
    let node = nodes[index]
    guard node.isUp, node.disk.isIdle else { return }
    let cached = node.disk.cached
    let state = min(node.machine.committed, node.machine.durable)
    guard state > cached.base.offset, state >= (cached.snapshot?.state ?? .zero) else { return }
    // The log keeps some of its past, or none.
    let base = Offset(state.value - UInt64(random.below(Int(state.value - cached.base.offset.value) + 1)))
    let term = node.machine.term(at: base)!
    let mark = SnapshotMark(state: state, base: LogPosition(offset: base, term: term), membership: node.disk.membership(at: base))
    node.disk.keepSnapshot(mark)
    node.machine.snapshotTaken(state)
    node.machine.compacted(upTo: base)
  }
}

extension RaftMessage {
  /// Few bits of every message, for the hash of a trace.
  var digest: UInt64 {
    switch self {
    case .preVote(let request): request.term << 4 | 1
    case .preVoteReply(let reply): reply.term << 4 | 2
    case .vote(let request): request.term << 4 | 3
    case .voteReply(let reply): reply.term << 5 | (reply.isGranted ? 16 : 0) | 4
    case .append(let append): append.previous.offset.value << 24 ^ UInt64(append.entries.count) << 4 | 5
    case .appendReply(let reply): reply.durable.value << 24 ^ reply.received.value << 4 | 6
    case .appendRejection(let rejection): rejection.hint.offset.value << 4 | 7
    case .snapshotChunk(let chunk): UInt64(chunk.position) << 4 | 8
    case .snapshotReply(let reply): UInt64(reply.received) << 4 | 9
    case .heartbeat(let heartbeat): heartbeat.committed.value << 4 | 10
    case .heartbeatReply(let reply): reply.received.value << 4 | 11
    case .timeoutNow(let term): term << 4 | 12
    }
  }
}
