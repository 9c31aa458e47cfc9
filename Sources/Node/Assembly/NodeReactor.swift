internal import Broker
internal import Core
internal import Edge
internal import Feeds
internal import Reactor
internal import Replica
internal import Wire

/// What reaches a node's reactor from other threads.
enum NodeMail: Sendable {
  case broker(BrokerMail)
  case edge([ShardReply])
  /// What a broker, this node among them, answers this reactor's edge.
  case routed([ShardReply], from: NodeID)
  /// A broker can be asked, or cannot any more.
  case peer(NodeID, isThere: Bool)
  /// So many milliseconds are to be added to what this machine's clock says.
  case correctClock(by: Int64)
  /// For another node, by way of the first reactor.
  case toPeer(NodeID, [NodeMessage])
  /// For a reactor of another node, by way of the first.
  case toRemoteEdge(EdgeID, [ShardReply])
  /// What the join addresses stand for now, and what is wrong with those that stand for nothing.
  case seeds([SocketAddress], [String])
  /// Every shard of every reactor is open: accept clients.
  case serve
  /// Somebody wants to know how this reactor is.
  case reportWanted(ReportRequest)
  case report(ReactorReport, ReportRequest)
  /// Tell clients to come back elsewhere, spread over this time.
  case drain(over: TimeSpan)
  /// The same, for a node that stays: it still takes connections and holds its shards.
  case standAside(over: TimeSpan)
  case resume
  /// What an operator wants of a node, for the first reactor, and the answer.
  case wish(NodeWish, String, PageTicket)
  case wishAnswer(PageTicket, NodeWishAnswer)
  /// End: clients are let go, the shards close in order.
  case close
}

/// One reactor of a node: an edge and the owner of some shards, joined by direct calls where they are on the same thread
/// and by mail where they are not. In a cluster a router stands between them, and the first reactor has the cluster's port.
///
/// ```
///   sockets ─▶ EdgeReactor ─ requests ─▶ BrokerReactor ─▶ journal threads
///                   ▲                         │
///                   └──── replies, pushes ◀───┘         other reactors: Mailbox
/// ```
final class NodeReactor: ReactorApplication {
  typealias Mail = NodeMail

  static let listenerKind: UInt8 = 2
  static let brokerTimer: UInt8 = 3
  static let listenerTimer: UInt8 = 4
  static let tickPeriod = TimeSpan.milliseconds(50)
  /// Times that edge and shards may answer each other within one turn; what is left waits for the next.
  static let exchangesPerTurn = 8

  let loop: ReactorLoop<NodeReactor>
  let plan: NodePlan
  let index: Int
  private var acceptors: [ListenerBox] = []
  var edge: EdgeReactor!
  /// nil where the node owns no shards.
  var broker: BrokerReactor?
  /// Where there are several brokers to ask.
  var routing: EdgeRouting?
  var desk: ClusterDesk?
  /// For other nodes, gathered in this turn.
  private var toPeers = PeerPost()
  private var toLocalEdge: [ShardReply] = []
  private var outgoing: [[NodeMail]]
  private var isServing = false
  var isClosing = false
  var pages = PageDesk()
  /// This reactor's rates are taken once a second.
  var meter = RateMeter()
  var window: LatencyWindow
  private var lastSecond: Instant
  var newsDesk: NewsDesk
  var majorities = MajorityWatch()

  init(plan: NodePlan, loop: ReactorLoop<NodeReactor>) {
    self.plan = plan
    self.loop = loop
    index = loop.index
    lastSecond = loop.now
    window = LatencyWindow(at: loop.now, transports: Transport.allCases.count)
    newsDesk = NewsDesk(at: loop.now)
    outgoing = [[NodeMail]](repeating: [], count: plan.reactors)
  }

  // MARK: Life

  func started(on loop: ReactorLoop<NodeReactor>) {
    let mailbox = loop.mailbox
    plan.board.register(mailbox, at: index)
    if let store = plan.store, plan.isBorn { broker = makeBroker(store, mailbox) }
    edge = EdgeReactor(
      edge: EdgeID(UInt32(index)), settings: plan.edge, loop: loop, seed: plan.seed &+ UInt64(index), nodePages: self,
      ask: { [unowned self] shard, request in
        if let routing { routing.ask(shard, request, at: loop.now) } else { askHere(shard, request) }
      })
    if let cluster = plan.clusterPlan {
      routing = EdgeRouting(shards: plan.shardCount, seed: plan.seed &+ 77 &* UInt64(index)) { [unowned self] in send($0) }
      if broker != nil { routing?.came(plan.node) }
      if index == 0 {
        desk = ClusterDesk(
          plan: plan, cluster: cluster, loop: loop, ask: { [unowned self] shard, request in routing?.ask(shard, request, at: loop.now) },
          post: { [unowned self] mail, reactor in
            if reactor == index { take(mail) } else { outgoing[reactor].append(mail) }
          })
      }
    }
    do throws(BrokerError) {
      try broker?.open(at: loop.now)
    } catch {
      plan.board.failed(error.description)
      loop.stop()
      return
    }
    scheduleTick()
    plan.board.opened()
  }

  private func makeBroker(_ store: BrokerStore, _ mailbox: Mailbox<NodeMail>) -> BrokerReactor {
    let shards = (0..<plan.shardCount).map { ShardID($0) }.filter { plan.owner(of: $0) == index && plan.holds($0) }
    var settings = plan.broker
    settings.ownEdge = EdgeID(UInt32(index))
    let broker = BrokerReactor(
      shards: shards, store: store, settings: settings, seed: plan.seed, postToSelf: { mailbox.post(.broker($0)) },
      postToEdge: { [unowned self] edge, replies in
        if RemoteEdges.isRemote(edge) {
          if let desk { desk.answer(replies, to: edge) } else { outgoing[0].append(.toRemoteEdge(edge, replies)) }
        } else if Int(edge.value) == index {
          toLocalEdge.append(contentsOf: replies)
        } else {
          outgoing[Int(edge.value)].append(.edge(replies))
        }
      },
      postToPeer: { [unowned self] node, shard, message in toPeers.add(message, of: shard, to: node) },
      postOrder: { [unowned self] node, shard, order in toPeers.add(.order(shard, order), to: node) },
      onFact: { [unowned self] shard, fact in
        plan.tell(shard, fact)
        if fact.isForTheStatus { plan.board.stir() }
        if case .leaderChanged(let leader?, _) = fact { routing?.heard(leader, of: shard, at: loop.now) }
      })
    broker.onMove = { [unowned self] shard, move in plan.tell(shard, move) }
    return broker
  }

  /// Asks a shard of this node.
  private func askHere(_ shard: ShardID, _ request: ShardRequest) {
    let owner = plan.owner(of: shard)
    if owner == index {
      broker?.receive(.request(shard, request), at: loop.now, wall: loop.wallTime)
    } else {
      outgoing[owner].append(.broker(.request(shard, request)))
    }
  }

  private func send(_ routed: RoutedSend) {
    if routed.to == plan.node { return askHere(routed.shard, routed.request) }
    toPeers.add(.request(routed.shard, routed.request), to: routed.to)
  }

  func stopped() {
    for box in acceptors { box.close() }
    // Where the node begins anew as a member of its cluster, whoever came before would be connected to nobody.
    edge.closeAll()
    desk?.close()
    plan.board.ended()
  }

  private func serve() {
    for listener in plan.listeners.take(index) {
      let box = ListenerBox(listener)
      do throws(ReactorError) {
        try loop.startAccepting(box.acceptor, token(of: acceptors.count))
        acceptors.append(box)
      } catch {
        plan.log.error("listen", "a listener cannot be watched", ["error": LogValue(error)])
      }
    }
    isServing = true
    do throws(ReactorError) {
      try desk?.start()
    } catch {
      plan.board.failed("the cluster's port cannot be watched: \(error)")
    }
  }

  private func token(of listener: Int) -> PollToken {
    PollToken(kind: Self.listenerKind, SlotKey(index: UInt32(listener), generation: 0))
  }

  // MARK: Events

  func ready(_ token: PollToken, _ readiness: Readiness) {
    switch token.kind {
    case EdgeReactor.connectionKind: edge.ready(token, readiness)
    case Self.listenerKind: accept(Int(token.slot.index))
    default: if let desk, desk.owns(token.kind) { desk.ready(token, readiness) }
    }
  }

  private func accept(_ listener: Int) {
    guard listener < acceptors.count, !isClosing else { return }
    let key = TimerKey(PollToken(kind: Self.listenerTimer, SlotKey(index: UInt32(listener), generation: 0)).rawValue)
    let speaksMQTT = acceptors[listener].speaksMQTT
    let outcome = loop.accept(&acceptors[listener].acceptor, resumeKey: key) { descriptor, address in
      edge.accepted(descriptor, isFromLoopback: address.isLoopback, speaksMQTT: speaksMQTT)
    }
    if case .paused(let error) = outcome {
      plan.log.warning(
        "accept-paused", "no descriptor is free, so new connections wait; raise the limit of open files or spread clients over more nodes",
        ["error": LogValue(error)])
    }
  }

  func expired(_ timer: TimerKey) {
    let token = PollToken(rawValue: timer.rawValue)
    switch token.kind {
    case Self.brokerTimer:
      broker?.tick(at: loop.now, wall: loop.wallTime)
      routing?.tick(at: loop.now)
      desk?.tick()
      if isClosing, broker?.isClosed ?? true { loop.stop() }
      plan.board.idle(plan.board.isEnding && edge.connectionCount == 0, at: index)
      everySecond()
      careForNews()
      scheduleTick()
    case Self.listenerTimer:
      let listener = Int(token.slot.index)
      guard listener < acceptors.count, !isClosing else { return }
      do throws(ReactorError) {
        try loop.resumeAccepting(&acceptors[listener].acceptor, self.token(of: listener))
      } catch {
        plan.log.error("listen", "a listener cannot be watched", ["error": LogValue(error)])
      }
    default:
      if let desk, desk.ownsTimer(token.kind) { desk.expired(timer) } else { edge.expired(timer) }
    }
  }

  private func scheduleTick() {
    _ = loop.schedule(TimerKey(PollToken(kind: Self.brokerTimer).rawValue), at: loop.now + Self.tickPeriod)
  }

  private func everySecond() {
    let elapsed = loop.now - lastSecond
    guard elapsed >= TimeSpan.seconds(1) else { return }
    lastSecond = loop.now
    let totals = edge.totals
    meter.sample(published: totals.published, delivered: totals.delivered, over: elapsed)
    window.sample(edge.latencies, at: loop.now)
    if desk != nil { ask(.own, PageTicket(edge: edge.edge, ticket: Ticket(0))) }
    tellFollowers()
    if plan.clusterPlan != nil, !isClosing { tellOfMajorities() }
  }

  private func tellFollowers() {
    if edge.hasStatusFollowers { ask(.news, PageTicket(edge: edge.edge, ticket: Ticket(0))) }
  }

  /// Who follows the status hears what happened at once, not with the next second. The first reactor, which has the
  /// cluster's port, tells the other nodes before; then all reactors tell their followers.
  private func careForNews() {
    if index == 0, newsDesk.isStirred(plan.board.stirringCount, at: loop.now) {
      if desk == nil { plan.board.tellNews() } else { ask(.own, PageTicket(edge: edge.edge, ticket: Ticket(0))) }
    }
    if newsDesk.hasNews(plan.board.newsCount) { tellFollowers() }
  }

  func received(_ mail: inout [NodeMail]) {
    for letter in mail { take(letter) }
  }

  private func take(_ letter: NodeMail) {
    switch letter {
    case .broker(let mail): broker?.receive(mail, at: loop.now, wall: loop.wallTime)
    case .edge(let replies): toLocalEdge.append(contentsOf: replies)
    case .routed(let replies, let node): routing?.receive(replies, from: node, at: loop.now)
    case .peer(let node, let isThere): peer(node, isThere)
    case .correctClock(let milliseconds): loop.correctClock(by: milliseconds)
    case .toPeer(let node, let messages): for message in messages { desk?.send(message, to: node) }
    case .toRemoteEdge(let edge, let replies): desk?.answer(replies, to: edge)
    case .seeds(let addresses, let problems): desk?.join(addresses, problems)
    case .serve: serve()
    case .reportWanted(let request): send(.report(report(), request), to: request.reactor)
    case .report(let report, let request): take(report, request)
    case .drain(let window): drain(over: window)
    case .standAside(let window): standAside(over: window)
    case .resume: edge.resume()
    case .wish(let wish, let name, let page): desk?.wish(wish, of: name, for: page)
    case .wishAnswer(let page, let answer): edge.answerWish(page.ticket, answer)
    case .close: close()
    }
  }

  private func peer(_ node: NodeID, _ isThere: Bool) {
    if isThere {
      routing?.came(node)
    } else {
      routing?.went(node, at: loop.now)
    }
  }

  /// No new clients; those who are here are told to go.
  private func drain(over window: TimeSpan) {
    closeAcceptors()
    desk?.drain()
    standAside(over: window)
  }

  /// Those who are here are told to go, and other nodes lead.
  private func standAside(over window: TimeSpan) {
    edge.drain(over: window)
    broker?.handOver(at: loop.now)
  }

  private func closeAcceptors() {
    for box in acceptors {
      loop.unwatch(box.acceptor.source.descriptor)
      box.close()
    }
    acceptors.removeAll()
  }

  private func close() {
    guard !isClosing else { return }
    isClosing = true
    closeAcceptors()
    edge.closeAll()
    desk?.leave()
    broker?.close(at: loop.now, wall: loop.wallTime)
  }

  func turnEnds() {
    var exchanges = 0
    repeat {
      edge.flushRequests()
      routing?.flush(at: loop.now)
      broker?.turnEnds(at: loop.now, wall: loop.wallTime)
      handToEdge()
      exchanges += 1
    } while (edge.hasRequests || !toLocalEdge.isEmpty) && exchanges < Self.exchangesPerTurn
    post()
    edge.flushOutput()
    post()
    desk?.flush()
    if !toLocalEdge.isEmpty || routing?.hasReplies == true { loop.wakeImmediately() }
  }

  private func handToEdge() {
    var replies: [ShardReply] = []
    swap(&replies, &toLocalEdge)
    if let routing {
      if !replies.isEmpty { routing.receive(replies, from: plan.node, at: loop.now) }
      replies = routing.takeReplies()
    }
    for reply in replies {
      if let desk, desk.takes(reply) { continue }
      edge.receive(reply)
    }
  }

  private func post() {
    toPeers.empty { node, messages in
      if let desk { for message in messages { desk.send(message, to: node) } } else { outgoing[0].append(.toPeer(node, messages)) }
    }
    for reactor in outgoing.indices where !outgoing[reactor].isEmpty {
      plan.board.mailbox(at: reactor)?.post(contentsOf: outgoing[reactor])
      outgoing[reactor].removeAll(keepingCapacity: true)
    }
  }

  func send(_ mail: NodeMail, to reactor: Int) {
    outgoing[reactor].append(mail)
  }
}
