internal import Broker
internal import Core
internal import Feeds
internal import Gossip
internal import Links
internal import Placement
internal import Reactor
internal import Replica
internal import Sealing
internal import Wire

/// A node's part in its cluster: who is there, links to the brokers, the birth, and the post between this node's
/// reactors and others'.
///
/// ```
///   gossip ─▶ brokers that are there ─▶ links ─▶ routers of all reactors
///   links: replica messages ─▶ shards    requests ─▶ shards ─▶ answers    replies ─▶ routers
/// ```
///
/// Lives on the first reactor; the others reach it by mail.
final class ClusterDesk: LinkHost, GossipHost {
  static let listenerKind: UInt8 = 6
  static let listenerTimer: UInt8 = 7

  let plan: NodePlan
  let cluster: ClusterPlan
  let loop: ReactorLoop<NodeReactor>
  /// Hands mail to a reactor of this node.
  let post: (NodeMail, Int) -> Void
  private var acceptor: ListenerBox?
  private(set) var links: LinkPort!
  private(set) var gossip: GossipPort!
  private var remoteEdges = RemoteEdges()
  var birth: BirthNode?
  var reports = PeerReports()
  /// A cluster that is there, as one of its brokers tells of it.
  var running: ClusterFinding?
  var steward: Steward
  var clock = ClusterClock()
  /// What those who are linked said of their clocks at first.
  var greetings: [NodeID: Greeting] = [:]
  /// Since when this node drives placement; nil while another does.
  var steersSince: Instant?
  var meta = MetaSession()
  var wishes = WaitingWishes()
  /// Whether this node was told to drain, or to leave.
  var isToldToDrain = false
  var isLeaving = false
  /// Asks a shard, by way of this reactor's router.
  let ask: (ShardID, ShardRequest) -> Void
  private var isResolving = false

  init(
    plan: NodePlan, cluster: ClusterPlan, loop: ReactorLoop<NodeReactor>, ask: @escaping (ShardID, ShardRequest) -> Void,
    post: @escaping (NodeMail, Int) -> Void
  ) {
    self.ask = ask
    self.plan = plan
    self.cluster = cluster
    self.loop = loop
    self.post = post
    steward = Steward(policy: ClusterDesk.policy(of: plan))
    let hello = NodeHello(
      cluster: plan.isBorn ? plan.cluster : nil, node: plan.node, incarnation: cluster.incarnation, roles: cluster.roles,
      shards: plan.isBorn ? UInt16(plan.shardCount) : 0, replicas: plan.isBorn ? UInt8(plan.replicas) : 0,
      name: plan.configuration.name)
    var settings = LinkSettings()
    settings.frameLimit = WireLimits.frame(largestMessage: plan.configuration.maximumMessageBytes)
    links = LinkPort(
      settings: settings, secret: cluster.secret, own: hello, loop: loop, host: self, random: ClusterDesk.chance)
    if cluster.isBroker {
      birth = BirthNode(id: plan.node, terms: cluster.terms, record: cluster.record, seed: plan.seed, at: loop.now)
    }
  }

  private static func chance() -> [UInt8] {
    var random = SystemRandomNumberGenerator()
    return (0..<4).flatMap { _ in withUnsafeBytes(of: random.next() as UInt64) { [UInt8]($0) } }
  }

  var now: Instant { loop.now }

  // MARK: Life

  func start() throws(ReactorError) {
    guard let sockets = cluster.port.take() else { return }
    let node = GossipNode(
      id: plan.node, address: GossipAddress(cluster.advertised), profile: profile, seed: plan.seed ^ 0x60551, at: loop.now)
    gossip = GossipPort(
      node: node, secret: cluster.secret, socket: sockets.datagrams, links: links, loop: loop, host: self, random: ClusterDesk.chance)
    let box = ListenerBox(sockets.listener, farewell: [])
    try loop.startAccepting(box.acceptor, PollToken(kind: Self.listenerKind))
    acceptor = box
    try gossip.start()
  }

  var profile: MemberProfile {
    var profile = MemberProfile(role: cluster.gossipRole, boot: cluster.incarnation, name: String(plan.configuration.name.prefix(64)))
    profile.version = TidingsNode.version
    profile.http = plan.httpAddress
    profile.rack = plan.configuration.rack
    profile.cluster = plan.isBorn ? plan.cluster : nil
    profile.bootstrapExpect = UInt8(clamping: cluster.terms.expect)
    profile.isDraining = plan.board.isDraining
    return profile
  }

  /// Nothing new is taken up; who is linked stays linked.
  func drain() {
    links.isDraining = true
    gossip?.update(profile: profile)
  }

  /// Says goodbye; what is under way on links ends.
  func leave() {
    gossip?.leave {}
  }

  func close() {
    if let acceptor {
      loop.unwatch(acceptor.acceptor.source.descriptor)
      acceptor.close()
    }
    acceptor = nil
    links.close(saying: nil)
    gossip?.close()
  }

  // MARK: Events of the loop

  func owns(_ kind: UInt8) -> Bool { LinkPort.kinds.contains(kind) || kind == GossipPort.kind || kind == Self.listenerKind }
  func ownsTimer(_ kind: UInt8) -> Bool { owns(kind) || kind == Self.listenerTimer }

  func ready(_ token: PollToken, _ readiness: Readiness) {
    switch token.kind {
    case Self.listenerKind: accept()
    case GossipPort.kind: gossip?.ready(token, readiness)
    default: links.ready(token, readiness)
    }
  }

  func expired(_ timer: TimerKey) {
    switch PollToken(rawValue: timer.rawValue).kind {
    case Self.listenerTimer:
      guard let acceptor else { return }
      do throws(ReactorError) {
        try loop.resumeAccepting(&acceptor.acceptor, PollToken(kind: Self.listenerKind))
      } catch {
        plan.log.error("cluster-port", "the cluster's port cannot be watched", ["error": LogValue(error)])
      }
    case GossipPort.kind: gossip?.expired(timer)
    default: links.expired(timer)
    }
  }

  private func accept() {
    guard let acceptor else { return }
    let key = TimerKey(PollToken(kind: Self.listenerTimer).rawValue)
    _ = loop.accept(&acceptor.acceptor, resumeKey: key) { descriptor, address in links.accepted(descriptor, from: address) }
  }

  /// Every 50 ms.
  func tick() {
    careForBirth()
    careForMeta()
  }

  func flush() { links.flush() }

  // MARK: Post of this node's reactors

  func send(_ message: NodeMessage, to node: NodeID) { _ = links.send(message, to: node) }

  func answer(_ replies: [ShardReply], to edge: EdgeID) {
    guard let place = remoteEdges.place(of: edge) else { return }
    for reply in replies {
      guard case .push(let push) = reply else {
        links.answer(.reply(edge: place.edge, reply), on: place.connection)
        continue
      }
      for part in push.parts() { links.answer(.reply(edge: place.edge, .push(part)), on: place.connection) }
    }
  }

  // MARK: Links

  func linked(_ hello: NodeHello, dialled: Bool, connection: ConnectionID) {
    plan.log.info(
      "linked", dialled ? "a link to another node is up" : "another node has linked itself here",
      ["node": LogValue(hello.node), "name": LogValue(hello.name)])
    if plan.isBorn, hello.cluster == plan.cluster { met(hello) }
    guard dialled, hello.roles.contains(.broker) else { return }
    if !plan.isBorn, let found = hello.cluster, hello.shards > 0 {
      let finding = ClusterFinding(cluster: found, shards: Int(hello.shards), replicas: Int(hello.replicas))
      // A broker may yet be one of those that this cluster is born of.
      if cluster.isBroker { running = finding } else { plan.board.found(finding) }
      return
    }
    guard plan.isBorn, hello.cluster == plan.cluster else { return }
    for reactor in 0..<plan.reactors { post(.peer(hello.node, isThere: true), reactor) }
  }

  func unlinked(_ node: NodeID, dialled: Bool, connection: ConnectionID) {
    greetings[node] = nil
    if dialled {
      for reactor in 0..<plan.reactors { post(.peer(node, isThere: false), reactor) }
    } else {
      let gone = remoteEdges.remove(connection)
      guard !gone.isEmpty else { return }
      for reactor in 0..<plan.reactors { post(.broker(.forget(gone)), reactor) }
    }
  }

  func received(_ message: NodeMessage, from peer: LinkPeer) {
    switch message {
    case .replica(let shard, let message): take(message, of: shard, from: peer)
    case .heartbeats(let beats): for beat in beats { take(beat.message, of: beat.shard, from: peer) }
    case .request(let shard, let request):
      guard isOurs(shard), !peer.dialled, plan.hasShards else { return }
      let edge = remoteEdges.number(of: request.edge, on: peer.connection)
      post(.broker(.request(shard, request.asked(by: edge))), plan.owner(of: shard))
    case .reply(let edge, let reply):
      guard peer.dialled, Int(edge.value) < plan.reactors, isOurs(reply.shard) else { return }
      post(.routed([reply], from: peer.node), Int(edge.value))
    case .birth(let message): received(message, from: peer.node)
    case .statusAsk(let ticket, _): links.answer(.statusAnswer(ticket: ticket, reports.encoded(at: now)), on: peer.connection)
    case .statusAnswer(_, let bytes): if reports.take(bytes, at: now, clock: loop.clockTime) { plan.board.stir() }
    case .order(let shard, let order):
      guard isOurs(shard), plan.hasShards, peer.roles.contains(.broker) else { return }
      post(.broker(.order(shard, order)), plan.owner(of: shard))
    case .hello, .farewell, .ping, .pong, .gossipRequest, .gossipReply: break
    }
  }

  private func take(_ message: ReplicaMessage, of shard: ShardID, from peer: LinkPeer) {
    guard isOurs(shard), plan.hasShards, peer.roles.contains(.broker) else { return }
    post(.broker(.message(shard, from: peer.node, message)), plan.owner(of: shard))
  }

  private func isOurs(_ shard: ShardID) -> Bool { plan.isBorn && shard.index < plan.shardCount }

  func linkFact(_ fact: LinkFact) {
    let peer = LogValue(fact.address.map { "\($0)" } ?? "")
    switch fact.kind {
    case .unreachable, .silent, .superseded, .farewell(.draining), .refused(.draining): plan.log.info("link", fact.text, ["peer": peer])
    default: plan.log.warning("link", fact.text, ["peer": peer])
    }
  }

  // MARK: Gossip

  func gossip(_ fact: GossipFact) {
    plan.board.stir()
    switch fact {
    case .joined(let member), .updated(let member):
      if case .joined = fact {
        plan.log.info(
          "node-joined", nil,
          ["node": LogValue(member.id), "name": LogValue(member.profile.name), "role": LogValue("\(member.profile.role)"), "address": LogValue("\(member.address)")])
      }
      if member.profile.role.ownsShards, member.standing.isLive { link(to: member) }
    case .suspected(let node, _): plan.log.debug("node-suspected", nil, ["node": LogValue(node)])
    case .cleared(let node): plan.log.debug("node-cleared", nil, ["node": LogValue(node)])
    // One that is there under the same identity in another life has been started anew; its joining is told next.
    case .died(let node) where members.contains { $0.id == node && $0.standing.isLive }:
      plan.log.info("node-restarted", "a node was started anew", whom(node))
    case .died(let node): plan.log.warning("node-died", "nothing is heard of a node any more", whom(node))
    case .left(let node):
      plan.log.info("node-left", "a node was stopped in order and said goodbye", whom(node))
      links.disconnect(from: node)
    case .forgotten(let node): links.disconnect(from: node)
    case .selfSuspected(let by): plan.log.debug("self-suspected", nil, ["by": LogValue(by)])
    }
  }

  private func whom(_ node: NodeID) -> KeyValuePairs<String, LogValue> {
    let profile = members.first { $0.id == node }?.profile
    return ["node": LogValue(node), "name": LogValue(profile?.name ?? ""), "role": LogValue(profile.map { "\($0.role)" } ?? "")]
  }

  /// Of several that are known by one address the one that started last answers there. To look for another would end the
  /// link to it: for the one who answers it is the same node that links itself again.
  private func link(to member: Member) {
    let rivals = members.filter { $0.id != member.id && $0.address == member.address }
    guard rivals.allSatisfy({ $0.profile.boot < member.profile.boot }) else { return }
    for rival in rivals { links.disconnect(from: rival.id) }
    links.connect(to: member.id, at: SocketAddress(member.address))
  }

  func gossipWantsSeeds() {
    guard !cluster.join.isEmpty, !isResolving else { return }
    isResolving = true
    let mailbox = loop.mailbox
    do throws(ReactorError) {
      try Resolver.resolve(cluster.join) { addresses, problems in mailbox.post(.seeds(addresses, problems)) }
    } catch {
      isResolving = false
      plan.log.error("join", "the join addresses cannot be looked up", ["error": LogValue(error)])
    }
  }

  func join(_ addresses: [SocketAddress], _ problems: [String]) {
    isResolving = false
    for problem in problems { plan.log.debug("join", "a join address cannot be resolved: \(problem)") }
    gossip?.join(addresses)
  }

  var remoteEdgeCount: Int { remoteEdges.count }

  /// Who is there, as far as is known here, this node left out.
  var members: [Member] { gossip?.members ?? [] }
}
