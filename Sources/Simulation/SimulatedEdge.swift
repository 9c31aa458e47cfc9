internal import Core
internal import Feeds
internal import Replica
internal import Sessions

/// A publish that a client waits for.
struct PendingPublish {
  var message: UInt32
  var publisher: Int
  var expectedHead: Offset?
}

/// What clients of an edge wait for from one shard, and the feed.
final class EdgeShard {
  var feed: FeedClient
  var publishes: [Ticket: PendingPublish] = [:]
  var reads: [(ticket: Ticket, reader: Int)] = []
  var consumers: [(ticket: Ticket, consumer: Int)] = []

  init(shard: Int, cacheBytes: Int) {
    feed = FeedClient(shard: ShardID(shard), cacheBytes: cacheBytes)
  }
}

/// The router of a process that may end.
final class EdgeRouter {
  var router: ShardRouter
  var output = RouterOutput()

  init(shards: Int, seed: UInt64) { router = ShardRouter(shards: shards, seed: seed) }
}

/// A link from an edge to a broker.
struct EdgeLink {
  /// 0: down.
  var number: UInt32 = 0
  /// It carries nothing any more, and neither end has noticed.
  var isDying = false
}

final class SimulatedEdge {
  let index: Int
  var isUp = false
  var incarnation: Int32 = 0
  var shards: [EdgeShard] = []
  var routing: EdgeRouter?
  var retryKey = RetryKey(edge: 0)
  var links: [EdgeLink]
  var lastTicket: UInt64 = 0
  var sessions: EdgeSessions?

  init(index: Int, brokers: Int) {
    self.index = index
    links = [EdgeLink](repeating: EdgeLink(), count: brokers)
  }
}

extension SimulatedCluster {
  func nodeNumber(_ edge: SimulatedEdge) -> Int { plan.brokers + edge.index }
  private func name(of broker: Int) -> NodeID { NodeID(UInt64(broker + 1)) }

  func start(_ edge: SimulatedEdge) {
    guard !edge.isUp else { return }
    edge.isUp = true
    edge.incarnation += 1
    note("edge \(edge.index) starts")
    edge.shards = (0..<plan.shards).map { EdgeShard(shard: $0, cacheBytes: plan.cacheBytes) }
    edge.routing = EdgeRouter(shards: plan.shards, seed: random.next())
    edge.retryKey = RetryKey(edge: random.next())
    if plan.clients > 0 { edge.sessions = EdgeSessions(seed: sessionRandom.next(), shards: plan.shards) }
    for broker in edge.links.indices { edge.links[broker] = EdgeLink() }
    queue.add(.edgeTick, at: now, target: edge.index, slot: Int(edge.incarnation))
  }

  /// It has no disk: everything it knew is gone, and its clients go elsewhere.
  func stop(_ edge: SimulatedEdge) {
    guard edge.isUp else { return }
    edge.isUp = false
    note("edge \(edge.index) dies")
    breakLinks(of: nodeNumber(edge))
    for reader in readers where reader.edge == edge.index { reader.leave() }
    for publisher in publishers { publisher.edgeDied(edge.index) }
    for consumer in consumers { consumer.edgeDied(edge.index) }
    for pipe in edge.sessions?.connections ?? [] {
      pipe.isOpenAtEdge = false
      tellEnd(pipe, toEdge: false, after: .milliseconds(10 + sessionRandom.below(1000)))
    }
    edge.sessions = nil
    edge.shards = []
    edge.routing = nil
  }

  // Links ----------------------------------------------------------------------------------------------

  /// Both ends will notice.
  func breakLink(_ edge: SimulatedEdge, _ broker: Int) {
    guard edge.links[broker].number != 0, !edge.links[broker].isDying else { return }
    edge.links[broker].isDying = true
    queue.add(.linkDown, at: now + .milliseconds(50 + random.below(500)), target: edge.index * plan.brokers + broker, slot: Int(edge.links[broker].number))
  }

  func breakLinks(of node: Int) {
    for edge in edges {
      for broker in edge.links.indices where node == broker || node == nodeNumber(edge) { breakLink(edge, broker) }
    }
  }

  func linkDown(_ event: Event) throws(Problem) {
    let edge = edges[Int(event.target) / plan.brokers]
    let broker = Int(event.target) % plan.brokers
    let number = UInt32(event.slot)
    if brokers[broker].isUp {
      for shard in brokers[broker].hosts.indices { brokers[broker].hosts[shard].process?.replica.forget(EdgeID(number)) }
    }
    guard edge.links[broker].number == number else { return }
    edge.links[broker] = EdgeLink()
    guard edge.isUp, let routing = edge.routing else { return }
    routing.router.went(name(of: broker), at: now, into: &routing.output)
    try carryOut(edge)
  }

  /// Makes links that can be made.
  private func reconnect(_ edge: SimulatedEdge) {
    let node = nodeNumber(edge)
    for broker in edge.links.indices where edge.links[broker].number == 0 {
      guard brokers[broker].isUp, !network.isBlocked(node, broker), !network.isBlocked(broker, node) else { continue }
      lastLink += 1
      edge.links[broker] = EdgeLink(number: lastLink)
      linkOwners.append((edge.index, broker))
      edge.routing?.router.came(name(of: broker))
    }
  }

  // Turns ----------------------------------------------------------------------------------------------

  func tick(_ edge: SimulatedEdge) throws(Problem) {
    reconnect(edge)
    for shard in edge.shards.indices { askForFeed(edge, shard) }
    if let routing = edge.routing { routing.router.tick(at: now, into: &routing.output) }
    try carryOut(edge)
    for reader in readers where reader.edge == edge.index { pump(reader) }
    careForSessions(edge)
    try flush(edge)
    queue.add(.edgeTick, at: now + .milliseconds(plan.tickMilliseconds), target: edge.index, slot: Int(edge.incarnation))
  }

  private func askForFeed(_ edge: SimulatedEdge, _ shard: Int) {
    while let change = edge.shards[shard].feed.change(for: EdgeID(0)) { ask(edge, shard, .interest(change)) }
    if let read = edge.shards[shard].feed.catchUp(for: EdgeID(0), maximumBytes: plan.pageBytes) { ask(edge, shard, .read(read)) }
  }

  func ask(_ edge: SimulatedEdge, _ shard: Int, _ request: ShardRequest) {
    guard let routing = edge.routing else { return }
    routing.router.ask(ShardID(shard), request, at: now, into: &routing.output)
  }

  /// The end of a turn.
  func flush(_ edge: SimulatedEdge) throws(Problem) {
    guard let routing = edge.routing else { return }
    repeat {
      saveSessions(edge)
      for shard in edge.shards.indices { askForFeed(edge, shard) }
      routing.router.flush(at: now, into: &routing.output)
      try carryOut(edge)
    } while routing.router.isStirred || edge.sessions?.house.owing.isEmpty == false
  }

  /// Does what the router wants done, until it wants nothing more.
  private func carryOut(_ edge: SimulatedEdge) throws(Problem) {
    guard let routing = edge.routing else { return }
    while !routing.output.sends.isEmpty || !routing.output.replies.isEmpty {
      let output = routing.output
      routing.output.removeAll()
      for send in output.sends { try self.send(send, from: edge) }
      for reply in output.replies { try take(reply, edge) }
    }
  }

  func nextTicket(of edge: SimulatedEdge) -> Ticket {
    edge.lastTicket += 1
    return Ticket(edge.lastTicket)
  }

  /// A message that names its key itself, or leaves that to the edge.
  func publish(_ pending: PendingPublish, topic: Int, givesKey: Bool, _ edge: SimulatedEdge) {
    let shard = topic % plan.shards
    let ticket = nextTicket(of: edge)
    let batch = PublishBatch(edge: EdgeID(0), capacity: 192)
    let name: [UInt8] = [116, UInt8(48 + topic)]
    var number = pending.message.littleEndian
    withUnsafeBytes(of: &number) { own in
      let encode = { (key: UnsafeRawBufferPointer) in
        name.withUnsafeBytes { name in
          self.padding.withUnsafeBytes { padding in
            let payload = UnsafeMutableRawBufferPointer.allocate(byteCount: 4 + self.plan.payloadBytes, alignment: 8)
            defer { payload.deallocate() }
            payload.copyMemory(from: own)
            UnsafeMutableRawBufferPointer(rebasing: payload[4...]).copyMemory(
              from: UnsafeRawBufferPointer(rebasing: padding[..<self.plan.payloadBytes]))
            let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
            RecordDraft().encode(
              topic: name, type: nothing, contentType: nothing, key: key, properties: nothing, payload: UnsafeRawBufferPointer(payload),
              into: &batch.records)
          }
        }
      }
      if givesKey { encode(own) } else { edge.retryKey.withNext(encode) }
    }
    batch.entries.append(PublishEntry(ticket: ticket, length: batch.records.count, expectedHead: pending.expectedHead, wantsAnswer: true))
    edge.shards[shard].publishes[ticket] = pending
    ask(edge, shard, .publish(batch))
  }

  private func send(_ routed: RoutedSend, from edge: SimulatedEdge) throws(Problem) {
    let broker = Int(routed.to.value) - 1
    let link = edge.links[broker].number
    guard link != 0, !edge.links[broker].isDying else { return }
    let from = nodeNumber(edge)
    guard !network.isBlocked(from, broker), brokers[broker].isUp else { return breakLink(edge, broker) }
    let request = try crossing(routed.request.asked(by: EdgeID(link)), of: routed.shard)
    let arrives = network.arrivalInOrder(from, broker, at: now, &random)
    post(Envelope(from: from, to: broker, link: link, parcel: .request(shard: routed.shard.index, request)), at: arrives)
  }

  // Answers --------------------------------------------------------------------------------------------

  func receive(_ replies: [ShardReply], _ edge: SimulatedEdge, from broker: Int) throws(Problem) {
    guard let routing = edge.routing else { return }
    for reply in replies { routing.router.receive(reply, from: name(of: broker), at: now, into: &routing.output) }
    try flush(edge)
  }

  private func take(_ reply: ShardReply, _ edge: SimulatedEdge) throws(Problem) {
    switch reply {
    case .published(let shard, let results):
      for result in results { try take(result, edge, shard.index) }
    case .push(let push):
      guard edge.shards[push.shard.index].feed.admits(push) else { return }
      try deliver(push, edge)
    case .interest(let reply):
      guard edge.shards[reply.shard.index].feed.live(reply) else { return try endCatchingUp(edge, reply.shard) }
      note("edge \(edge.index) shard \(reply.shard) is live from \(reply.liveFrom)")
      for reader in readers where reader.edge == edge.index { pump(reader, reply.shard.index) }
      pumpClients(edge, reply.shard.index)
    case .feedEnded(let shard, _): edge.shards[shard.index].feed.reopen()
    case .read(let reply):
      switch edge.shards[reply.shard.index].feed.takes(reply) {
      case .notAsked: break
      case .failed: return
      case .page(let push):
        try deliver(push, edge)
        return try endCatchingUp(edge, reply.shard)
      case .gone:
        edge.shards[reply.shard.index].feed.forgoCatchUp()
        return try endCatchingUp(edge, reply.shard)
      }
      if try takesRead(reply, edge) { return }
      let state = edge.shards[reply.shard.index]
      guard let index = state.reads.firstIndex(where: { $0.ticket == reply.ticket }) else { return }
      let read = state.reads.remove(at: index)
      try take(reply, for: readers[read.reader], edge)
    case .consumer(let reply):
      let state = edge.shards[reply.shard.index]
      guard let index = state.consumers.firstIndex(where: { $0.ticket == reply.ticket }) else { return }
      let asked = state.consumers.remove(at: index)
      try consumers[asked.consumer].take(reply.result)
    case .session(let reply): try take(reply, edge)
    case .sessionNotice(let notice): take(notice, edge)
    case .history, .presence, .presencePush, .group: break
    }
  }

  private func deliver(_ push: FeedPush, _ edge: SimulatedEdge) throws(Problem) {
    let state = edge.shards[push.shard.index]
    note("edge \(edge.index) shard \(push.shard) is pushed \(push.pieces.count) up to \(push.upTo)")
    // Whoever follows everything here, and keeps up, reads nothing for himself: this must be all there is.
    if !plan.losesHistory, state.feed.follows(wildcard) { try ledger.pushed(push, after: state.feed.upTo, to: edge.index) }
    state.feed.take(push)
    for reader in readers where reader.edge == edge.index { pump(reader, push.shard.index) }
    pumpClients(edge, push.shard.index)
  }

  private func endCatchingUp(_ edge: SimulatedEdge, _ shard: ShardID) throws(Problem) {
    guard let pushes = edge.shards[shard.index].feed.caughtUp() else { return }
    for push in pushes { try deliver(push, edge) }
    for reader in readers where reader.edge == edge.index { pump(reader, shard.index) }
    pumpClients(edge, shard.index)
  }

  private func take(_ result: PublishResult, _ edge: SimulatedEdge, _ shard: Int) throws(Problem) {
    if takesPublished(result, edge) { return }
    guard let pending = edge.shards[shard].publishes.removeValue(forKey: result.ticket) else {
      throw Problem("edge \(edge.index) answered a publish twice, or one that nobody made")
    }
    let publisher = publishers[pending.publisher]
    switch result.outcome {
    case .accepted(let offset, _):
      try ledger.acknowledged(pending.message, shard: shard, offset: offset, expectedHead: pending.expectedHead)
      publisher.finished(pending.message, .kept(offset))
    case .duplicate(let offset, _):
      if !publisher.givesKeys { throw Problem("message \(pending.message), which was published once, was called a duplicate") }
      try ledger.acknowledged(pending.message, shard: shard, offset: offset, expectedHead: nil)
      publisher.finished(pending.message, .kept(offset))
    case .refused(.headMoved(let head)): publisher.finished(pending.message, .refused(head))
    case .refused(let refusal):
      note("publisher \(publisher.index) is refused message \(pending.message): \(refusal)")
      publisher.failed(pending.message)
    }
  }
}
