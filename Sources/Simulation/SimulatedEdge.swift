internal import Core
internal import Feeds
internal import Replica

/// A publish that a client waits for.
struct PendingPublish {
  var message: UInt32
  var topic: Int
  var expectedHead: Offset?
  var publisher: Int
  var ticket: Ticket
  /// The broker it was sent to; nil when it is to be sent again, under the same key.
  var sentTo: Int?
  /// Nobody asks again before that.
  var notBefore: Instant
  var sentAt = Instant.zero
}

/// A read on behalf of a subscriber that is behind.
struct PendingRead {
  var ticket: Ticket
  var reader: Int
  var sentTo: Int
}

struct PendingConsumer {
  var ticket: Ticket
  var consumer: Int
  var sentTo: Int
}

/// What an edge knows of one shard.
final class EdgeShard {
  var feed: FeedClient
  /// Whom it takes for the leader.
  var leader: Int
  /// The link on which the feed is open.
  var openedOn: UInt32?
  var feedNotBefore = Instant.zero
  var publishes: [PendingPublish] = []
  var reads: [PendingRead] = []
  var consumers: [PendingConsumer] = []

  init(shard: Int, leader: Int, cacheBytes: Int) {
    feed = FeedClient(shard: ShardID(shard), cacheBytes: cacheBytes)
    self.leader = leader
  }
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
  var links: [EdgeLink]
  var lastTicket: UInt64 = 0

  init(index: Int, brokers: Int) {
    self.index = index
    links = [EdgeLink](repeating: EdgeLink(), count: brokers)
  }
}

extension SimulatedCluster {
  func nodeNumber(_ edge: SimulatedEdge) -> Int { plan.brokers + edge.index }

  func start(_ edge: SimulatedEdge) {
    guard !edge.isUp else { return }
    edge.isUp = true
    edge.incarnation += 1
    note("edge \(edge.index) starts")
    edge.shards = (0..<plan.shards).map { EdgeShard(shard: $0, leader: random.below(plan.brokers), cacheBytes: plan.cacheBytes) }
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
    edge.shards = []
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
    guard edge.isUp else { return }
    for shard in edge.shards.indices { lost(edge, shard, broker) }
  }

  /// What was asked of that broker is asked again.
  private func lost(_ edge: SimulatedEdge, _ shard: Int, _ broker: Int) {
    let state = edge.shards[shard]
    for index in state.publishes.indices where state.publishes[index].sentTo == broker { state.publishes[index].sentTo = nil }
    for read in state.reads where read.sentTo == broker { readers[read.reader].readFailed(shard) }
    state.reads.removeAll { $0.sentTo == broker }
    for asked in state.consumers where asked.sentTo == broker { consumers[asked.consumer].failed() }
    state.consumers.removeAll { $0.sentTo == broker }
    guard state.leader == broker else { return }
    if state.openedOn != nil {
      state.openedOn = nil
      state.feed.reopen()
    }
    state.leader = random.below(plan.brokers)
  }

  /// The link to a broker, made if it can be.
  private func link(_ edge: SimulatedEdge, _ broker: Int) -> UInt32? {
    if edge.links[broker].number != 0 { return edge.links[broker].isDying ? nil : edge.links[broker].number }
    let node = nodeNumber(edge)
    guard brokers[broker].isUp, !network.isBlocked(node, broker), !network.isBlocked(broker, node) else { return nil }
    lastLink += 1
    edge.links[broker] = EdgeLink(number: lastLink)
    linkOwners.append((edge.index, broker))
    return lastLink
  }

  private var publishPatience: TimeSpan { .seconds(5) }

  // Turns ----------------------------------------------------------------------------------------------

  func tick(_ edge: SimulatedEdge) {
    for shard in edge.shards.indices { flush(edge, shard) }
    for reader in readers where reader.edge == edge.index { pump(reader) }
    queue.add(.edgeTick, at: now + .milliseconds(plan.tickMilliseconds), target: edge.index, slot: Int(edge.incarnation))
  }

  /// Sends what waits for the shard's leader.
  func flush(_ edge: SimulatedEdge, _ shard: Int) {
    let state = edge.shards[shard]
    // Who led may never hear what became of it: it is asked for again under the same key.
    for index in state.publishes.indices where state.publishes[index].sentTo != nil && now - state.publishes[index].sentAt > publishPatience {
      state.publishes[index].sentTo = nil
    }
    let wantsFeed = state.openedOn == nil ? state.feed.heldFilters > 0 : state.feed.hasChange
    guard wantsFeed || state.publishes.contains(where: { $0.sentTo == nil }) else { return }
    guard let link = link(edge, state.leader) else {
      if edge.links[state.leader].number == 0 { state.leader = random.below(plan.brokers) }
      return
    }
    if now >= state.feedNotBefore {
      if state.openedOn == nil, state.feed.heldFilters > 0 {
        if state.openedOn != link { state.feed.reopen() }
        state.openedOn = link
      }
      if let change = state.feed.change(for: EdgeID(link)) { send(.interest(change), from: edge, shard, link) }
    }
    for index in state.publishes.indices where state.publishes[index].sentTo == nil && now >= state.publishes[index].notBefore {
      state.publishes[index].sentTo = state.leader
      state.publishes[index].sentAt = now
      send(encode(state.publishes[index], EdgeID(link)), from: edge, shard, link)
    }
  }

  private func encode(_ pending: PendingPublish, _ edge: EdgeID) -> ShardRequest {
    let batch = PublishBatch(edge: edge, capacity: 192)
    let topic: [UInt8] = [116, UInt8(48 + pending.topic)]
    var number = pending.message.littleEndian
    withUnsafeBytes(of: &number) { key in
      topic.withUnsafeBytes { topic in
        padding.withUnsafeBytes { padding in
          let payload = UnsafeMutableRawBufferPointer.allocate(byteCount: 4 + plan.payloadBytes, alignment: 8)
          defer { payload.deallocate() }
          payload.copyMemory(from: key)
          UnsafeMutableRawBufferPointer(rebasing: payload[4...]).copyMemory(from: UnsafeRawBufferPointer(rebasing: padding[..<plan.payloadBytes]))
          let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
          RecordDraft().encode(
            topic: topic, type: nothing, contentType: nothing, key: key, properties: nothing, payload: UnsafeRawBufferPointer(payload),
            into: &batch.records)
        }
      }
    }
    batch.entries.append(
      PublishEntry(ticket: pending.ticket, length: batch.records.count, expectedHead: pending.expectedHead, wantsAnswer: true))
    return .publish(batch)
  }

  /// Asks the shard's leader; nil when it cannot be reached.
  func ask(_ edge: SimulatedEdge, _ shard: Int, _ request: (EdgeID, Ticket) -> ShardRequest) -> (ticket: Ticket, broker: Int)? {
    let state = edge.shards[shard]
    guard let link = link(edge, state.leader) else {
      if edge.links[state.leader].number == 0 { state.leader = random.below(plan.brokers) }
      return nil
    }
    edge.lastTicket += 1
    let ticket = Ticket(edge.lastTicket)
    send(request(EdgeID(link), ticket), from: edge, shard, link)
    return (ticket, state.leader)
  }

  private func send(_ request: ShardRequest, from edge: SimulatedEdge, _ shard: Int, _ link: UInt32) {
    let broker = linkOwners[Int(link) - 1].broker
    let from = nodeNumber(edge)
    guard !network.isBlocked(from, broker), brokers[broker].isUp else { return breakLink(edge, broker) }
    let arrives = network.arrivalInOrder(from, broker, at: now, &random)
    post(Envelope(from: from, to: broker, link: link, parcel: .request(shard: shard, request)), at: arrives)
  }

  // Answers --------------------------------------------------------------------------------------------

  func take(_ reply: ShardReply, _ edge: SimulatedEdge, from broker: Int) throws(Problem) {
    switch reply {
    case .published(let shard, let results):
      for result in results { try take(result, edge, shard.index, from: broker) }
    case .push(let push):
      let state = edge.shards[push.shard.index]
      guard state.openedOn != nil, state.leader == broker else { return }
      state.feed.take(push)
      note("edge \(edge.index) shard \(push.shard) is pushed \(push.pieces.count) up to \(push.upTo) by broker \(broker)")
      for reader in readers where reader.edge == edge.index { pump(reader, push.shard.index) }
    case .interest(let reply):
      let state = edge.shards[reply.shard.index]
      guard state.openedOn != nil, state.leader == broker, state.feed.live(reply) else { return }
      note("edge \(edge.index) shard \(reply.shard) is live from \(reply.liveFrom) at broker \(broker)")
      for reader in readers where reader.edge == edge.index { pump(reader, reply.shard.index) }
    case .feedEnded(let shard, let refusal):
      let state = edge.shards[shard.index]
      guard state.openedOn != nil, state.leader == broker else { return }
      state.openedOn = nil
      state.feed.reopen()
      redirect(edge, shard.index, refusal, from: broker)
    case .read(let reply):
      let state = edge.shards[reply.shard.index]
      guard let index = state.reads.firstIndex(where: { $0.ticket == reply.ticket }) else { return }
      let read = state.reads.remove(at: index)
      try take(reply, for: readers[read.reader], edge, from: broker)
    case .consumer(let reply):
      let state = edge.shards[reply.shard.index]
      guard let index = state.consumers.firstIndex(where: { $0.ticket == reply.ticket }) else { return }
      let asked = state.consumers.remove(at: index)
      if case .failure(let refusal) = reply.result { redirect(edge, reply.shard.index, refusal, from: broker) }
      try consumers[asked.consumer].take(reply.result)
    case .history: break
    }
  }

  private func take(_ result: PublishResult, _ edge: SimulatedEdge, _ shard: Int, from broker: Int) throws(Problem) {
    let state = edge.shards[shard]
    guard let index = state.publishes.firstIndex(where: { $0.ticket == result.ticket }) else { return }
    let pending = state.publishes[index]
    switch result.outcome {
    case .accepted(let offset, _):
      try ledger.acknowledged(pending.message, shard: shard, offset: offset, expectedHead: pending.expectedHead)
      finish(pending, state, index, .kept(offset))
    case .duplicate(let offset, _):
      try ledger.acknowledged(pending.message, shard: shard, offset: offset, expectedHead: nil)
      finish(pending, state, index, .kept(offset))
    case .refused(.headMoved(let head)): finish(pending, state, index, .refused(head))
    case .refused(let refusal):
      guard state.publishes[index].sentTo == broker else { return }
      state.publishes[index].sentTo = nil
      state.publishes[index].notBefore = now + .milliseconds(20 + random.below(100))
      redirect(edge, shard, refusal, from: broker)
    }
  }

  private func finish(_ pending: PendingPublish, _ state: EdgeShard, _ index: Int, _ outcome: PublishEnd) {
    state.publishes.remove(at: index)
    publishers[pending.publisher].finished(pending.message, outcome)
  }

  func redirect(_ edge: SimulatedEdge, _ shard: Int, _ refusal: Refusal, from broker: Int) {
    let state = edge.shards[shard]
    guard state.leader == broker else { return }
    state.feedNotBefore = now + .milliseconds(20 + random.below(50))
    switch refusal {
    case .notLeader(let leader?): move(state, to: Int(leader.value) - 1)
    case .notLeader(nil), .journalFailed, .damaged, .unknownOutcome, .diskFull, .noQuorum: move(state, to: random.below(plan.brokers))
    case .electing, .overloaded, .headMoved, .noSuchConsumer, .consumerDiffers: break
    }
  }

  private func move(_ state: EdgeShard, to broker: Int) {
    guard broker != state.leader, broker < plan.brokers else { return }
    if state.openedOn != nil {
      state.openedOn = nil
      state.feed.reopen()
    }
    state.leader = broker
  }
}
