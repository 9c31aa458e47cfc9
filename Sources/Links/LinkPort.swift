public import Core
public import Reactor
public import Sealing
public import Wire

/// Everything that goes through a node's cluster port over TCP: links to other nodes, and streams of the gossip.
///
/// ```
///   connect(to:at:) ─▶ Dial ─▶ LinkConnection ─ handshake ─ hello ─▶ linked ─ received(message) ─▶ host
///   accepted ────────────────▶      │   ▲                               └──── answer ◀──────────── host
///   send(to:) ──▶ lanes ──▶ sealed ─┘   └─ backoff ◀─ silence, farewell, end
/// ```
///
/// Every node dials those it needs. On a link it dialled it asks, and hears answers; so between two nodes that need each
/// other there are two connections, one each way, and nothing to be settled about who keeps which.
///
/// The node's reactor calls in: `accepted`, `ready`, `expired`, then `flush` at the end of a turn.
public final class LinkPort {
  /// Kinds of poll tokens and timers that are the port's.
  public static let kinds: ClosedRange<UInt8> = 11...13
  static let connectionKind: UInt8 = 11
  static let dialTimer: UInt8 = 12
  static let readingTimer: UInt8 = 13

  public let settings: LinkSettings
  let secret: ClusterSecret
  let loop: any LoopControl
  unowned let host: any LinkHost
  /// 32 fresh bytes of the operating system's randomness.
  let random: () -> [UInt8]
  /// Who answers questions of the gossip.
  weak var gossip: (any GossipStreams)?

  var admission: LinkAdmission
  var connections = SlotTable<LinkConnection>()
  /// Connections of those who have not said who they are, oldest first.
  var strangers: [SlotKey] = []
  /// The one link of each node that dialled this one.
  var incoming: [NodeID: SlotKey] = [:]
  var dials = SlotTable<Dial>()
  var dialOfNode: [NodeID: SlotKey] = [:]
  /// To be written at the end of this turn.
  var listed: [LinkConnection] = []
  var answering = 0
  var isClosing = false
  var counts = LinkCounters()
  var throttle: FactThrottle
  var generator: SeededGenerator
  /// What is read before it is opened; of use only within one call.
  var input = ByteBuffer(capacity: LinkBounds.readBytes)

  /// `random` gives 32 fresh bytes of the operating system's randomness with every call.
  public init(
    settings: LinkSettings, secret: ClusterSecret, own: NodeHello, loop: any LoopControl, host: any LinkHost,
    random: @escaping () -> [UInt8]
  ) {
    self.settings = settings
    self.secret = secret
    self.loop = loop
    self.host = host
    self.random = random
    admission = LinkAdmission(own: own)
    throttle = FactThrottle(period: settings.factPeriod)
    generator = SeededGenerator(seed: random().withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
  }

  var now: Instant { loop.now }

  /// What this node says of itself on new links.
  public var own: NodeHello {
    get { admission.own }
    set { admission.own = newValue }
  }

  /// Takes no more links from others; those that are stay.
  public var isDraining: Bool {
    get { admission.isDraining }
    set { admission.isDraining = newValue }
  }

  /// Identities that are never admitted again.
  public func setRemoved(_ nodes: [NodeID]) { admission.setRemoved(nodes) }

  /// Which incarnation of a node is the newest, as far as is known from elsewhere.
  public func learn(_ node: NodeID, incarnation: UInt64) { admission.learn(node, incarnation: incarnation) }

  public var counters: LinkCounters {
    var counters = counts
    counters.wire = admission.counters
    return counters
  }

  /// Sockets that are open, those that are about to close among them.
  public var connectionCount: Int { connections.count }

  // MARK: Events of the loop

  public func ready(_ token: PollToken, _ readiness: Readiness) {
    guard let connection = connections[token.slot] else { return }
    if connection.phase == .connecting { return finishConnecting(connection, readiness) }
    if readiness.contains(.writable), connection.isBlocked {
      connection.isBlocked = false
      list(connection)
    }
    if readiness.contains(.peerFinished) || readiness.contains(.hangup) { connection.endIsInSight = true }
    if readiness.contains(.readable) || connection.endIsInSight { read(connection) }
    if readiness.contains(.error), !connection.isClosed { ended(connection) }
  }

  public func expired(_ timer: TimerKey) {
    let token = PollToken(rawValue: timer.rawValue)
    switch token.kind {
    case Self.connectionKind:
      if let connection = connections[token.slot] { timeIsUp(connection) }
    case Self.dialTimer:
      if let dial = dials[token.slot] {
        dial.timer = .none
        attempt(dial)
      }
    case Self.readingTimer:
      if let connection = connections[token.slot] {
        connection.isReadLater = false
        read(connection)
      }
    default:
      break
    }
  }

  // MARK: Sending

  /// Sends on the link that this node dialled. False if there is none or its lane is full: nothing of it is kept.
  public func send(_ message: NodeMessage, to node: NodeID) -> Bool {
    guard let key = dialOfNode[node], let link = dials[key]?.connection, let connection = connections[link],
      connection.phase == .linked
    else { return false }
    guard connection.channel!.queued(message.lane) < settings.bound(of: message.lane) else {
      counts.overflows += 1
      return false
    }
    return queue(message, on: connection)
  }

  /// Answers where a question came from. False if it is gone; one whose lane is full is closed, because it does not read,
  /// and resumes where it was when it does.
  @discardableResult
  public func answer(_ message: NodeMessage, on id: ConnectionID) -> Bool {
    guard let connection = connections[id.key], connection.phase == .linked else { return false }
    guard connection.channel!.queued(message.lane) < settings.bound(of: message.lane) else {
      counts.overflows += 1
      if connection.isAccepted { closeSlow(connection) }
      return false
    }
    return queue(message, on: connection)
  }

  /// Whether `send` has a link to this node.
  public func isLinked(to node: NodeID) -> Bool {
    guard let key = dialOfNode[node], let link = dials[key]?.connection else { return false }
    return connections[link]?.phase == .linked
  }

  /// Queues behind what waits in the message's lane.
  @discardableResult
  func queue(_ message: NodeMessage, on connection: LinkConnection) -> Bool {
    do throws(WireRefusal) {
      try connection.channel!.append(message, limit: settings.frameLimit)
    } catch {
      counts.unwritable += 1
      tell(
        .unwritable, connection,
        "a message of the kind \(message.kind) for \(name(of: connection)) could not be written (\(error)) and was not sent: nothing that clients may send leads to this, report it")
      return false
    }
    counts.messagesSent += 1
    list(connection)
    return true
  }

  // MARK: Telling

  func tell(_ kind: LinkFact.Kind, _ connection: LinkConnection, _ text: @autoclosure () -> String) {
    guard throttle.admits(kind, connection.factAddress, at: now) else { return }
    host.linkFact(
      LinkFact(kind: kind, address: connection.address, node: connection.hello?.node ?? connection.dial?.node, text: text()))
  }

  /// For people.
  func name(of connection: LinkConnection) -> String {
    guard let node = connection.hello?.node ?? connection.dial?.node else { return "\(connection.address)" }
    return "node \(node) at \(connection.address)"
  }
}

/// The part of the gossip that goes over streams.
protocol GossipStreams: AnyObject {
  /// What to answer; nil refuses.
  func asked(_ request: Bytes, ticket: UInt64, from address: SocketAddress) -> Bytes?
  /// The answer to a question of this node's, or why there is none.
  func answered(_ ticket: UInt64, _ answer: Result<Bytes, GossipStreamProblem>)
}

/// Why a question of the gossip has no answer, in words.
struct GossipStreamProblem: Error {
  let text: String
}
