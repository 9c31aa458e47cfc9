public import Core
public import Feeds
internal import Glibc
internal import HTTP
internal import MQTT
public import Reactor
internal import Sessions
internal import WebSocket

/// The edge's part of one reactor: its connections, what they follow, and their questions to the shards.
///
/// ```
///   accept ─▶ Connection ─▶ HTTPSession ──publish──▶ PublishBatch ─┐
///                │   ▲                                             │ requests, once a turn
///                │   └─ answers ◀── receive(reply) ◀── shards ◀────┘
///                └─ follows ─▶ Reader (catches up) ─▶ Audience (keeps up) ◀── Fanout ◀── pushes
/// ```
///
/// The node's reactor calls in: `accepted`, `ready`, `expired`, `receive`, then `flushRequests` and
/// `flushOutput` at the end of a turn. Everything here lives on that one thread.
public final class EdgeReactor {
  /// Kinds of poll tokens and timers that are the edge's.
  public static let connectionKind: UInt8 = 1
  static let connectionTimer: UInt8 = 1
  static let audienceTimer: UInt8 = 2
  static let departureTimer: UInt8 = 5
  static let presenceTimer: UInt8 = 8
  static let sessionTimer: UInt8 = 9

  public let edge: EdgeID
  public let settings: EdgeSettings
  /// For records whose publisher gave no key, where they may have to be sent twice.
  var retryKey: RetryKey?
  let loop: any LoopControl
  /// Sends a request to the shard's owner, wherever that is.
  let ask: (ShardID, ShardRequest) -> Void
  /// What only the whole node can answer: status and metrics.
  let nodePages: any NodePages

  let fanout: Fanout
  let presence: PresenceDesk
  let sharing = SharedGroups()
  let inflater = Inflater()
  /// For whatever is put together before its length must be told; never kept across calls.
  var scratch = ByteBuffer(capacity: 4096)
  let httpLimits: HTTPLimits
  var connections = SlotTable<Connection>()
  /// To be written at the end of this turn.
  var listed: [Connection] = []
  /// To be read again in the next turn.
  var unread: [SlotKey] = []
  /// Readers to go on with at the end of this turn.
  var pumpable: [SlotKey] = []
  var batches: [PublishBatch?]
  var gathers = SlotTable<BatchGather>()
  /// Followers whose durable consumers are acknowledged as they are written to.
  var consumerConnections: [SlotKey] = []
  /// Followers of the node's status.
  var statusFollowers: [SlotKey] = []
  var counters = EdgeCounters()
  var generator: SeededGenerator
  var isDraining = false
  /// Who is sent off when, while draining.
  var departures: [(Instant, SlotKey)] = []
  private var questionNumber: UInt32 = 0
  var dateCache = DateCache()
  var sharedReads = SharedReads()
  /// What readers asked and others had been told already, for the next turn.
  var sharedAnswers: [ReadReply] = []

  /// What channels say, and what they last wrote to single clients, by version, and with its position.
  var mqttOutput = MQTTChannelOutput()
  var mqttRendered = [MQTTRendered(.v311), MQTTRendered(.v5), MQTTRendered(.v5)]
  var sessionHouse: MQTTSessionHouse<SlotKey>
  /// Of this reactor's clients; `mqttTotals` has the rest.
  var mqttTraffic = MQTTTraffic()
  /// Who is told of the node itself, on `$SYS/…`.
  var system: SystemDesk
  /// Who is connected under which name.
  var mqttClients: [Bytes: SlotKey] = [:]

  let readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: EdgeReactor.readBufferSize, alignment: 64)
  static let readBufferSize = 128 << 10
  /// Reads of one connection in one turn, so that a fast sender does not keep others waiting.
  static let readsPerTurn = 8

  public init(
    edge: EdgeID, settings: EdgeSettings, loop: any LoopControl, seed: UInt64, nodePages: any NodePages,
    ask: @escaping (ShardID, ShardRequest) -> Void
  ) {
    self.edge = edge
    self.settings = settings
    self.loop = loop
    self.ask = ask
    self.nodePages = nodePages
    fanout = Fanout(edge: edge, cluster: settings.cluster, shardCount: settings.shardCount, limits: settings.fanout)
    presence = PresenceDesk(shards: settings.shardCount, source: EdgeReactor.presenceSource(seed))
    system = SystemDesk(at: loop.now)
    httpLimits = HTTPLimits(body: settings.maximumMessage)
    batches = [PublishBatch?](repeating: nil, count: settings.shardCount)
    generator = SeededGenerator(seed: seed)
    sessionHouse = MQTTSessionHouse(owner: SessionOwner(high: generator.next(), low: generator.next()), shards: settings.shardCount)
    if settings.givesKeys { retryKey = RetryKey(edge: generator.next()) }
    scheduleAudienceCare()
  }

  /// A number of its own, drawn apart from what the rest draws.
  private static func presenceSource(_ seed: UInt64) -> UInt64 {
    var generator = SeededGenerator(seed: ~seed)
    return generator.next()
  }

  deinit { readBuffer.deallocate() }

  var now: Instant { loop.now }

  // MARK: Events of the loop

  public func ready(_ token: PollToken, _ readiness: Readiness) {
    guard let connection = connections[token.slot] else { return }
    if readiness.contains(.writable), connection.isBlocked {
      connection.isBlocked = false
      write(connection)
    }
    if readiness.contains(.peerFinished) || readiness.contains(.hangup) { connection.endIsInSight = true }
    if readiness.contains(.readable) || connection.endIsInSight {
      if !connection.isClosed { read(connection) }
      // Nobody is left to wait. A client that only finished sending still waits for its answer.
      if readiness.contains(.hangup), !connection.isClosed, case .http(let session) = connection.role, session.waitsForEvents {
        close(connection)
      }
    }
    if readiness.contains(.error), !connection.isClosed { close(connection) }
  }

  public func expired(_ timer: TimerKey) {
    switch PollToken(rawValue: timer.rawValue).kind {
    case Self.connectionTimer:
      if let connection = connections[PollToken(rawValue: timer.rawValue).slot] { connectionTimerFired(connection) }
    case Self.audienceTimer:
      careForAudiences()
    case Self.departureTimer:
      careForDepartures()
    case Self.presenceTimer:
      careForPresence()
    case Self.sessionTimer:
      careForSessions()
    default:
      break
    }
  }

  /// An answer or a push of a shard.
  public func receive(_ reply: ShardReply) {
    switch reply {
    case .push(let push):
      counters.pushes += 1
      guard fanout.feeds[push.shard.index].admits(push) else { break }
      deliver(push)
    case .published(let shard, let results):
      for result in results { published(shard, result) }
    case .read(let reply):
      if goesOnCatchingUp(reply) { break }
      take(reply)
    case .interest(let reply):
      if fanout.feeds[reply.shard.index].live(reply) { pumpReadersWaiting(on: reply.shard) } else { endCatchingUp(reply.shard) }
    case .feedEnded(let shard, _):
      fanout.feeds[shard.index].reopen()
    case .history(let reply):
      answerHistory(reply)
    case .consumer(let reply):
      answerConsumer(reply)
    case .presence(let reply):
      receive(reply)
    case .presencePush(let push):
      receive(push)
    case .session(let reply):
      receive(reply)
    case .sessionNotice(let notice):
      receive(notice)
    case .group(let reply):
      receive(reply)
    }
  }

  /// Sends the shards what gathered in this turn. Called before the shards' own end of turn.
  public func flushRequests() {
    takeSharedAnswers()
    pumpReaders()
    flushShares()
    saveSessions()
    for index in batches.indices {
      if let batch = batches[index] {
        batches[index] = nil
        ask(ShardID(index), .publish(batch))
      }
    }
    for index in fanout.feeds.indices {
      while let change = fanout.feeds[index].change(for: edge) { ask(ShardID(index), .interest(change)) }
      if let read = fanout.feeds[index].catchUp(for: edge, maximumBytes: RequestLimits.readBytes) { ask(ShardID(index), .read(read)) }
    }
    if presence.isStirred {
      for (shard, request) in presence.requests(at: now, from: edge) { ask(shard, .presence(request)) }
    }
  }

  /// Whether a turn's end has more to ask of the shards: readers that were woken by what the shards answered.
  public var hasRequests: Bool {
    !pumpable.isEmpty || sharing.isStirred || !sharedAnswers.isEmpty || !fanout.woken.isEmpty || !sessionHouse.owing.isEmpty || presence.isStirred
      || fanout.feeds.contains(where: \.wantsCatchUp)
  }

  /// Numbers questions of connections; what comes back with an older number is not waited for any more.
  func nextSequence() -> UInt32 {
    questionNumber = (questionNumber + 1) & TicketParts.sequenceMask
    return questionNumber
  }

  /// Writes what this turn brought: answers first, so that publishers go on while followers are served.
  public func flushOutput() {
    writeListed()
    answerWaiters()
    flushFollowers()
    writeListed()
    if !unread.isEmpty {
      let again = unread
      unread.removeAll(keepingCapacity: true)
      for key in again { if let connection = connections[key], !connection.isClosed { read(connection) } }
    }
    if !unread.isEmpty || !listed.isEmpty || hasRequests || hasBatches { loop.wakeImmediately() }
  }

  private var hasBatches: Bool { batches.contains { $0 != nil } }

  private func flushFollowers() {
    guard !fanout.dirty.isEmpty else { return }
    var budget = settings.fanout.writesPerTurn
    let isDone = fanout.flush(budget: &budget, wallTime: loop.wallTime) { event in
      switch event {
      case .stalled(let audience, let index): stall(audience, index)
      case .fellBehind(let key): if let connection = connections[key] { fallBehind(connection) }
      case .broke(let key): if let connection = connections[key] { close(connection) }
      }
    }
    if !isDone { loop.wakeImmediately() }
  }

  func connection(of ticket: Ticket) -> Connection? {
    guard let key = TicketParts(ticket).slot(in: connections) else { return nil }
    return connections[key]
  }
}

/// How a ticket names a connection and one of its questions: 20 bits of slot, 20 of generation, 23 of sequence,
/// and a top bit that is set when the ticket names an item of a batch instead.
struct TicketParts {
  static let sequenceMask: UInt32 = 0x7f_ffff
  static let batchBit: UInt64 = 1 << 63

  let value: UInt64

  init(_ ticket: Ticket) { value = ticket.value }

  // The slot is counted from one, so that no question's ticket is 0: that one means that nobody waits.

  static func make(_ key: SlotKey, _ sequence: UInt32) -> Ticket {
    Ticket(UInt64((key.index + 1) & 0xf_ffff) << 43 | UInt64(key.generation & 0xf_ffff) << 23 | UInt64(sequence & sequenceMask))
  }

  /// A batch's slot, counted from one (20 bits), generation (23) and item (20).
  static func make(batch key: SlotKey, item: Int) -> Ticket {
    Ticket(batchBit | UInt64((key.index + 1) & 0xf_ffff) << 43 | UInt64(key.generation & 0x7f_ffff) << 20 | UInt64(item & 0xf_ffff))
  }

  var isBatch: Bool { value & Self.batchBit != 0 }
  var sequence: UInt32 { UInt32(truncatingIfNeeded: value) & Self.sequenceMask }
  var index: UInt32 { (UInt32(truncatingIfNeeded: value >> 43) & 0xf_ffff) &- 1 }
  var item: Int { Int(value & 0xf_ffff) }

  func slot(in table: borrowing SlotTable<Connection>) -> SlotKey? {
    guard let current = table.key(at: index) else { return nil }
    return current.generation & 0xf_ffff == UInt32(truncatingIfNeeded: value >> 23) & 0xf_ffff ? current : nil
  }

  func slot(in table: borrowing SlotTable<BatchGather>) -> SlotKey? {
    guard let current = table.key(at: index) else { return nil }
    return current.generation & 0x7f_ffff == UInt32(truncatingIfNeeded: value >> 20) & 0x7f_ffff ? current : nil
  }
}

/// Pages that need the whole node: other reactors, the shards. Answered through `EdgeReactor.answerPage`.
public protocol NodePages: AnyObject {
  func status(for page: PageTicket)
  func metrics(for page: PageTicket)
  /// Answered by `tellSystem`.
  func system(at edge: EdgeID)
  /// Answered by `answerWish`.
  func wish(_ wish: NodeWish, of node: String, for page: PageTicket)
  /// Why the node cannot serve; nil if it can.
  var unreadiness: String? { get }
  /// The node takes no new work: told on `/readyz`.
  var isDraining: Bool { get }
}

/// Who asked for a page.
public struct PageTicket: Sendable {
  public var edge: EdgeID
  public var ticket: Ticket

  public init(edge: EdgeID, ticket: Ticket) {
    self.edge = edge
    self.ticket = ticket
  }
}

/// What one edge reactor has counted since it started. Plain numbers; the node's shell reads them.
public struct EdgeCounters: Sendable {
  public var accepted = 0
  public var refused = 0
  public var requests = 0
  public var published = 0
  public var publishErrors = 0
  public var pushes = 0
  public var gaps = 0
  public var fellBehind = 0
  public var reads = 0
  public var cacheReads = 0
  /// Reads that an equal one of another follower answered.
  public var sharedReads = 0
  public var protocolErrors = 0
  /// Messages written to one reader alone, by `Transport`.
  public var catchUpEvents = [Int](repeating: 0, count: Transport.allCases.count)

  public init() {}
}
