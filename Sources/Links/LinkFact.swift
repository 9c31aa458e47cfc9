public import Core
public import Reactor
public import Wire

/// Something about the cluster's port that people should know.
public struct LinkFact: Hashable, Sendable, CustomStringConvertible {
  public enum Kind: Hashable, Sendable {
    /// It does not hold the secret, or does not speak the protocol.
    case notAMember
    /// It connected and said nothing.
    case silentStranger
    case tooManyStrangers
    /// This node ended the link for that reason.
    case refused(NodeFarewell.Reason)
    /// The other node did.
    case farewell(NodeFarewell.Reason)
    case unreachable
    /// A link on which nothing was heard any more.
    case silent
    /// A node linked again while its older connection still stood.
    case superseded
    /// It did not take its answers.
    case tooSlow
    /// What came was not what the other side sealed.
    case forged
    /// A message longer than any may be.
    case unwritable
    /// The kernel did not let a socket be used.
    case system
    /// Datagrams that cannot be opened.
    case unopenable
    /// Gossip of another cluster that holds the same secret.
    case foreignGossip
    /// A join address leads back to the node itself.
    case ownJoinAddress
    /// A join address leads to nobody who answers.
    case joinFailed
  }

  public let kind: Kind
  public let address: SocketAddress?
  public let node: NodeID?
  /// What is wrong and what to do about it.
  public let text: String

  public var description: String { text }
}

/// Lets one kind of trouble with one peer through once in a while.
struct FactThrottle: Sendable {
  private struct Key: Hashable {
    let kind: LinkFact.Kind
    let address: SocketAddress?
  }

  private let period: TimeSpan
  private var told: [Key: Instant] = [:]

  init(period: TimeSpan) { self.period = period }

  mutating func admits(_ kind: LinkFact.Kind, _ address: SocketAddress?, at now: Instant) -> Bool {
    let key = Key(kind: kind, address: address)
    if let last = told[key], now - last < period { return false }
    if told.count >= LinkBounds.rememberedFacts {
      told = told.filter { now - $0.value < period }
      // So many different ones within a period are one attack, and the log has seen enough of it.
      if told.count >= LinkBounds.rememberedFacts { return false }
    }
    told[key] = now
    return true
  }
}

extension SocketAddress {
  /// The machine, whichever port it calls from.
  var anyPort: SocketAddress {
    var address = self
    address.port = 0
    return address
  }
}
