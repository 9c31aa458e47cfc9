internal import Core
internal import Reactor

/// One client's socket and what is being done with it. Confined to its reactor.
///
/// An idle follower is this object and its audience's member: its buffers are empty and own no memory.
final class Connection {
  enum Role {
    /// Requests and answers.
    case http(HTTPSession)
    /// A stream of events without an end; whatever the client still sends is read and dropped.
    case following(EventFormat)
    case webSocket(WebSocketSession)
    case mqtt(MQTTSession)
    /// Nothing more is read; closed when what is queued has left.
    case finishing
  }

  let key: SlotKey
  let descriptor: FileDescriptor
  var role: Role
  /// What it was taken out of; one of the reserve is answered how the node is, once, and nothing else.
  var share = ConnectionBudget.Share.regular
  /// Received and not yet decodable.
  var input = ByteBuffer()
  var output = OutputQueue()

  /// The audience whose stream this connection is a place in.
  var audience: Audience?
  var memberIndex = 0
  /// Reads on behalf of the client until it can join its audience.
  var reader: Reader?

  /// The durable consumer whose cursor follows this connection.
  var consumer: ConsumerBinding?
  /// The question about consumers that is under way.
  var consumerCall: ConsumerCall?
  /// Where its client is present, and of what it hears; nil for most.
  var presence: ConnectionPresence?
  /// The question about presence that is under way.
  var presenceCall: PresenceCall?

  /// The socket took less than it was given; the poller will tell when it takes more.
  var isBlocked = false
  /// Listed to be written at the end of this turn.
  var isListed = false
  var closesWhenSent = false
  var isClosed = false
  /// More input may lie in the socket than was read in this turn.
  var mayReadMore = false
  /// The peer has said that it sends no more; its last bytes may still lie in the socket.
  var endIsInSight = false

  var timer: TimerID?
  var lastActive: Instant
  /// Whether the client came from an address beyond this machine.
  let isFromLoopback: Bool

  init(key: SlotKey, descriptor: FileDescriptor, role: Role, now: Instant, isFromLoopback: Bool) {
    self.key = key
    self.descriptor = descriptor
    self.role = role
    lastActive = now
    self.isFromLoopback = isFromLoopback
  }

  var transport: Transport {
    switch role {
    case .http(let session): session.waitsForEvents ? .longPoll : .http
    case .following(let format): format.transport
    case .webSocket: .webSocket
    case .mqtt: .mqtt
    case .finishing: .http
    }
  }
}

extension Connection {
  /// Whether what it still sends is looked at.
  var readsOn: Bool {
    switch role {
    case .http, .webSocket, .mqtt: !isClosed
    case .following, .finishing: false
    }
  }
}

extension Connection.Role {
  /// What a client follows that may follow several things; nil for all others.
  var legs: [Reader.Leg]? {
    switch self {
    case .webSocket(let session): session.legs
    case .mqtt(let session): session.legs
    case .http, .following, .finishing: nil
    }
  }
}

/// Bytes that belong to one connection alone: answers, and what a reader is catching up with.
///
/// In front of them may stand the rest of a message of the audience's stream that the socket took only part of:
/// a reference, not a copy.
struct OutputQueue: ~Copyable {
  /// Memory that an HTTP connection keeps between answers.
  static let keptCapacity = 4096

  struct SharedRest {
    var piece: RenderArena.Piece
    var arena: Int
  }

  var rests: [SharedRest] = []
  var own = ByteBuffer()
  var sent = 0

  var isEmpty: Bool { own.count == sent && rests.isEmpty }
  var pendingBytes: Int {
    var total = own.count - sent
    for rest in rests { total += rest.piece.count }
    return total
  }

  /// Moves what is left down once most of the buffer has been sent: one that is filled as fast as it drains
  /// would hold everything it ever sent.
  mutating func compact() {
    guard sent > Self.keptCapacity, sent > own.count / 2 else { return }
    own.removeFirst(sent)
    sent = 0
  }

  /// Forgets what has been sent; idle connections keep no memory.
  mutating func settle(keepingMemory: Bool) {
    if own.count == sent {
      sent = 0
      own.removeAll(keepingCapacity: keepingMemory && own.capacity <= Self.keptCapacity)
    }
  }
}
