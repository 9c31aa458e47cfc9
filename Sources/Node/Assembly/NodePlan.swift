internal import Broker
internal import Core
internal import Disks
internal import Edge
internal import Journal
internal import Reactor
internal import Replica
internal import Synchronization

/// What every reactor of the node is told at its start, and shares with the others.
final class NodePlan: Sendable {
  let configuration: NodeConfiguration
  let node: NodeID
  let cluster: ClusterID
  let shardCount: Int
  let reactors: Int
  let seed: UInt64
  /// nil on a node that owns no shards.
  let store: BrokerStore?
  let broker: BrokerSettings
  let edge: EdgeSettings
  let listeners: ListenerShelf
  let board = NodeBoard()
  let log: Log
  /// Where clients reach the node, as bound.
  let httpAddress: String
  let started: Instant
  /// nil for a node that is alone by what it was told.
  let clusterPlan: ClusterPlan?
  /// Whether it belongs to a cluster; what it says of shards means nothing before.
  let isBorn: Bool
  let replicas: Int
  /// Which shards lie here; nil where all do.
  private let holdings: Holdings?

  init(
    configuration: NodeConfiguration, node: NodeID, cluster: ClusterID, shardCount: Int, seed: UInt64, store: BrokerStore?,
    broker: BrokerSettings, edge: EdgeSettings, listeners: ListenerShelf, log: Log, httpAddress: String, started: Instant,
    clusterPlan: ClusterPlan? = nil, isBorn: Bool = true, replicas: Int = 1, holdings: Holdings? = nil
  ) {
    self.clusterPlan = clusterPlan
    self.isBorn = isBorn
    self.replicas = replicas
    self.holdings = holdings
    self.configuration = configuration
    self.node = node
    self.cluster = cluster
    self.shardCount = shardCount
    reactors = configuration.reactors
    self.seed = seed
    self.store = store
    self.broker = broker
    self.edge = edge
    self.listeners = listeners
    self.log = log
    self.httpAddress = httpAddress
    self.started = started
  }

  /// The reactor that owns a shard.
  func owner(of shard: ShardID) -> Int { shard.index % reactors }

  /// Whether this node has a replica of the shard.
  func holds(_ shard: ShardID) -> Bool { holdings?.contains(shard) ?? true }

  var hasShards: Bool { store != nil && isBorn }

  /// Puts into the log what became of a replica here.
  func tell(_ shard: ShardID, _ move: ShardMove) {
    let number = LogValue(Int(shard.value))
    switch move {
    case .taken: log.info("shard-taken", "this node begins a replica of the shard and learns it from the leader", ["shard": number])
    case .givenUp: log.info("shard-given-up", "other nodes hold the shard now; this node deletes its replica", ["shard": number])
    case .trouble(let why): log.error("shard-move", "a replica cannot be begun or deleted here", ["shard": number, "error": LogValue(why)])
    }
  }

  /// Puts a shard's fact into the log, in words for the operator.
  func tell(_ shard: ShardID, _ fact: ReplicaFact) {
    let number = LogValue(Int(shard.value))
    switch fact {
    case .opened(let verdict, let first, let committed):
      let range: KeyValuePairs<String, LogValue> = [
        "shard": number, "first": LogValue(Int(first.value)), "committed": LogValue(Int(committed.value)), "found": LogValue("\(verdict)"),
      ]
      switch verdict {
      case .fresh, .clean: log.debug("shard-opened", "the log is whole", range)
      case .tornTail: log.warning("torn-tail", "the last write before the crash never finished; it was cut off, nothing acknowledged is lost", range)
      case .corrupt: log.error("corrupt", "the log is damaged; the shard does not serve what may be missing", range)
      }
    case .journalFailed(let why):
      board.refuses(shard, why)
      log.error("journal-failed", "the disk failed; the shard refuses publishes until the node is started anew", ["shard": number, "error": LogValue(why)])
    case .damaged(let why):
      // Where others hold the shard too they serve it, and this replica is learned anew from them.
      if clusterPlan == nil || replicas == 1 { board.refuses(shard, why) }
      log.error("damaged", "part of the log cannot be read", ["shard": number, "error": LogValue(why)])
    case .full:
      board.refuses(shard, "the disk is full")
      log.error("disk-full", "the disk is full; publishes are refused until there is space", ["shard": number])
    case .roomAgain:
      board.refuses(shard, nil)
      log.info("disk-has-room", "publishing goes on", ["shard": number])
    case .snapshotWritten(let offset): log.debug("snapshot", nil, ["shard": number, "offset": LogValue(Int(offset.value))])
    case .snapshotRefused(let offset): log.warning("snapshot-refused", "a snapshot could not be written; it is tried again", ["shard": number, "offset": LogValue(Int(offset.value))])
    case .trimmed(let first): log.debug("trimmed", nil, ["shard": number, "first": LogValue(Int(first.value))])
    case .leads(let term): log.debug("leads", "this node serves the shard", ["shard": number, "term": LogValue(Int(term))])
    case .leadsNoMore(let term): log.info(
        "leads-no-more", "this node does not serve the shard any more: another one is to lead it, or no majority answers", ["shard": number, "term": LogValue(Int(term))])
    case .leaderChanged, .membershipChanged: break
    case .snapshotInstalled(let offset):
      log.info("snapshot-installed", "the shard was far behind and has its leader's state", ["shard": number, "offset": LogValue(Int(offset.value))])
    case .relearns:
      log.warning("relearns", "the damaged log is wiped; the shard is learned anew from the other nodes", ["shard": number])
    case .repaired: log.info("repaired", "the shard is whole again and votes", ["shard": number])
    case .diverged(let offset, let node):
      log.error(
        "diverged", "another node sent what cannot be if both disks kept what they were given; see both nodes' logs",
        ["shard": number, "offset": LogValue(Int(offset.value)), "from": LogValue(node)])
    case .closed: break
    }
  }
}

/// Where clients are let in, and what they speak there.
struct ClientListener: Sendable {
  let listener: TCPListener
  let speaksMQTT: Bool
}

/// Listeners claimed before the reactors exist, each taken by its own.
final class ListenerShelf: Sendable {
  private let perReactor: Mutex<[[ClientListener]]>

  init(_ perReactor: [[ClientListener]]) { self.perReactor = Mutex(perReactor) }

  func take(_ reactor: Int) -> [ClientListener] {
    perReactor.withLock { shelves in
      guard reactor < shelves.count else { return [] }
      defer { shelves[reactor] = [] }
      return shelves[reactor]
    }
  }
}

/// Where the reactors and the main thread see how far each other are. Off every hot path.
final class NodeBoard: Sendable {
  private struct State {
    var mailboxes: [Int: Mailbox<NodeMail>] = [:]
    var opened = 0
    var ended = 0
    var idle: Set<Int> = []
    var refusals: [ShardID: String] = [:]
    var failure: String?
    var finding: ClusterFinding?
    var peers = PeerView()
    var birthStatus = "It is looking for other nodes."
    var clockTrouble: String?
  }

  private let state = Mutex(State())
  private let draining = Atomic<Bool>(false)
  private let ending = Atomic<Bool>(false)
  private let left = Atomic<Bool>(false)
  private let stirrings = Atomic<UInt64>(0)
  private let news = Atomic<UInt64>(0)

  func register(_ mailbox: Mailbox<NodeMail>, at index: Int) { state.withLock { $0.mailboxes[index] = mailbox } }
  func mailbox(at index: Int) -> Mailbox<NodeMail>? { state.withLock { $0.mailboxes[index] } }
  func opened() { state.withLock { $0.opened += 1 } }
  func ended() { state.withLock { $0.ended += 1 } }
  func failed(_ why: String) { state.withLock { if $0.failure == nil { $0.failure = why } } }

  /// The cluster that this node, which had none, belongs to now.
  func found(_ finding: ClusterFinding) { state.withLock { if $0.finding == nil { $0.finding = finding } } }
  var finding: ClusterFinding? { state.withLock { $0.finding } }

  func set(_ peers: PeerView) { state.withLock { $0.peers = peers } }
  var peers: PeerView { state.withLock { $0.peers } }

  /// What a node without a cluster waits for, as a sentence.
  var birthStatus: String { state.withLock { $0.birthStatus } }
  func waits(for status: String) { state.withLock { $0.birthStatus = status } }

  /// What is wrong with this machine's clock, as a sentence.
  var clockTrouble: String? { state.withLock { $0.clockTrouble } }
  func tells(ofTheClock trouble: String?) { state.withLock { $0.clockTrouble = trouble } }

  /// Whether a reactor of a node that ends has no client left.
  func idle(_ isIdle: Bool, at index: Int) { state.withLock { if isIdle { $0.idle.insert(index) } else { $0.idle.remove(index) } } }
  var idleCount: Int { state.withLock { $0.idle.count } }

  /// Why a shard of whatever reactor refuses publishes; nil when it takes them again.
  func refuses(_ shard: ShardID, _ why: String?) { state.withLock { $0.refusals[shard] = why } }

  /// Why some shards refuse publishes, in order; empty when none does.
  var refusals: [String] {
    state.withLock { state in state.refusals.sorted { $0.key < $1.key }.map { "shard \($0.key): \($0.value)" } }
  }

  var openedCount: Int { state.withLock { $0.opened } }
  var endedCount: Int { state.withLock { $0.ended } }
  var failure: String? { state.withLock { $0.failure } }

  var isDraining: Bool { draining.load(ordering: .relaxed) }
  func beginDraining() {
    ending.store(true, ordering: .relaxed)
    draining.store(true, ordering: .relaxed)
    // Whoever was idle before says so anew: clients may have come since.
    state.withLock { $0.idle.removeAll() }
    stir()
  }

  /// As operators want it; a node that ends drains whatever they want.
  func setDraining(_ isDraining: Bool) {
    guard !isEnding else { return }
    draining.store(isDraining, ordering: .relaxed)
    stir()
  }

  /// The process was told to end.
  var isEnding: Bool { ending.load(ordering: .relaxed) }

  /// The node was told to leave and holds nothing any more.
  func hasLeft() { left.store(true, ordering: .relaxed) }
  var isGone: Bool { left.load(ordering: .relaxed) }

  /// Something happened that others should hear of before the second is over: a leader moved, a node died.
  func stir() { stirrings.add(1, ordering: .relaxed) }
  var stirringCount: UInt64 { stirrings.load(ordering: .relaxed) }

  /// The status tells of it now.
  func tellNews() { news.add(1, ordering: .relaxed) }
  var newsCount: UInt64 { news.load(ordering: .relaxed) }
}
