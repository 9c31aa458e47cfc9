public import Core
public import Reactor
public import Wire

/// Whoever owns a `LinkPort`: hears of links and what comes on them. May call the port from within.
public protocol LinkHost: AnyObject {
  /// A node may be talked to: by `send` if this node dialled it, by `answer` on this connection if it was dialled.
  func linked(_ hello: NodeHello, dialled: Bool, connection: ConnectionID)
  /// What was queued on this connection is lost as far as it was not sent.
  func unlinked(_ node: NodeID, dialled: Bool, connection: ConnectionID)
  /// A message of a linked node; those that belong to the link itself are not told.
  func received(_ message: NodeMessage, from peer: LinkPeer)
  /// Something people should know; one kind of trouble with one peer at most once in `LinkSettings.factPeriod`.
  func linkFact(_ fact: LinkFact)
}

/// Names one connection of a port; never another one after it is gone.
public struct ConnectionID: Hashable, Sendable {
  let key: SlotKey
}

/// Whom a message is from, and how to answer.
public struct LinkPeer: Hashable, Sendable {
  public let node: NodeID
  public let connection: ConnectionID
  public let roles: NodeRoles
  /// This node dialled: what comes is an answer. Otherwise it is a question.
  public let dialled: Bool
}

/// One link as an operator sees it.
public struct LinkStatus: Sendable {
  public enum State: Hashable, Sendable {
    case connecting
    /// Proving who is who.
    case greeting
    case linked
    /// Until it is dialled again.
    case waiting
  }

  public let node: NodeID
  public let address: SocketAddress
  public let dialled: Bool
  public let state: State
  /// Of the last ping; measured by the side that dialled.
  public let roundTrip: TimeSpan?
  /// What waits to be sealed.
  public let queuedBytes: Int
  /// Since when it is linked.
  public let linkedSince: Instant?
  /// Attempts that failed since the last good link.
  public let failures: Int
  /// What was wrong the last time; nil while linked.
  public let problem: String?
}

/// What a port has done since it was made.
public struct LinkCounters: Sendable {
  public var dials = 0
  /// Dialled links that came about again after the first time.
  public var reconnects = 0
  public var accepted = 0
  public var linked = 0
  public var unlinked = 0
  public var messagesReceived = 0
  public var messagesSent = 0
  public var bytesReceived = 0
  public var bytesSent = 0
  /// Peers that do not hold the secret, or do not speak the protocol.
  public var handshakesRefused = 0
  /// Strangers who said nothing in time, or made room for newer ones.
  public var strangersDropped = 0
  /// Links that went silent.
  public var silences = 0
  /// Messages not taken because their lane was full.
  public var overflows = 0
  /// Links closed because the other side did not take its answers.
  public var tooSlow = 0
  /// Frames whose seal was not right.
  public var forged = 0
  /// Messages longer than they may be, and so never sent.
  public var unwritable = 0
  public var gossipAsked = 0
  public var gossipAnswered = 0
  /// Hellos taken and links refused or ended here, by reason.
  public var wire = WireCounters()
  /// The same, as the others said it.
  public var heard = WireCounters()

  public init() {}
}
