internal import Core
internal import Feeds
internal import Journal
internal import Raft
internal import Replica

/// One shard on one broker: the replica that production runs, and its disk.
final class Host {
  var disk = SimulatedDisk()
  var process: ShardProcess?
  /// Handed to the disk and not done, oldest first.
  var batches: [DiskBatch] = []
  var reads: [ReplicaRead] = []
  var diskFreeAt = Instant.zero
  /// The newest committed offset that the replica told since it was opened.
  var committed = Offset.zero
  /// Damage was found, or done and maybe not found.
  var isDamaged = false
  /// The journal gave up: the process has to be started anew.
  var isDead = false
  /// It was there once.
  var isBorn = false

  func query<Value>(_ question: (borrowing ShardReplica) -> Value) -> Value? {
    guard let process else { return nil }
    return question(process.replica)
  }
}

/// A replica as long as its process runs.
final class ShardProcess {
  var replica: ShardReplica
  init(_ replica: consuming ShardReplica) { self.replica = replica }
}

/// A broker: its clock, its process, its shards.
final class SimulatedBroker {
  let index: Int
  let node: NodeID
  var hosts: [Host]
  var isUp = false
  /// Counts starts: what was on its way to an earlier process does not reach this one.
  var incarnation: Int32 = 0
  /// Stopped, as by a debugger, until then.
  var pausedUntil: Instant?
  /// What happened to it while it was stopped.
  var missed: [Event] = []
  /// Parts per million by which its clock is fast.
  var drift: Int64 = 0
  var wallOffset: Int64 = 0
  /// How slow its disk is, in tenths.
  var diskTenths = 10
  var diskStalledUntil = Instant.zero

  /// Milliseconds that a clock is wrong by at most.
  static let farthestClock: Int64 = 60_000

  init(index: Int, shards: Int) {
    self.index = index
    node = NodeID(UInt64(index + 1))
    hosts = (0..<shards).map { _ in Host() }
  }

  /// The time as this broker's clock has it; never goes back.
  func clock(_ now: Instant) -> Instant { Instant(nanoseconds: now.nanoseconds + now.nanoseconds / 1_000_000 * drift) }

  func wall(_ now: Instant) -> WallTime { WallTime(milliseconds: 1_700_000_000_000 + now.nanoseconds / 1_000_000 + wallOffset) }
}

extension SimulatedCluster {
  func replicaSettings(_ broker: SimulatedBroker, _ shard: Int) -> ReplicaSettings {
    var settings = ReplicaSettings(shard: ShardID(shard), node: broker.node)
    settings.members = broker.index < plan.replicas ? founders : Membership(voters: [])
    settings.tellsCommits = true
    settings.faults = plan.replicaFaults
    settings.raft.faults = plan.raftFaults
    settings.retention = plan.retention
    settings.snapshotEveryEntries = plan.snapshotEveryEntries
    settings.smallestSnapshotEveryBytes = 4 << 10
    settings.recentTailBytes = plan.tailBytes
    settings.raft.tailBytes = plan.tailBytes
    settings.raft.maximumAppendBytes = plan.appendBytes
    settings.raft.snapshotChunkBytes = plan.chunkBytes
    settings.readChunkBytes = 4 << 10
    settings.snapshotBytesPerTick = 16 << 10
    return settings
  }

  func journalSettings(isBorn: Bool) -> JournalSettings {
    var settings = JournalSettings()
    settings.mayBeNew = !isBorn
    settings.faults = plan.journalFaults
    settings.segmentBytes = 32 << 10
    settings.firstReserveBytes = 4 << 10
    settings.largestReserveBytes = 8 << 10
    settings.indexSpacingBytes = 1 << 10
    settings.indexSaveBytes = 8 << 10
    settings.scanBytes = 8 << 10
    return settings
  }

  func start(_ broker: SimulatedBroker) throws(Problem) {
    guard !broker.isUp else { return }
    broker.isUp = true
    broker.incarnation += 1
    note("broker \(broker.index) starts")
    for (shard, host) in broker.hosts.enumerated() {
      host.diskFreeAt = now
      host.isDead = false
      do throws(ReplicaOpenError) {
        host.process = ShardProcess(
          try ShardReplica.open(
            replicaSettings(broker, shard), journal: journalSettings(isBorn: host.isBorn), disk: &host.disk, seed: random.next(),
            at: broker.clock(now), into: &output))
      } catch {
        if case .disk(let problem) = error, problem.kind == .noSpace || problem.kind == .failed {
          host.isDead = true
          note("broker \(broker.index) cannot open shard \(shard): \(problem)")
          continue
        }
        throw Problem("broker \(broker.index) cannot open shard \(shard): \(error)")
      }
      host.isBorn = host.isBorn || !host.disk.isUnborn
      host.committed = host.query { $0.committed } ?? .zero
      try takeOutput(of: broker, shard)
    }
    queue.add(.brokerTick, at: now + .milliseconds(random.below(50)), target: broker.index, slot: Int(broker.incarnation))
  }

  /// The process ends at once; with the power, what the disk had not synced is gone too.
  func stop(_ broker: SimulatedBroker, losesPower: Bool) {
    guard broker.isUp else { return }
    broker.isUp = false
    broker.pausedUntil = nil
    broker.missed.removeAll()
    note("broker \(broker.index) \(losesPower ? "loses power" : "is killed")")
    for host in broker.hosts {
      host.process = nil
      crash(host, losesPower: losesPower)
      host.batches.removeAll()
      host.reads.removeAll()
    }
    breakLinks(of: broker.index)
  }

  /// The disk was in the middle of something: some of it is done.
  private func crash(_ host: Host, losesPower: Bool) {
    var operations: [DiskOperation] = []
    for batch in host.batches { operations += batch.operations }
    var unsynced: [DiskOperation] = []
    let end = operations.isEmpty ? 0 : random.below(operations.count + 1)
    for operation in operations.prefix(end) {
      if case .sync = operation {
        unsynced.append(operation)
        if random.below(3) == 0 { continue }
      }
      // An operation that waits for everything before it to be durable proves that it is.
      if operation.isBarrier {
        for sync in unsynced { if !tryPerform(sync, host) { return finish(host, losesPower) } }
        unsynced.removeAll()
      }
      if !tryPerform(operation, host) { break }
    }
    finish(host, losesPower)
  }

  private func finish(_ host: Host, _ losesPower: Bool) { if losesPower { host.disk.losePower(&random) } }

  private func tryPerform(_ operation: DiskOperation, _ host: Host) -> Bool {
    do throws(DiskError) {
      try host.disk.perform(operation)
      return true
    } catch { return false }
  }

  // Turns ----------------------------------------------------------------------------------------------

  /// Ends a replica's turn and sees to what it wants.
  func endTurn(of broker: SimulatedBroker, _ shard: Int) throws(Problem) {
    broker.hosts[shard].process?.replica.turnEnds(at: broker.clock(now), wall: broker.wall(now), into: &output)
    try takeOutput(of: broker, shard)
  }

  func takeOutput(of broker: SimulatedBroker, _ shard: Int) throws(Problem) {
    let host = broker.hosts[shard]
    for bytes in output.commits { try ledger.committed(bytes, shard: shard, by: broker.index) }
    for batch in output.disk.batches { submit(batch, broker, shard) }
    for read in output.reads {
      host.reads.append(read)
      queue.add(.readDone, at: now + readDelay(broker), target: broker.index * plan.shards + shard, slot: Int(broker.incarnation))
    }
    for addressed in output.messages { try send(addressed.message, from: broker.index, to: Int(addressed.to.value) - 1, shard) }
    for fact in output.facts { try take(fact, broker, shard) }
    var replies = output.replies
    let notices = output.notices
    output.removeAll()
    while !replies.isEmpty {
      let edge = replies[0].edge
      try deliver(replies.filter { $0.edge == edge }.map(\.reply), to: edge, from: broker.index)
      replies.removeAll { $0.edge == edge }
    }
    // The edge beside it, in the same process where there is one.
    let beside = edges[broker.index % plan.edges]
    if !notices.isEmpty, beside.isUp {
      for notice in notices { take(notice, beside) }
      try flush(beside)
    }
    guard let committed = host.query({ $0.committed }) else { return }
    if committed < host.committed, !host.isDamaged {
      throw Problem("broker \(broker.index) took back what it had committed of shard \(shard): \(host.committed), now \(committed)")
    }
    host.committed = committed
  }

  private func take(_ fact: ReplicaFact, _ broker: SimulatedBroker, _ shard: Int) throws(Problem) {
    let host = broker.hosts[shard]
    note("broker \(broker.index) shard \(shard): \(fact)")
    switch fact {
    case .leads(let term): try ledger.serves(broker.index, shard: shard, term: term)
    case .damaged(let reason):
      guard broker.isCursed(plan) || host.isDamaged else {
        throw Problem("broker \(broker.index) takes shard \(shard) for damaged, and nothing damaged it: \(reason)")
      }
      host.isDamaged = true
      report.damageFound += 1
    case .repaired:
      host.isDamaged = false
      report.repaired += 1
    case .journalFailed: host.isDead = true
    case .diverged(let offset, let node):
      throw Problem("broker \(broker.index) and \(node) contradict each other at \(shard).\(offset)")
    default: break
    }
  }

  // The disk -------------------------------------------------------------------------------------------

  private func submit(_ batch: DiskBatch, _ broker: SimulatedBroker, _ shard: Int) {
    let host = broker.hosts[shard]
    host.batches.append(batch)
    let microseconds = (200 + random.below(600)) * broker.diskTenths / 10
    host.diskFreeAt = max(max(host.diskFreeAt, now), broker.diskStalledUntil) + TimeSpan(nanoseconds: Int64(microseconds) * 1000)
    queue.add(.diskDone, at: host.diskFreeAt, target: broker.index * plan.shards + shard, slot: Int(broker.incarnation))
  }

  private func readDelay(_ broker: SimulatedBroker) -> TimeSpan {
    TimeSpan(nanoseconds: Int64((100 + random.below(500)) * broker.diskTenths / 10) * 1000)
  }

  func diskDone(_ event: Event) throws(Problem) {
    let broker = brokers[Int(event.target) / plan.shards]
    let shard = Int(event.target) % plan.shards
    let host = broker.hosts[shard]
    guard broker.incarnation == event.slot, !host.batches.isEmpty else { return }
    let batch = host.batches.removeFirst()
    var failure: DiskError?
    if host.isDead { failure = DiskError(.failed, operation: "write", code: 5) }
    for operation in batch.operations where failure == nil {
      do throws(DiskError) { try host.disk.perform(operation) } catch { failure = error }
    }
    // Cut short by the disk, a log that was being forgotten is neither the old one nor the new one.
    if failure != nil, batch.forgetsTheLog { host.isDamaged = true }
    guard host.isUp else { return }
    if let failure {
      host.process?.replica.failed(batch.ticket, failure, at: broker.clock(now), into: &output)
    } else {
      host.process?.replica.completed(batch.ticket, at: broker.clock(now), into: &output)
    }
    try takeOutput(of: broker, shard)
  }

  func readDone(_ event: Event) throws(Problem) {
    let broker = brokers[Int(event.target) / plan.shards]
    let shard = Int(event.target) % plan.shards
    let host = broker.hosts[shard]
    guard broker.incarnation == event.slot, !host.reads.isEmpty else { return }
    let read = host.reads.removeFirst()
    var buffer = ByteBuffer()
    var result: Result<Bytes, DiskError>
    do throws(DiskError) {
      try host.disk.read(read.plan.file, at: read.plan.position, count: read.plan.length, into: &buffer)
      result = .success(buffer.freeze())
    } catch { result = .failure(error) }
    host.process?.replica.readCompleted(read.ticket, result, at: broker.clock(now), wall: broker.wall(now), into: &output)
    try takeOutput(of: broker, shard)
  }

  func tick(_ broker: SimulatedBroker) throws(Problem) {
    if plan.earlyDeathPercent > 0, !isHealing, strikesEarly(broker) { return }
    for shard in broker.hosts.indices {
      broker.hosts[shard].process?.replica.tick(at: broker.clock(now), wall: broker.wall(now), into: &output)
      try endTurn(of: broker, shard)
    }
    queue.add(.brokerTick, at: now + .milliseconds(plan.tickMilliseconds), target: broker.index, slot: Int(broker.incarnation))
  }
}

extension Host {
  var isUp: Bool { process != nil }
}

extension SimulatedBroker {
  /// Its disk may do what disks should not.
  func isCursed(_ plan: SimulationPlan) -> Bool { plan.cursed.contains(index) }
}

extension DiskBatch {
  /// Only a restart writes term and vote among other things.
  fileprivate var forgetsTheLog: Bool {
    operations.count > 1 && operations.contains { if case .replace(.hardState, _, _) = $0 { true } else { false } }
  }
}
