import Core

@testable import Raft

/// A cluster of five whose every step is drawn from a seed, checked as it goes.
final class Exploration {
  struct Envelope {
    var from: Int
    var to: Int
    var message: RaftMessage
  }

  static let size = 5
  /// More are not kept on their way: the oldest are lost.
  private static let networkLimit = 400

  var random: SeededGenerator
  var mix: FaultMix
  let ledger = Ledger()
  private(set) var nodes: [TestNode] = []
  var network: [Envelope] = []
  /// `blocked[from * size + to]`
  var blocked: [Bool]
  var pausedUntil: [Instant]
  /// Until then the disk finishes nothing.
  var stalledUntil: [Instant]
  /// What is to happen at a step to come.
  private var coming: [(step: Int, happens: (Exploration) -> Void)] = []
  /// The leader that nobody hears.
  var muted: Int?
  private var buffer = ByteBuffer()
  /// Whether a promise made too early is a violation at once, or only when it is broken and something comes of it.
  var watchesPromises = true
  var clock = Instant.zero
  var proposed = 0
  private(set) var steps = 0
  /// Stands for everything that happened, in order.
  private(set) var traceHash: UInt64 = 0
  private(set) var leaderships = 0
  var restarts = 0

  /// Is told what happens, step by step, for whoever has to find out why.
  var teller: ((String) -> Void)?

  func tell(_ line: @autoclosure () -> String) {
    if let teller { teller("\(steps) \(clock.nanoseconds / 1_000_000)ms \(line())") }
  }

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
    coming = []
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
    if let place = coming.firstIndex(where: { $0.step <= steps }) { return coming.remove(at: place).happens(self) }
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
    if falls(mix.plots) { return plot() }
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

  func isAwake(_ index: Int) -> Bool { nodes[index].isUp && pausedUntil[index] <= clock }

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
    tell("\(envelope.from + 1)→\(envelope.to + 1) \(envelope.message.words)")
    node.machine.receive(envelope.message, from: nodes[envelope.from].id, at: clock, into: &node.output)
    collect(envelope.to)
  }

  /// Draws the consequences of one event at one node.
  func collect(_ index: Int) {
    let node = nodes[index]
    while true {
      node.askDisk()
      let output = node.output
      guard !output.isEmpty else { return }
      node.output.removeAll()
      ledger.check(facts: output.facts, at: node.id)
      for fact in output.facts { tell("  \(index + 1) \(fact.words)") }
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
    if case .snapshotInstalled(let mark) = fact { applied[index] = max(applied[index], mark.state) }
    guard case .becameLeader(let term, _) = fact else { return }
    leaderships += 1
    strike(newLeader: index)
    note(term)
    ledger.check(leader: nodes[index].id, term: term, log: nodes[index].disk.cached)
    // One elected late in an earlier term than the holder's commits nothing.
    for other in nodes.indices
    where other != index && nodes[other].isUp && nodes[other].machine.term < term && nodes[other].machine.leaseholds(at: clock) {
      ledger.fail("lease: \(nodes[other].id.short) holds one while \(nodes[index].id.short) is elected in term \(term)")
    }
  }

  /// What this process told before needs no second look.
  var checked = [Offset](repeating: .zero, count: Exploration.size)
  /// What the state machine has: the entries, and the snapshot it began with.
  var applied = [Offset](repeating: .zero, count: Exploration.size)

  private func commit(_ offset: Offset, at index: Int) {
    note(offset.value)
    tell("  \(index + 1) commits up to \(offset)")
    let node = nodes[index]
    if applied[index] < node.disk.cached.base.offset {
      ledger.fail("\(node.id.short) passes over entries \(applied[index].next) to \(node.disk.cached.base.offset)")
    }
    ledger.check(committed: offset, after: checked[index], log: node.disk.cached, at: node.id, term: node.machine.term)
    checked[index] = offset
    applied[index] = max(applied[index], offset)
  }

  /// Sent as bytes, so that the trace is what would have been on the wire.
  private func post(_ message: RaftMessage, from: Int, to node: NodeID) {
    if watchesPromises { ledger.check(promise: message, disk: nodes[from].disk, at: nodes[from].id) }
    if network.count >= Exploration.networkLimit { network.removeFirst(Exploration.networkLimit / 4) }
    buffer.removeAll()
    message.encode(into: &buffer)
    note(UInt64(buffer.withUnsafeBytes { CRC32C.of($0) }))
    network.append(Envelope(from: from, to: Int(node.value) - 1, message: message))
  }

  func later(_ count: Int, _ happens: @escaping (Exploration) -> Void) { coming.append((steps + count, happens)) }

  func note(_ value: UInt64) { traceHash = StableHash.mixed(traceHash, value) }
}
