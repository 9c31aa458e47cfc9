internal import Core
internal import Gossip
internal import Placement
internal import Reactor
internal import Sealing
internal import Synchronization
internal import Wire

/// What a node that is one of several is told at its start.
struct ClusterPlan: Sendable {
  let role: NodeConfiguration.Role
  let secret: ClusterSecret
  let join: [Endpoint]
  let terms: BirthTerms
  /// Where the cluster's port is bound, and its sockets.
  let port: ClusterSockets
  /// What others dial.
  let advertised: SocketAddress
  /// Grows with every start.
  let incarnation: UInt64
  /// What the data directory says of the cluster's birth; an edge has none.
  let record: BirthRecord

  var isBroker: Bool { role != .edge }

  var roles: NodeRoles {
    switch role {
    case .all: [.broker, .edge]
    case .broker: [.broker]
    case .edge: [.edge]
    }
  }

  var gossipRole: MemberProfile.Role {
    switch role {
    case .all: .all
    case .broker: .broker
    case .edge: .edge
    }
  }
}

/// The sockets of the cluster's port, until the reactor that lives with them takes them.
final class ClusterSockets: Sendable {
  struct Pair: Sendable {
    let listener: TCPListener
    let datagrams: UDPSocket
  }

  private let pair: Mutex<Pair?>

  init(_ pair: Pair) { self.pair = Mutex(pair) }

  func take() -> Pair? { pair.withLock { held in defer { held = nil }; return held } }

  /// One port number for both.
  static func claim(_ endpoint: Endpoint) throws(ReactorError) -> Pair {
    let listener = try TCPListener.claim(Address(host: endpoint.host, port: endpoint.port), loops: 1)[0][0]
    do throws(ReactorError) {
      let isEverywhere = endpoint.host == "*"
      return Pair(listener: listener, datagrams: try UDPSocket.bind(listener.boundAddress, acceptsV4: isEverywhere))
    } catch {
      listener.close()
      throw error
    }
  }
}

/// Which brokers hold which shard of a cluster that was just born: each shard's replicas follow one another around the
/// circle of members, so that every broker holds and prefers to lead equally many.
struct ShardHolders: Sendable {
  let members: [NodeID]
  let replicas: Int
  /// Not born of several: a node's own directory.
  let isAlone: Bool

  init(_ certificate: BirthCertificate) {
    members = certificate.members
    replicas = min(certificate.terms.replicas, certificate.members.count)
    isAlone = false
  }

  /// A node alone.
  init(alone node: NodeID) {
    members = [node]
    replicas = 1
    isAlone = true
  }

  /// The voters of a shard; the first should lead.
  func holders(of shard: ShardID) -> [NodeID] {
    (0..<replicas).map { members[(shard.index + $0) % members.count] }
  }
}

/// The cluster a node came to belong to while it ran.
struct ClusterFinding: Sendable {
  let cluster: ClusterID
  let shards: Int
  let replicas: Int
}
