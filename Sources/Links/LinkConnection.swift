internal import Core
internal import Reactor
internal import Sealing
internal import Wire

/// One TCP connection of the cluster's port. Confined to its reactor.
final class LinkConnection {
  enum Purpose {
    /// Somebody dialled this node.
    case accepted
    /// This node wants a link there.
    case dialled(Dial)
    /// One question of the gossip.
    case question(ticket: UInt64, Bytes)
  }

  enum Phase {
    case connecting
    case handshake
    /// Proved; the first message is waited for.
    case greeting
    case linked
    /// Nothing more is listened to; closed when what is left to say was said.
    case finishing
  }

  let key: SlotKey
  let descriptor: FileDescriptor
  let purpose: Purpose
  let address: SocketAddress
  var phase: Phase

  var handshake: LinkHandshake?
  var channel: LinkChannel?
  /// What the other said of itself, once it was taken for true.
  var hello: NodeHello?

  /// Received, and less than a frame.
  var partial = ByteBuffer()
  /// Sealed, and not yet given to the kernel from `sent` on.
  var outgoing = ByteBuffer()
  var sent = 0
  /// To be said behind everything that waits.
  var lastWords: NodeFarewell?

  /// The socket took less than it was given; the poller will tell when it takes more.
  var isBlocked = false
  /// To be written at the end of this turn.
  var isListed = false
  /// More may lie in the socket than was read in this turn.
  var isReadLater = false
  var isClosed = false
  /// The purpose is done with it: the link was told as gone, the dial goes on without it.
  var isDetached = false
  /// Everything was said and the end of sending with it.
  var saidAll = false
  /// Counts among the answers to the gossip that are under way.
  var isAnswering = false
  /// The peer has said that it sends no more; its last bytes may still lie in the socket.
  var endIsInSight = false

  var timer = TimerID.none
  var lastHeard: Instant
  var linkedSince: Instant?
  var roundTrip: TimeSpan?

  init(key: SlotKey, descriptor: FileDescriptor, purpose: Purpose, address: SocketAddress, phase: Phase, now: Instant) {
    self.key = key
    self.descriptor = descriptor
    self.purpose = purpose
    self.address = address
    self.phase = phase
    lastHeard = now
  }

  var id: ConnectionID { ConnectionID(key: key) }

  var dial: Dial? { if case .dialled(let dial) = purpose { dial } else { nil } }

  var isAccepted: Bool { if case .accepted = purpose { true } else { false } }

  /// Under which its troubles are told: an accepted one has a port that means nothing.
  var factAddress: SocketAddress { isAccepted ? address.anyPort : address }

  var peer: LinkPeer? {
    hello.map { LinkPeer(node: $0.node, connection: id, roles: $0.roles, dialled: dial != nil) }
  }

  var unsent: Int { outgoing.count - sent }
}

/// A node that this one wants a link to.
final class Dial {
  let node: NodeID
  var address: SocketAddress
  var key = SlotKey(index: 0, generation: 0)
  /// The connection that is, or may become, the link.
  var connection: SlotKey?
  var timer = TimerID.none
  var failures = 0
  var problem: String?
  var wasLinked = false

  init(node: NodeID, address: SocketAddress) {
    self.node = node
    self.address = address
  }
}

extension NodeFarewell.Reason {
  /// Whether trying again soon may help.
  var passesByItself: Bool {
    switch self {
    case .draining, .sameIdentity: true
    case .wrongCluster, .removed, .version, .ownAddress, .oldIncarnation, .crowded, .unreadable, .otherNode: false
    }
  }
}
