public import Core
public import Disks
public import Feeds
internal import Journal
internal import Raft
public import Placement
public import Replica

/// Hosts the shards assigned to one reactor: hands them requests and completions, and carries out what they want.
///
/// ```
/// mailbox ──▶ receive ──▶ replicas ──▶ turnEnds ──▶ journal thread, read thread, edges
/// ```
///
/// Lives on its reactor's thread. `open` → any number of turns (`receive`…, `turnEnds`) and ticks → `close` →
/// turns and ticks until `isClosed`.
public final class BrokerReactor {
  private let shards: [ShardID]
  let store: BrokerStore
  let settings: BrokerSettings
  let postToSelf: @Sendable (BrokerMail) -> Void
  private let postToEdge: (EdgeID, [ShardReply]) -> Void
  private let postToPeer: (NodeID, ShardID, ReplicaMessage) -> Void
  let postOrder: (NodeID, ShardID, PlacementOrder) -> Void
  let onFact: (ShardID, ReplicaFact) -> Void
  var hosted: [HostedShard] = []
  /// By shard number; nil where the shard is another reactor's.
  var byNumber: [HostedShard?] = []
  /// Those that had something to do in this turn.
  var dirty: [HostedShard] = []
  private var outbox: [(edge: EdgeID, replies: [ShardReply])] = []
  var output = ReplicaOutput()
  let journals: JournalGroup
  /// What this turn's shards want of their journals.
  private var wanted: [JournalBatches] = []
  private let seed: UInt64
  var isClosing = false
  /// What becomes of replicas here while the node runs; called on this reactor's thread.
  public var onMove: (ShardID, ShardMove) -> Void = { _, _ in }
  /// Given up, and not gone from the disk yet.
  var leaving: Set<ShardID> = []

  /// - Parameters:
  ///   - shards: those this reactor owns.
  ///   - postToSelf: puts mail into this reactor's own mailbox; called on disk threads.
  ///   - postToEdge: called on this reactor's thread, at most once per edge and turn.
  ///   - postToPeer: called on this reactor's thread, in order for each peer.
  ///   - postOrder: the same, of what placement wants.
  ///   - onFact: called on this reactor's thread.
  public init(
    shards: [ShardID], store: BrokerStore, settings: BrokerSettings, seed: UInt64,
    postToSelf: @escaping @Sendable (BrokerMail) -> Void,
    postToEdge: @escaping (EdgeID, [ShardReply]) -> Void,
    postToPeer: @escaping (NodeID, ShardID, ReplicaMessage) -> Void,
    postOrder: @escaping (NodeID, ShardID, PlacementOrder) -> Void,
    onFact: @escaping (ShardID, ReplicaFact) -> Void
  ) {
    self.shards = shards
    self.store = store
    self.settings = settings
    self.seed = seed
    self.postToSelf = postToSelf
    self.postToEdge = postToEdge
    self.postToPeer = postToPeer
    self.postOrder = postOrder
    self.onFact = onFact
    journals = store.journals.group { answers in postToSelf(.written(answers)) }
  }

  /// Opens all shards, one after another; reactors open theirs in parallel. Before the first mail.
  public func open(at now: Instant) throws(BrokerError) {
    for id in shards { host(try open(id, at: now)) }
  }

  func host(_ shard: HostedShard) {
    hosted.append(shard)
    while byNumber.count <= shard.id.index { byNumber.append(nil) }
    byNumber[shard.id.index] = shard
    takeOutput(of: shard)
  }

  func open(_ id: ShardID, isNewHere: Bool = false, at now: Instant) throws(BrokerError) -> HostedShard {
    let directory: DirectoryHandle
    do throws(DataDirectoryError) {
      directory = try store.directory.shard(id)
    } catch { throw .directory(error) }
    var disk = RealDisk(directory: directory, durability: store.durability)
    var replicaSettings = ReplicaSettings(shard: id, node: store.directory.identity.node)
    replicaSettings.waitsForDisk = store.durability == .fsync
    replicaSettings.retention = settings.retention
    replicaSettings.recentTailBytes = settings.recentTailBytes
    if let holders = settings.holders {
      replicaSettings.members = Membership(voters: isNewHere ? [] : holders(id))
    } else {
      replicaSettings.presenceSettling = .zero
    }
    replicaSettings.mayHaveGrown = settings.holders != nil
    var journal = settings.journal
    if isNewHere { journal.mayBeNew = true }
    let replica: ShardReplica
    do throws(ReplicaOpenError) {
      replica = try ShardReplica.open(replicaSettings, journal: journal, disk: &disk, seed: seed ^ UInt64(id.value), at: now, into: &output)
    } catch { throw .shard(id, error) }
    journals.attach(directory, as: id.index)
    return HostedShard(id: id, replica: replica, directory: directory)
  }

  public func receive(_ mail: BrokerMail, at now: Instant, wall: WallTime) {
    switch mail {
    case .request(let id, let request):
      guard let shard = shard(id) else { return refuse(request, of: id) }
      shard.replica.receive(request, at: now, wall: wall, into: &output)
      takeOutput(of: shard)
    case .message(let id, let node, let message):
      guard let shard = shard(id) ?? newMember(id, hearing: message, at: now) else { return }
      shard.replica.receive(message, from: node, at: now, into: &output)
      takeOutput(of: shard)
    case .order(let id, let order): carryOut(order, of: id, at: now)
    case .removed(let id, let problem):
      leaving.remove(id)
      if let problem { onMove(id, .trouble("\(problem)")) }
    case .forget(let edges):
      for shard in hosted { for edge in edges { shard.replica.forget(edge) } }
    case .written(let journals):
      for each in journals { take(each, at: now) }
    case .readDone(let id, let ticket, let result):
      guard let shard = shard(id) else { return }
      shard.replica.readCompleted(ticket, result, at: now, wall: wall, into: &output)
      takeOutput(of: shard)
    }
  }

  private func take(_ written: JournalAnswers, at now: Instant) {
    guard let shard = byNumber[written.journal] else { return }
    shard.outstanding -= written.answers.count
    for answer in written.answers {
      if let error = answer.error {
        shard.replica.failed(answer.ticket, error, at: now, into: &output)
      } else {
        shard.replica.completed(answer.ticket, at: now, into: &output)
      }
    }
    takeOutput(of: shard)
  }

  /// Hands out what gathered in this turn: one submission to the journal thread, per edge one post.
  public func turnEnds(at now: Instant, wall: WallTime) {
    for shard in dirty {
      shard.replica.turnEnds(at: now, wall: wall, into: &output)
      takeOutput(of: shard)
      submit(shard)
      shard.isDirty = false
    }
    dirty.removeAll(keepingCapacity: true)
    journals.submit(wanted)
    wanted.removeAll(keepingCapacity: true)
    for (edge, replies) in outbox { postToEdge(edge, replies) }
    outbox.removeAll(keepingCapacity: true)
  }

  /// Every 50 to 100 ms; `turnEnds` follows in the same turn.
  public func tick(at now: Instant, wall: WallTime) {
    for shard in hosted {
      shard.replica.tick(at: now, wall: wall, into: &output)
      takeOutput(of: shard)
    }
  }

  /// Hands leadership of everything here to others; it takes a few turns.
  public func handOver(at now: Instant) {
    for shard in hosted {
      guard shard.replica.status.isServing else { continue }
      _ = shard.replica.transferLeadership(at: now, into: &output)
      takeOutput(of: shard)
    }
  }

  /// Begins an orderly end: snapshots, everything durable. Ticks drive it; `isClosed` says when it is done.
  public func close(at now: Instant, wall: WallTime) {
    isClosing = true
    for shard in hosted {
      shard.replica.close(at: now, wall: wall, into: &output)
      takeOutput(of: shard)
    }
  }

  public var isClosed: Bool { isClosing && hosted.allSatisfy { $0.hasClosed && $0.outstanding == 0 && $0.batches.isEmpty } }

  public var statuses: [ReplicaStatus] { hosted.map { $0.replica.status } }

  func shard(_ id: ShardID) -> HostedShard? { id.index < byNumber.count ? byNumber[id.index] : nil }

  func takeOutput(of shard: HostedShard) {
    if !shard.isDirty {
      shard.isDirty = true
      dirty.append(shard)
    }
    shard.batches.append(contentsOf: output.disk.batches)
    shard.reads.append(contentsOf: output.reads)
    for addressed in output.replies { add(addressed.reply, for: addressed.edge) }
    for notice in output.notices { add(.sessionNotice(notice), for: settings.ownEdge) }
    for addressed in output.messages { postToPeer(addressed.to, shard.id, addressed.message) }
    for fact in output.facts {
      if fact == .closed { shard.hasClosed = true }
      onFact(shard.id, fact)
    }
    output.removeAll()
  }

  /// The shard is not here; whoever holds it knows who leads it.
  private func refuse(_ request: ShardRequest, of id: ShardID) {
    add(request.refused(.notLeader(nil), by: id), for: request.edge)
  }

  private func add(_ reply: ShardReply, for edge: EdgeID) {
    if let index = outbox.firstIndex(where: { $0.edge == edge }) {
      outbox[index].replies.append(reply)
    } else {
      outbox.append((edge, [reply]))
    }
  }

  private func submit(_ shard: HostedShard) {
    if !shard.batches.isEmpty {
      shard.outstanding += shard.batches.count
      wanted.append(JournalBatches(journal: shard.id.index, batches: shard.batches))
      shard.batches.removeAll()
    }
    let post = postToSelf
    let id = shard.id
    for read in shard.reads {
      let ticket = read.ticket
      store.readers.read(read.plan, in: shard.directory) { result in post(.readDone(id, ticket, result)) }
    }
    shard.reads.removeAll(keepingCapacity: true)
  }
}

/// Why a node cannot serve its shards.
public enum BrokerError: Error, Sendable, CustomStringConvertible {
  case directory(DataDirectoryError)
  case shard(ShardID, ReplicaOpenError)

  public var description: String {
    switch self {
    case .directory(let error): "\(error)"
    case .shard(let id, let error): "shard \(id): \(error)"
    }
  }
}
