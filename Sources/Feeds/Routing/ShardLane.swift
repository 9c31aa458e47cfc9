internal import Core

/// What waits on its way to one shard and back.
struct ShardLane {
  let shard: ShardID
  var leader: NodeID?
  /// Until then a leader that is known by name only may become reachable.
  var reachableBy = Instant.zero
  var notBefore = Instant.zero
  /// Who has said since the last success that it cannot be done there.
  var refusedBy: [NodeID] = []
  /// Where the feed is open; answers and pushes of others are none.
  var feedOn: NodeID?
  /// Who has heard of groups' members.
  var groupsOn: NodeID?
  /// Since when nobody is known to lead.
  var forsakenSince: Instant?
  var changes: [InterestChange] = []
  /// Unanswered, in the order in which they came.
  var publishes: [RoutedBatch] = []
  var heldBytes = 0
  var questions: [RoutedQuestion] = []
  var isStirred = false

  init(shard: ShardID) { self.shard = shard }

  var isBusy: Bool { !publishes.isEmpty || !questions.isEmpty || !changes.isEmpty }
  var wantsSending: Bool {
    !changes.isEmpty || publishes.contains { $0.sentTo == nil } || questions.contains { $0.sentTo == nil }
  }

  mutating func nobodyLeads(at now: Instant) {
    if forsakenSince == nil { forsakenSince = now }
  }

  mutating func somebodyLeads() {
    forsakenSince = nil
    refusedBy.removeAll()
  }

  /// For longer than an election takes.
  func isForsaken(at now: Instant, _ settings: RouterSettings) -> Bool {
    forsakenSince.map { now - $0 >= settings.electionPatience } ?? false
  }

  /// What was sent to that broker is to be sent again.
  mutating func takeBack(from broker: NodeID) {
    _ = recall(from: broker)
    for place in questions.indices where questions[place].sentTo == broker { questions[place].sentTo = nil }
  }

  /// How many batches are to be sent again.
  mutating func recall(from broker: NodeID) -> Int {
    var count = 0
    for place in publishes.indices where publishes[place].sentTo == broker {
      publishes[place].takeBack()
      count += 1
    }
    return count
  }

  mutating func recall(except leader: NodeID) -> Int {
    var count = 0
    for place in publishes.indices {
      guard let other = publishes[place].sentTo, other != leader else { continue }
      publishes[place].takeBack()
      count += 1
    }
    for place in questions.indices where questions[place].sentTo != leader { questions[place].sentTo = nil }
    return count
  }

  /// Batch and entry of a publish that is not answered yet. Answers come in order, so the first is nearly always it.
  mutating func find(_ ticket: Ticket) -> (batch: Int, entry: Int)? {
    for place in publishes.indices {
      if let entry = publishes[place].find(ticket) { return (place, entry) }
    }
    return nil
  }

  /// What the publisher is told, if it waits.
  mutating func settle(_ place: Int, _ entry: Int, _ result: PublishResult) -> PublishResult? {
    publishes[place].settle(entry, result)
  }

  mutating func dropAnswered() {
    publishes.removeAll { batch in
      if batch.isAnswered { heldBytes -= batch.bytes }
      return batch.isAnswered
    }
  }

  /// Answers what nobody answered in time, and takes back what one broker does not answer.
  mutating func giveUp(at now: Instant, _ settings: RouterSettings) -> [ShardReply] {
    var refused: [ShardReply] = []
    let patience = isForsaken(at: now, settings) ? settings.probePatience : settings.patience
    for place in publishes.indices {
      if publishes[place].sentTo != nil, now - publishes[place].sentAt >= settings.brokerPatience { publishes[place].takeBack() }
      if now - publishes[place].askedAt >= patience { refused.append(.published(shard, publishes[place].refuse())) }
    }
    dropAnswered()
    questions.removeAll { question in
      guard now - question.askedAt >= patience else { return false }
      refused.append(question.request.refused(.noQuorum, by: shard))
      return true
    }
    for place in questions.indices where questions[place].sentTo != nil && now - questions[place].sentAt >= settings.brokerPatience {
      questions[place].sentTo = nil
    }
    return refused
  }

  /// There is no quorum: what is not on its way is told so.
  mutating func refuseUnsent() -> [ShardReply] {
    var refused: [ShardReply] = []
    for place in publishes.indices where publishes[place].sentTo == nil { refused.append(.published(shard, publishes[place].refuse())) }
    dropAnswered()
    questions.removeAll { question in
      guard question.sentTo == nil else { return false }
      refused.append(question.request.refused(.noQuorum, by: shard))
      return true
    }
    return refused
  }
}

/// A batch that is not answered whole.
struct RoutedBatch {
  let edge: EdgeID
  let askedAt: Instant
  let bytes: Int
  /// Kept whole until the last answer, because any of it may have to be sent again.
  private let records: Bytes
  private var entries: [PublishEntry]
  private var starts: [Int] = []
  private var isSettled: [Bool]
  /// Their publishers do not wait: they are answered to the router alone, so that they too find their way.
  private var isSilent: [Bool]
  private var open: Int
  private var hint = 0
  /// Entries whose last attempt is known to have come to nothing.
  private var owed = 0
  /// Some attempt may have got through without our hearing of it.
  private var isUncertain = false
  private(set) var sentTo: NodeID?
  var sentAt = Instant.zero

  /// `tickets` numbers entries whose publishers do not wait.
  init(_ batch: PublishBatch, tickets: inout UInt64, at now: Instant) {
    edge = batch.edge
    askedAt = now
    bytes = batch.records.count
    entries = batch.entries
    var buffer = ByteBuffer()
    swap(&buffer, &batch.records)
    records = buffer.freeze()
    var start = 0
    for entry in entries {
      starts.append(start)
      start += entry.length
    }
    isSettled = entries.map { _ in false }
    isSilent = entries.map { !$0.wantsAnswer }
    open = entries.count
    for place in entries.indices where isSilent[place] {
      tickets += 1
      entries[place].ticket = Ticket(~tickets)
      entries[place].wantsAnswer = true
    }
  }

  var isAnswered: Bool { open == 0 }

  mutating func send(to broker: NodeID, at now: Instant) -> ShardRequest {
    let again = PublishBatch(edge: edge, capacity: bytes)
    for place in entries.indices where !isSettled[place] {
      again.records.append(records.slice(starts[place]..<starts[place] + entries[place].length))
      again.entries.append(entries[place])
    }
    owed = 0
    sentTo = broker
    sentAt = now
    hint = 0
    return .publish(again)
  }

  mutating func find(_ ticket: Ticket) -> Int? {
    if hint < entries.count, entries[hint].ticket == ticket, !isSettled[hint] { return hint }
    return entries.indices.first { !isSettled[$0] && entries[$0].ticket == ticket }
  }

  /// An entry of it was refused, and is to be sent again.
  mutating func owe(_ refusal: Refusal) {
    if refusal != .unknownOutcome { owed += 1 }
  }

  /// What is not answered is to be sent again.
  mutating func takeBack() {
    if owed < open { isUncertain = true }
    sentTo = nil
    hint = 0
  }

  mutating func settle(_ entry: Int, _ result: PublishResult) -> PublishResult? {
    isSettled[entry] = true
    open -= 1
    hint = entry + 1
    if isSilent[entry] { return nil }
    // Nothing was written by whoever says so; an earlier attempt may have been, elsewhere.
    if isUncertain, result.outcome == .refused(.diskFull) || result.outcome == .refused(.overloaded) {
      return PublishResult(ticket: result.ticket, outcome: .refused(.unknownOutcome))
    }
    guard case .duplicate(let offset, let time) = result.outcome, isUncertain, hasOwnKey(entry) else { return result }
    // What it doubles is an attempt of our own: nobody else knows the key.
    return PublishResult(ticket: result.ticket, outcome: .accepted(offset, time))
  }

  private func hasOwnKey(_ entry: Int) -> Bool {
    records.withUnsafeBytes { memory in
      guard let base = memory.baseAddress else { return false }
      return RetryKey.isOne(RecordView(trusting: base + starts[entry]).key)
    }
  }

  /// Nobody said what became of it.
  mutating func refuse() -> [PublishResult] {
    var refused: [PublishResult] = []
    for place in entries.indices where !isSettled[place] {
      isSettled[place] = true
      if isSilent[place] { continue }
      refused.append(PublishResult(ticket: entries[place].ticket, outcome: .refused(isUncertain || sentTo != nil ? .unknownOutcome : .noQuorum)))
    }
    open = 0
    return refused
  }
}

/// A read or the like that is not answered.
struct RoutedQuestion {
  /// Neither a publish nor a change of interest: those wait elsewhere.
  var request: ShardRequest
  var ticket: Ticket
  var askedAt: Instant
  var sentTo: NodeID?
  var sentAt = Instant.zero
}
