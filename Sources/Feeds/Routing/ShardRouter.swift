public import Core

/// Carries the questions of one edge reactor to whoever leads each shard, and the answers back.
///
/// ```
///  edge ── ask ──▶ ┌───────────┐ ── sends ──▶ broker      leader moved, link broke, no answer:
///                  │ per shard │                          asked again, elsewhere, under the same key
///  edge ◀─replies─ └───────────┘ ◀─ receive ─ broker
/// ```
///
/// A question is answered exactly once. A publish is sent again only as it was sent first: its record bears a key, so
/// that the shard tells the second from the first. Everything that waits is bounded in bytes, in count and in time; past
/// a bound it is refused.
///
/// Lives on its edge's reactor; knows no clock and no socket.
public struct ShardRouter: ~Copyable {
  let settings: RouterSettings
  var lanes: [ShardLane]
  /// Brokers that can be asked now.
  var brokers: [NodeID] = []
  var random: SeededGenerator
  private var silentTickets: UInt64 = 0
  /// Shards that may have something to send.
  var stirred: [Int] = []
  public internal(set) var counters = RouterCounters()

  public init(shards: Int, settings: RouterSettings = RouterSettings(), seed: UInt64) {
    self.settings = settings
    lanes = (0..<shards).map { ShardLane(shard: ShardID($0)) }
    random = SeededGenerator(seed: seed)
  }

  /// Whether a flush may have something to send.
  public var isStirred: Bool { !stirred.isEmpty }

  /// Whether there is anybody to ask.
  public var reachesABroker: Bool { !brokers.isEmpty }

  /// Who is taken for the shard's leader.
  public func leader(of shard: ShardID) -> NodeID? { lanes[shard.index].leader }

  // Who is there ---------------------------------------------------------------------------------------

  /// The broker can be asked from here on.
  public mutating func came(_ broker: NodeID) {
    guard !brokers.contains(broker) else { return }
    brokers.append(broker)
    for index in lanes.indices {
      // With it there may be a quorum: what is published now waits for an election again.
      lanes[index].somebodyLeads()
      stir(index)
    }
  }

  /// The broker cannot be asked any more; what it was asked it will not answer.
  public mutating func went(_ broker: NodeID, at now: Instant, into output: inout RouterOutput) {
    guard let place = brokers.firstIndex(of: broker) else { return }
    brokers.remove(at: place)
    for index in lanes.indices {
      lanes[index].takeBack(from: broker)
      if lanes[index].feedOn == broker { endFeed(index, .notLeader(nil), into: &output) }
      if lanes[index].groupsOn == broker { endGroups(index, .notLeader(nil), into: &output) }
      if lanes[index].leader == broker { lanes[index].leader = nil }
      stir(index)
    }
  }

  /// Somebody who should know says who leads.
  public mutating func heard(_ leader: NodeID, of shard: ShardID, at now: Instant, into output: inout RouterOutput) {
    lanes[shard.index].reachableBy = now + settings.linkPatience
    move(shard.index, to: leader, into: &output)
  }

  // Asking ---------------------------------------------------------------------------------------------

  /// The edge asks a shard for something.
  public mutating func ask(_ shard: ShardID, _ request: ShardRequest, at now: Instant, into output: inout RouterOutput) {
    let index = shard.index
    stir(index)
    switch request {
    case .publish(let batch): enqueue(batch, index, at: now, into: &output)
    case .interest(let change):
      if change.restarts { lanes[index].changes.removeAll() }
      guard lanes[index].feedOn != nil || change.restarts || lanes[index].changes.isEmpty else {
        lanes[index].changes.append(change)
        return
      }
      lanes[index].changes.append(change)
    case .read(let read): enqueue(.read(read), read.ticket, index, at: now, into: &output)
    case .history(let history): enqueue(.history(history), history.ticket, index, at: now, into: &output)
    case .consumer(let consumer): enqueue(.consumer(consumer), consumer.ticket, index, at: now, into: &output)
    case .presence(let presence): enqueue(.presence(presence), presence.ticket, index, at: now, into: &output)
    case .session(let session): enqueue(.session(session), session.ticket, index, at: now, into: &output)
    case .group(let group): enqueue(.group(group), group.ticket, index, at: now, into: &output)
    }
  }

  private mutating func enqueue(_ batch: PublishBatch, _ index: Int, at now: Instant, into output: inout RouterOutput) {
    if let refusal = refusal(of: batch.records.count, index, at: now) {
      output.replies.append(ShardRequest.publish(batch).refused(refusal, by: ShardID(index)))
      return
    }
    lanes[index].heldBytes += batch.records.count
    lanes[index].publishes.append(RoutedBatch(batch, tickets: &silentTickets, at: now))
  }

  private mutating func refusal(of bytes: Int, _ index: Int, at now: Instant) -> Refusal? {
    if lanes[index].heldBytes + bytes > settings.heldBytes {
      counters.overloads += 1
      return .overloaded
    }
    // One at a time goes to see whether somebody leads again.
    if lanes[index].isForsaken(at: now, settings), !lanes[index].publishes.isEmpty { return .noQuorum }
    return nil
  }

  private mutating func enqueue(
    _ request: ShardRequest, _ ticket: Ticket, _ index: Int, at now: Instant, into output: inout RouterOutput
  ) {
    guard lanes[index].questions.count < settings.questions else {
      counters.overloads += 1
      output.replies.append(request.refused(.overloaded, by: ShardID(index)))
      return
    }
    lanes[index].questions.append(RoutedQuestion(request: request, ticket: ticket, askedAt: now))
  }

  mutating func stir(_ index: Int) {
    guard !lanes[index].isStirred else { return }
    lanes[index].isStirred = true
    stirred.append(index)
  }

  // Sending --------------------------------------------------------------------------------------------

  /// Sends what can be sent. Called at the end of a turn.
  public mutating func flush(at now: Instant, into output: inout RouterOutput) {
    let indices = stirred
    stirred.removeAll(keepingCapacity: true)
    for index in indices {
      lanes[index].isStirred = false
      flush(index, at: now, into: &output)
    }
  }

  private mutating func flush(_ index: Int, at now: Instant, into output: inout RouterOutput) {
    guard lanes[index].wantsSending, now >= lanes[index].notBefore, let leader = target(index, at: now) else { return }
    let shard = ShardID(index)
    if lanes[index].feedOn == nil, !lanes[index].changes.isEmpty { lanes[index].feedOn = leader }
    if lanes[index].feedOn == leader {
      for change in lanes[index].changes { output.sends.append(RoutedSend(to: leader, shard: shard, request: .interest(change))) }
      lanes[index].changes.removeAll(keepingCapacity: true)
    }
    for place in lanes[index].publishes.indices {
      // Whoever published one after another has them in this order.
      if let other = lanes[index].publishes[place].sentTo, other != leader { break }
      guard lanes[index].publishes[place].sentTo == nil else { continue }
      let request = lanes[index].publishes[place].send(to: leader, at: now)
      output.sends.append(RoutedSend(to: leader, shard: shard, request: request))
    }
    for place in lanes[index].questions.indices where lanes[index].questions[place].sentTo == nil {
      lanes[index].questions[place].sentTo = leader
      lanes[index].questions[place].sentAt = now
      output.sends.append(RoutedSend(to: leader, shard: shard, request: lanes[index].questions[place].request))
    }
  }

  /// Whom to ask: the leader if it is known and can be reached, or else anyone, who will know.
  private mutating func target(_ index: Int, at now: Instant) -> NodeID? {
    if let leader = lanes[index].leader, brokers.contains(leader) { return leader }
    if lanes[index].leader != nil, now < lanes[index].reachableBy { return nil }
    guard !brokers.isEmpty else {
      lanes[index].nobodyLeads(at: now)
      return nil
    }
    let guess = brokers[random.below(brokers.count)]
    lanes[index].leader = guess
    return guess
  }

  // Time -----------------------------------------------------------------------------------------------

  /// Time passed: every 20 to 100 ms.
  public mutating func tick(at now: Instant, into output: inout RouterOutput) {
    for index in lanes.indices where lanes[index].isBusy {
      for refused in lanes[index].giveUp(at: now, settings) {
        counters.givenUp += 1
        output.replies.append(refused)
      }
      stir(index)
    }
    flush(at: now, into: &output)
  }
}

/// What a router wants done and has to tell.
public struct RouterOutput {
  /// In this order to each broker.
  public var sends: [RoutedSend] = []
  /// To the edge, in this order.
  public var replies: [ShardReply] = []

  public init() {}

  public mutating func removeAll() {
    sends.removeAll(keepingCapacity: true)
    replies.removeAll(keepingCapacity: true)
  }
}

public struct RoutedSend {
  public var to: NodeID
  public var shard: ShardID
  public var request: ShardRequest
}

public struct RouterSettings: Sendable {
  /// Records of one shard that wait for an answer; past it, publishes are refused.
  public var heldBytes = 16 << 20
  /// Reads and the like of one shard that wait for an answer.
  public var questions = 16_384
  /// How long a publish, or a question, may go unanswered, elections and all.
  public var patience = TimeSpan.seconds(8)
  /// A shard that nobody leads is waited for this long, which an election may take; after that publishes are refused at
  /// once, but for one at a time.
  public var electionPatience = TimeSpan.milliseconds(2500)
  /// How long that one waits.
  public var probePatience = TimeSpan.milliseconds(500)
  /// One broker has this long before another is tried.
  public var brokerPatience = TimeSpan.seconds(3)
  /// Whoever leads, as others say, has this long to become reachable.
  public var linkPatience = TimeSpan.seconds(1)
  /// Between two attempts, at least, and as much again at random.
  public var pause = TimeSpan.milliseconds(20)

  public init() {}
}

public struct RouterCounters: Sendable {
  /// Publishes that were sent more than once.
  public var resent: UInt64 = 0
  /// Times that the leader was found to be another than was thought.
  public var moves: UInt64 = 0
  public var overloads: UInt64 = 0
  public var givenUp: UInt64 = 0

  public init() {}
}
