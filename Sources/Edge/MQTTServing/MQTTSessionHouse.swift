internal import Core
internal import Feeds
internal import Reactor

/// What one reactor has under way with the shards that keep sessions, and for whom.
struct MQTTSessionHouse {
  enum Call {
    case open(SlotKey, ShardID, SessionOpening)
    /// For the connection that had drawn this number for its opening.
    case save(SlotKey, UInt64)
    /// Asked again until it is answered: a session that nobody let go of stays taken for as long as this node lives.
    case close(ShardID, SessionClosing)
    case alive(ShardID)
    case claim(ShardID)
    /// A due will on its way to its topic; the number is the shard's.
    case will(ShardID, UInt64)
    /// The shard forgets a will that was published.
    case forgetWill
  }

  struct Lane {
    var sessions = 0
    /// The leader's term when the owner's claims were made last.
    var term: UInt64?
    var isAsking = false
    var nextLifeSign = Instant.zero
  }

  /// Tickets of sessions' questions are apart from all others of this edge.
  private static let tickets: UInt64 = 1 << 40
  /// Between two looks at what is to be done.
  static let period = TimeSpan.milliseconds(100)
  /// Before a closing that was refused is asked for again.
  static let closeAgain = TimeSpan.seconds(1)
  /// Closings that wait to be asked again; past it the oldest is left to the shard, which finds it out in time.
  static let closingsMost = 100_000

  let owner: SessionOwner
  private var calls: [UInt64: Call] = [:]
  private var lastTicket: UInt64 = 0
  var lanes: [Lane]
  /// With something to be saved before it is sent.
  var owing: [SlotKey] = []
  /// With something to be saved soon.
  var moved: [SlotKey] = []
  private var closings: [(at: Instant, shard: ShardID, closing: SessionClosing)] = []
  /// When sessions that only stand somewhere else are saved next.
  var idleSweep = Instant.zero
  var isTicking = false

  init(owner: SessionOwner, shards: Int) {
    self.owner = owner
    lanes = [Lane](repeating: Lane(), count: shards)
  }

  mutating func ticket(for call: Call) -> Ticket {
    lastTicket += 1
    calls[lastTicket] = call
    return Ticket(MQTTSessionHouse.tickets | lastTicket)
  }

  mutating func answered(_ ticket: Ticket) -> Call? {
    guard MQTTSessionHouse.owns(ticket) else { return nil }
    return calls.removeValue(forKey: ticket.value & (MQTTSessionHouse.tickets - 1))
  }

  mutating func closeLater(_ shard: ShardID, _ closing: SessionClosing, at now: Instant) {
    if closings.count == MQTTSessionHouse.closingsMost { closings.removeFirst() }
    closings.append((now + MQTTSessionHouse.closeAgain, shard, closing))
  }

  /// Those to be asked for again now, oldest first.
  mutating func dueClosings(at now: Instant) -> [(ShardID, SessionClosing)] {
    let due = closings.prefix { $0.at <= now }
    defer { closings.removeFirst(due.count) }
    return due.map { ($0.shard, $0.closing) }
  }

  static func owns(_ ticket: Ticket) -> Bool { ticket.value & ~(tickets - 1) == tickets }

  var isActive: Bool { !closings.isEmpty || !moved.isEmpty || lanes.contains { $0.sessions > 0 } }
}
