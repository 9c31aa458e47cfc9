import Core
import Feeds
import Gossip
import Links
import Placement
import Reactor
import Sealing
import Testing
import Wire

let homeSecret = "the secret of this cluster"
let otherSecret = "the secret of another one"
let loopback = SocketAddress.v4(127, 0, 0, 1, port: 0)

func secret(_ text: String) throws -> ClusterSecret { try ClusterSecret(parsing: Array(text.utf8).span.bytes) }

/// A node's cluster port with everything it told, on a loop of its own.
final class TestNode: LinkHost, GossipHost {
  enum Event: Equatable {
    case linked(NodeID, dialled: Bool)
    case unlinked(NodeID, dialled: Bool)
  }

  let id: NodeID
  let loop: TestLoop
  private(set) var port: LinkPort!
  private(set) var gossip: GossipPort?
  var listener: TCPListener?
  private let settings: LinkSettings
  private let key: ClusterSecret
  private var generator: SeededGenerator

  var events: [Event] = []
  var hellos: [NodeHello] = []
  /// What came, and from whom.
  var received: [(message: NodeMessage, peer: LinkPeer)] = []
  var facts: [LinkFact] = []
  var gossipFacts: [GossipFact] = []
  var seeds: [SocketAddress] = []
  var onMessage: (NodeMessage, LinkPeer) -> Void = { _, _ in }
  /// A process that is stopped: its kernel goes on.
  var isStopped = false

  init(
    _ number: UInt64, cluster: UInt64? = 7, secret text: String = homeSecret, incarnation: UInt64 = 1,
    settings: LinkSettings = LinkSettings(), at address: SocketAddress = loopback
  ) throws {
    id = NodeID(number)
    loop = try TestLoop()
    self.settings = settings
    key = try secret(text)
    generator = SeededGenerator(seed: number &* 31 &+ incarnation)
    listener = try TCPListener.claim(address, loops: 1)[0]
    let hello = NodeHello(
      cluster: cluster.map { ClusterID($0) }, node: id, incarnation: incarnation, roles: .broker, shards: 16, replicas: 3, name: "b\(number)")
    port = LinkPort(settings: settings, secret: key, own: hello, loop: loop, host: self, random: { [unowned self] in chance() })
  }

  func chance() -> [UInt8] { (0..<32).map { _ in UInt8(truncatingIfNeeded: generator.next() >> 9) } }

  var address: SocketAddress { listener!.boundAddress }

  /// Listens for datagrams on the same number.
  func startGossip(_ settings: GossipSettings, cluster: UInt64? = 7) throws {
    let socket = try UDPSocket.bind(address)
    var profile = MemberProfile(role: .broker, boot: id.value, name: "b\(id.value)")
    profile.cluster = cluster.map { ClusterID($0) }
    let node = GossipNode(
      id: id, address: GossipAddress(address), profile: profile, settings: settings, seed: id.value, at: loop.now)
    let port = GossipPort(
      node: node, secret: key, socket: socket, links: port, loop: loop, host: self, random: { [unowned self] in chance() })
    gossip = port
    try port.start()
  }

  func connect(to other: TestNode) { port.connect(to: other.id, at: other.address) }

  func turn() -> Bool {
    guard !isStopped else { return false }
    var didSomething = false
    while let listener, case .connection(let descriptor, let peer) = listener.accept() {
      didSomething = true
      port.accepted(descriptor, from: peer)
    }
    let happened = loop.events(
      ready: { token, readiness in
        if token.kind == GossipPort.kind { gossip?.ready(token, readiness) } else { port.ready(token, readiness) }
      },
      expired: { timer in
        if PollToken(rawValue: timer.rawValue).kind == GossipPort.kind { gossip?.expired(timer) } else { port.expired(timer) }
      })
    port.flush()
    return happened || didSomething
  }

  /// As if its process had died.
  func die() {
    listener?.close()
    listener = nil
    gossip?.close()
    port.close(saying: nil)
  }

  // MARK: What it hears

  func linked(_ hello: NodeHello, dialled: Bool, connection: ConnectionID) {
    events.append(.linked(hello.node, dialled: dialled))
    hellos.append(hello)
  }

  func unlinked(_ node: NodeID, dialled: Bool, connection: ConnectionID) { events.append(.unlinked(node, dialled: dialled)) }

  func received(_ message: NodeMessage, from peer: LinkPeer) {
    received.append((message, peer))
    onMessage(message, peer)
  }

  func linkFact(_ fact: LinkFact) { facts.append(fact) }
  func gossip(_ fact: GossipFact) { gossipFacts.append(fact) }
  func gossipWantsSeeds() { if !seeds.isEmpty { gossip?.join(seeds) } }

  func isLinked(to other: TestNode) -> Bool { port.isLinked(to: other.id) }
  func wasTold(_ kind: LinkFact.Kind) -> Bool { facts.contains { $0.kind == kind } }
  func fact(_ kind: LinkFact.Kind) -> LinkFact? { facts.first { $0.kind == kind } }
}

/// Turns the loops of several nodes until something is so. Their clocks move together, and only while nothing happens.
final class TestCluster {
  static let step = TimeSpan.milliseconds(5)
  /// No test waits for so long in earnest; one that does has failed.
  static let patience = TimeSpan.seconds(30)

  var nodes: [TestNode] {
    willSet { gone += nodes.filter { node in !newValue.contains { $0 === node } } }
  }
  private var gone: [TestNode] = []
  /// Done in each turn beside the nodes' own work; true if something happened.
  var meanwhile: () -> Bool = { false }

  init(_ nodes: TestNode...) { self.nodes = nodes }
  init(_ nodes: [TestNode]) { self.nodes = nodes }

  deinit { for node in nodes + gone { node.die() } }

  /// True as soon as it is so; false if it was not within `span` of the nodes' time.
  @discardableResult
  func turn(until isSo: () -> Bool, within span: TimeSpan = .seconds(10)) -> Bool {
    let deadline = SystemClock.monotonic() + TestCluster.patience
    var passed = TimeSpan.zero
    while !isSo() {
      guard passed < span, SystemClock.monotonic() < deadline else { return false }
      var happened = meanwhile()
      for node in nodes where node.turn() { happened = true }
      if !happened {
        passed.nanoseconds += TestCluster.step.nanoseconds
        for node in nodes { node.loop.move(by: TestCluster.step) }
      }
    }
    return true
  }

  /// Lets so much time pass.
  func turn(for span: TimeSpan) {
    let end = nodes[0].loop.now + span
    turn(until: { nodes[0].loop.now >= end }, within: span)
  }
}

// MARK: Messages with numbers

func urgent(_ number: UInt64) -> NodeMessage { .birth(.confirm(ClusterID(number))) }

func live(_ number: UInt64, results: Int = 1) -> NodeMessage {
  let result = PublishResult(ticket: Ticket(number), outcome: .accepted(Offset(number), WallTime(milliseconds: 1)))
  return .reply(edge: EdgeID(1), .published(ShardID(3), [PublishResult](repeating: result, count: results)))
}

func bulk(_ number: UInt64, bytes: Int = 10) -> NodeMessage {
  .statusAsk(ticket: number, Bytes([UInt8](repeating: UInt8(truncatingIfNeeded: number), count: bytes)))
}

extension NodeMessage {
  /// The number that one of the above was made with.
  var number: UInt64? {
    switch self {
    case .birth(.confirm(let cluster)): cluster.value
    case .reply(_, .published(_, let results)): results.first?.ticket.value
    case .statusAsk(let ticket, let bytes): bytes.array.allSatisfy { $0 == UInt8(truncatingIfNeeded: ticket) } ? ticket : nil
    default: nil
    }
  }
}
