public import Core
public import Feeds

/// What one reactor has under way with the shards that keep sessions, and for whom. `Connection` is what it knows its clients by.
public struct MQTTSessionHouse<Connection: Hashable & Sendable> {
  public enum Call {
    case open(Connection, ShardID, SessionOpening)
    /// For the connection that had drawn this number for its opening.
    case save(Connection, UInt64)
    /// Asked again until it is answered: a session that nobody let go of stays taken for as long as this node lives.
    case close(ShardID, SessionClosing)
    case alive(ShardID)
    case claim(ShardID)
    /// A due will on its way to its topic; the number is the shard's.
    case will(ShardID, UInt64)
    /// The shard forgets a will that was published.
    case forgetWill
  }

  public struct Lane {
    public var sessions = 0
    /// The leader's term when the owner's claims were made last.
    var term: UInt64?
    /// When the leader last answered a sign of life.
    var answeredAt = Instant.zero
    public var isAsking = false
    public var nextLifeSign = Instant.zero
  }

  /// Tickets of sessions' questions are apart from all others of this edge.
  private static var tickets: UInt64 { 1 << 40 }
  /// Between two looks at what is to be done.
  public static var period: TimeSpan { .milliseconds(100) }
  /// Before a closing that was refused is asked for again.
  static var closeAgain: TimeSpan { .seconds(1) }
  /// Unheard for longer than this an owner may have been given up: less than the leader's patience, which began a little earlier.
  static var doubt: TimeSpan { TimeSpan(nanoseconds: SessionLimits.silence.nanoseconds / 2) }
  /// Closings that wait to be asked again; past it the oldest is left to the shard, which finds it out in time.
  static var closingsMost: Int { 100_000 }

  public let owner: SessionOwner
  private var calls: [UInt64: Call] = [:]
  private var lastTicket: UInt64 = 0
  public var lanes: [Lane]
  /// With something to be saved before it is sent.
  public private(set) var owing: [Connection] = []
  /// With something to be saved soon, each once.
  public private(set) var moved: [Connection] = []
  private var closings: [(at: Instant, shard: ShardID, closing: SessionClosing)] = []
  /// When sessions that only stand somewhere else are saved next.
  public var idleSweep = Instant.zero
  public var isTicking = false

  public init(owner: SessionOwner, shards: Int) {
    self.owner = owner
    lanes = [Lane](repeating: Lane(), count: shards)
  }

  public mutating func ticket(for call: Call) -> Ticket {
    lastTicket += 1
    calls[lastTicket] = call
    return Ticket(MQTTSessionHouse.tickets | lastTicket)
  }

  public mutating func answered(_ ticket: Ticket) -> Call? {
    guard MQTTSessionHouse.owns(ticket) else { return nil }
    return calls.removeValue(forKey: ticket.value & (MQTTSessionHouse.tickets - 1))
  }

  /// The session is to be saved at the end of this turn.
  public mutating func listOwing(_ connection: Connection) { owing.append(connection) }

  public mutating func takeOwing() -> [Connection] {
    defer { owing.removeAll(keepingCapacity: true) }
    return owing
  }

  /// The session is to be saved soon.
  public mutating func listMoved(_ connection: Connection, _ keeping: MQTTKeeping) {
    guard !keeping.isListed else { return }
    keeping.isListed = true
    moved.append(connection)
  }

  /// Those of `moved` that are to be saved now. Whoever was saved within `pause` waits; whoever has nothing left to save, or is no
  /// more, is listed no more.
  public mutating func takeDue(at now: Instant, every pause: TimeSpan, _ keeping: (Connection) -> MQTTKeeping?) -> [Connection] {
    var due: [Connection] = []
    moved.removeAll { connection in
      guard let keeping = keeping(connection), !keeping.isLost else { return true }
      if now - keeping.savedAt < pause || keeping.isSaving { return false }
      keeping.isListed = false
      if keeping.hasMoved || keeping.wantsSave { due.append(connection) }
      return true
    }
    return due
  }

  public mutating func closeLater(_ shard: ShardID, _ closing: SessionClosing, at now: Instant) {
    if closings.count == MQTTSessionHouse.closingsMost { closings.removeFirst() }
    closings.append((now + MQTTSessionHouse.closeAgain, shard, closing))
  }

  /// Those to be asked for again now, oldest first.
  public mutating func dueClosings(at now: Instant) -> [(ShardID, SessionClosing)] {
    let due = closings.prefix { $0.at <= now }
    defer { closings.removeFirst(due.count) }
    return due.map { ($0.shard, $0.closing) }
  }

  /// A leader has answered a sign of life. Whether it is to be asked which sessions are this owner's still: it may not have told who
  /// was taken over before it led, and may have given up an owner of whom it heard nothing for long, who knows nothing of that.
  public mutating func hasToClaim(_ shard: ShardID, _ term: UInt64, at now: Instant) -> Bool {
    defer {
      lanes[shard.index].term = term
      lanes[shard.index].answeredAt = now
    }
    return lanes[shard.index].term != term || now - lanes[shard.index].answeredAt > MQTTSessionHouse.doubt
  }

  public static func owns(_ ticket: Ticket) -> Bool { ticket.value & ~(tickets - 1) == tickets }

  public var isActive: Bool { !closings.isEmpty || !moved.isEmpty || lanes.contains { $0.sessions > 0 } }
}
