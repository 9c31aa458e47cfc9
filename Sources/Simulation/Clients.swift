internal import Core
internal import Feeds

/// How a publish ended for who asked.
enum PublishEnd {
  case kept(Offset)
  /// The topic's newest message is another one.
  case refused(Offset)
}

/// Publishes one message after another, each until it is acknowledged, at whatever edge is there.
final class SimulatedPublisher {
  let index: Int
  /// Publishes to this topic on condition that nobody else did meanwhile.
  let conditionalTopic: Int?
  var isAsking = false
  var message: UInt32 = 0
  var topic = 0
  var startedAt = Instant.zero
  /// Where the message waits; nil while no edge is there.
  var edge: Int?
  var head = Offset.zero
  var isStopped = false
  /// Without keys of its own it cannot repeat what may have been kept: what was refused, it gives up.
  let givesKeys: Bool

  init(index: Int, conditionalTopic: Int?) {
    self.index = index
    self.conditionalTopic = conditionalTopic
    givesKeys = conditionalTopic != nil || index % 3 != 2
  }

  func edgeDied(_ dead: Int) { if edge == dead { failed(message) } }

  /// Nobody knows what became of it, or it was refused.
  func failed(_ number: UInt32) {
    guard isAsking, number == message else { return }
    edge = nil
    if !givesKeys { isAsking = false }
  }

  func finished(_ number: UInt32, _ outcome: PublishEnd) {
    guard isAsking, number == message else { return }
    isAsking = false
    edge = nil
    switch outcome {
    case .kept(let offset): head = offset
    case .refused(let newest): head = newest
    }
  }
}

/// Follows one topic, or all, and carries nothing but its cursor when it moves.
final class SimulatedReader {
  let index: Int
  /// Nil: all topics.
  let topic: Int32?
  let filter: Filter
  let shards: [Int]
  var places: [ReaderPlace]
  /// A read for it is under way.
  var isReading: [Bool]
  var edge: Int?
  /// It reads nothing until then.
  var stallsUntil = Instant.zero

  init(index: Int, topic: Int32?, filter: Filter, shards: [Int], of count: Int) {
    self.index = index
    self.topic = topic
    self.filter = filter
    self.shards = shards
    places = [ReaderPlace](repeating: ReaderPlace(), count: count)
    isReading = [Bool](repeating: false, count: count)
  }

  func leave() {
    edge = nil
    for shard in isReading.indices { isReading[shard] = false }
  }

  func readFailed(_ shard: Int) { isReading[shard] = false }
}

/// Acknowledges as it goes, under a name, and sees to it that its cursor never goes back.
final class SimulatedConsumer {
  let index: Int
  let name: String
  let shard: Int
  var edge: Int?
  var isAsking = false
  /// What it has acknowledged last, and what was confirmed.
  var sent: UInt64 = 0
  var confirmed: UInt64 = 0
  var isOpen = false
  var isStopped = false

  init(index: Int, shard: Int) {
    self.index = index
    name = "consumer-\(index)"
    self.shard = shard
  }

  func failed() { isAsking = false }
  func edgeDied(_ dead: Int) {
    guard edge == dead else { return }
    edge = nil
    isAsking = false
  }

  func take(_ result: Result<[Consumer], Refusal>) throws(Problem) {
    isAsking = false
    switch result {
    case .failure(.noSuchConsumer):
      if isOpen { throw Problem("consumer \(name) is gone") }
    case .failure: break
    case .success(let found):
      guard let consumer = found.first else { return }
      isOpen = true
      let at = consumer.cursor.positions.first { $0.shard == ShardID(0) }?.offset.value ?? 0
      guard at >= confirmed else { throw Problem("consumer \(name) was at \(confirmed) and is at \(at)") }
      guard at <= sent else { throw Problem("consumer \(name) is at \(at), and never went past \(sent)") }
      confirmed = at
    }
  }
}

extension SimulatedCluster {
  private var someEdge: SimulatedEdge? {
    let up = edges.filter(\.isUp)
    return up.isEmpty ? nil : up[random.below(up.count)]
  }

  func act(_ publisher: SimulatedPublisher) throws(Problem) {
    let pause = plan.thinkMilliseconds
    queue.add(.publisher, at: now + .milliseconds(1 + random.below(2 * pause)), target: publisher.index)
    if publisher.isAsking {
      if publisher.edge == nil, now - publisher.startedAt < .seconds(plan.retrySeconds) || isHealing { try submit(publisher) }
      return
    }
    guard !publisher.isStopped else { return }
    publisher.message = nextMessage
    nextMessage += 1
    publisher.topic = publisher.conditionalTopic ?? random.below(plan.topics - 1)
    publisher.isAsking = true
    publisher.startedAt = now
    try submit(publisher)
  }

  private func submit(_ publisher: SimulatedPublisher) throws(Problem) {
    guard let edge = someEdge else { return publisher.failed(publisher.message) }
    publisher.edge = edge.index
    let pending = PendingPublish(
      message: publisher.message, publisher: publisher.index, expectedHead: publisher.conditionalTopic == nil ? nil : publisher.head)
    publish(pending, topic: publisher.topic, givesKey: publisher.givesKeys, edge)
    try flush(edge)
  }

  /// A reader comes, goes elsewhere, stalls.
  func act(_ reader: SimulatedReader) throws(Problem) {
    queue.add(.subscriber, at: now + .milliseconds(200 + random.below(4000)), target: reader.index)
    if reader.edge != nil, !isHealing, random.below(100) < plan.restlessness {
      leave(reader)
      if random.below(3) == 0 { return }
    } else if reader.edge != nil, !isHealing, random.below(100) < plan.restlessness {
      reader.stallsUntil = now + .milliseconds(random.below(5000))
    }
    guard reader.edge == nil, let edge = someEdge else { return }
    reader.edge = edge.index
    for shard in reader.shards { edge.shards[shard].feed.hold(reader.filter) }
    pump(reader)
    try flush(edge)
  }

  func leave(_ reader: SimulatedReader) {
    guard let edge = reader.edge else { return }
    for shard in reader.shards {
      edges[edge].shards[shard].feed.release(reader.filter)
      edges[edge].shards[shard].reads.removeAll { $0.reader == reader.index }
    }
    reader.leave()
  }

  func act(_ consumer: SimulatedConsumer) throws(Problem) {
    queue.add(.consumer, at: now + .milliseconds(100 + random.below(2000)), target: consumer.index)
    guard !consumer.isAsking, !consumer.isStopped, let edge = someEdge else { return }
    consumer.edge = edge.index
    let kind = random.below(3)
    if consumer.isOpen, kind == 0 { consumer.sent += UInt64(random.below(5)) }
    // Acknowledgements overtake each other; the highest counts.
    let offset = kind == 1 ? consumer.sent - min(consumer.sent, UInt64(random.below(4))) : consumer.sent
    var cursor = Cursor(cluster: ClusterID(1))
    cursor.fold(Position(ShardID(0), Offset(offset)))
    let operation: ConsumerRequest.Operation =
      !consumer.isOpen
      ? .open(name: consumer.name, filters: [wildcard], cursor: Cursor(cluster: ClusterID(1)))
      : kind == 2 ? .show(name: consumer.name) : .acknowledge(name: consumer.name, cursor: cursor, reset: false)
    let ticket = nextTicket(of: edge)
    consumer.isAsking = true
    edge.shards[consumer.shard].consumers.append((ticket, consumer.index))
    ask(edge, consumer.shard, .consumer(ConsumerRequest(edge: EdgeID(0), ticket: ticket, operation: operation)))
    try flush(edge)
  }

  // Reading --------------------------------------------------------------------------------------------

  func pump(_ reader: SimulatedReader) {
    for shard in reader.shards { pump(reader, shard) }
  }

  /// Gives a reader what is there for it: from the cache, or by a read when it is further behind.
  func pump(_ reader: SimulatedReader, _ shard: Int) {
    guard problem == nil, let index = reader.edge, now >= reader.stallsUntil, !reader.isReading[shard] else { return }
    let edge = edges[index]
    let state = edge.shards[shard]
    if let coverage = state.feed.coverage(of: [reader.filter]), reader.places[shard].at >= coverage {
      give(reader, shard, from: state.feed)
      return
    }
    let ticket = nextTicket(of: edge)
    reader.isReading[shard] = true
    state.reads.append((ticket, reader.index))
    let request = ReadRequest(
      edge: EdgeID(0), ticket: ticket, filters: [reader.filter], start: .after(reader.places[shard].at), maximumBytes: plan.pageBytes)
    ask(edge, shard, .read(request))
  }

  private func give(_ reader: SimulatedReader, _ shard: Int, from feed: borrowing FeedClient) {
    guard reader.places[shard].at < feed.upTo else { return }
    feed.cache.forEach(after: reader.places[shard].at) { record in
      guard record.kind == .record else { return true }
      let message = Message(record)
      guard reader.topic == nil || message.topic == reader.topic else { return true }
      do throws(Problem) {
        try ledger.delivered(message, shard: shard, offset: record.offset, topic: reader.topic, seen: &reader.places[shard], to: reader.index)
      } catch {
        problem = problem ?? error
        return false
      }
      return true
    }
    guard problem == nil else { return }
    do throws(Problem) {
      try ledger.passed(upTo: feed.upTo, shard: shard, topic: reader.topic, seen: &reader.places[shard], by: reader.index)
    } catch { problem = error }
  }

  func take(_ reply: ReadReply, for reader: SimulatedReader, _ edge: SimulatedEdge) throws(Problem) {
    let shard = reply.shard.index
    reader.isReading[shard] = false
    guard reader.edge == edge.index else { return }
    switch reply.result {
    case .failure: break
    case .success(let page):
      note("reader \(reader.index) shard \(shard) at \(reader.places[shard].at) reads up to \(page.upTo) of \(page.committed)\(page.isBehind ? ", which may be behind" : "")")
      if let gap = page.gap {
        guard gap.reason == .expired, plan.losesHistory else { throw Problem("reader \(reader.index) was told of a gap in shard \(shard): \(gap)") }
        ledger.skipped(to: gap.to, shard: shard, seen: &reader.places[shard])
        report.gaps += 1
      }
      for piece in page.pieces {
        var problem: Problem?
        piece.withUnsafeBytes { memory in
          for record in RecordSequence(trusting: memory) where problem == nil {
            do throws(Problem) {
              try ledger.delivered(
                Message(record), shard: shard, offset: record.offset, topic: reader.topic, seen: &reader.places[shard], to: reader.index)
            } catch { problem = error }
          }
        }
        if let problem { throw problem }
      }
      try ledger.passed(upTo: page.upTo, shard: shard, topic: reader.topic, seen: &reader.places[shard], by: reader.index)
      // From one that may be behind there is no more for now; the next turn asks again.
      if !page.isBehind { pump(reader, shard) }
    }
  }
}
