import Core
import Feeds
import Placement
import Raft
import Replica
import Wire

/// Draws messages of every kind from a seed.
struct MessageSource {
  var random: SeededGenerator

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  /// One of each form there is.
  mutating func everyForm() -> [NodeMessage] {
    var messages: [NodeMessage] = [
      .hello(hello()), .hello(NodeHello(cluster: nil, node: node(), incarnation: .max, roles: [], name: "")),
      .ping(stamp: random.next()), .pong(stamp: random.next()), .gossipRequest(ticket: random.next(), blob()),
      .gossipReply(ticket: random.next(), blob()), .gossipReply(ticket: random.next(), nil),
      .statusAsk(ticket: random.next(), blob()), .statusAnswer(ticket: random.next(), Bytes()), .heartbeats([]),
      .heartbeats((0..<1 + random.below(4)).map { _ in beat() }),
    ]
    for reason in NodeFarewell.Reason.allCases { messages.append(.farewell(NodeFarewell(reason, text()))) }
    for message in rafts() { messages.append(.replica(shard(), .raft(message, session: UInt32(truncatingIfNeeded: random.next())))) }
    messages += [
      .replica(shard(), .repair(.ask(incident: random.next()))),
      .replica(shard(), .repair(.begin(term: term(), incident: random.next(), last: offset()))),
      .replica(shard(), .repair(.missing(term: term(), upTo: offset(), session: 7))),
    ]
    for request in requests() { messages.append(.request(shard(), request)) }
    for reply in replies() { messages.append(.reply(edge: edge(), reply)) }
    let members = (1...3).map { NodeID(UInt64($0 * 10 + random.below(10))) }
    let certificate = BirthCertificate(
      cluster: cluster(), terms: BirthTerms(expect: 3, shards: 16, replicas: 3), members: members)
    messages += [
      .birth(.propose(certificate)), .birth(.confirm(cluster())), .birth(.refuse(cluster(), .termsDiffer)),
      .birth(.withdraw(cluster())), .birth(.start(certificate)), .birth(.started(cluster())),
    ]
    messages += [
      .order(shard(), .dismiss(node())), .order(shard(), .retire(term: term(), last: offset())),
    ]
    let shard = shard()
    for step: PlacementStep in [.addLearner(shard, node()), .promote(shard, node()), .transferLeadership(shard, to: node()), .remove(shard, node())] {
      messages.append(.order(shard, .step(step)))
    }
    return messages
  }

  mutating func hello() -> NodeHello {
    NodeHello(
      versions: 1...UInt16(1 + random.below(9)), cluster: cluster(), node: node(), incarnation: random.next(), roles: [.broker, .edge],
      knowsItIsRemoved: random.below(2) == 0, shards: UInt16(random.below(WireLimits.shards + 1)),
      replicas: UInt8(random.below(WireLimits.replicas + 1)), name: "b\(random.below(9))",
      clock: random.below(3) == 0 ? nil : WallTime(milliseconds: Int64(bitPattern: random.next())))
  }

  mutating func node() -> NodeID { NodeID(random.next()) }
  mutating func cluster() -> ClusterID { ClusterID(random.next()) }
  mutating func shard() -> ShardID { ShardID(random.below(WireLimits.shards)) }
  mutating func edge() -> EdgeID { EdgeID(UInt32(truncatingIfNeeded: random.next())) }
  mutating func ticket() -> Ticket { Ticket(random.next()) }
  mutating func offset() -> Offset { Offset(random.next() >> 2) }
  mutating func term() -> UInt64 { random.next() >> 2 }
  mutating func time() -> WallTime { WallTime(milliseconds: Int64(bitPattern: random.next())) }
  mutating func text() -> String { String(["", "why", "wörter über 日本"][random.below(3)]) }
  mutating func blob() -> Bytes { Bytes((0..<random.below(40)).map { UInt8(truncatingIfNeeded: $0) }) }

  mutating func filters(atLeast least: Int = 0) -> [Filter] {
    var filters: [Filter] = []
    for _ in 0..<least + random.below(3) {
      if let filter = try? Filter(["a/b", "+/x/#", "#", "größe/+"][random.below(4)]) { filters.append(filter) }
    }
    return filters
  }

  mutating func cursor() -> Cursor {
    Cursor(cluster: cluster(), positions: (0..<random.below(4)).map { Position(ShardID($0 * 3), Offset(random.next())) })
  }

  /// Whole records in order, from `first` on.
  mutating func row(_ count: Int, from first: UInt64, isStamped: Bool = true) -> Bytes {
    var row = ByteBuffer()
    for index in 0..<count {
      var draft = ByteBuffer()
      var record = RecordDraft()
      record.publisher = UInt32(index)
      record.encode(
        topic: "t/\(index)", type: "ty", contentType: "text/plain", key: "k\(index)",
        payload: (0..<random.below(20)).map { UInt8($0) }, into: &draft)
      let offset = Offset(first + UInt64(index))
      let stamp = RecordStamp(offset: offset, previous: .zero, time: time(), term: 4)
      if isStamped { draft.withUnsafeMutableBytes { stamp.stamp($0.baseAddress!) } }
      row.append(draft.bytes)
    }
    return row.freeze()
  }

  mutating func beat() -> ShardHeartbeat {
    let heartbeat = Heartbeat(term: term(), committed: offset(), sentAt: Instant(nanoseconds: 5))
    let reply = HeartbeatReply(term: term(), sentAt: Instant(nanoseconds: -5), received: offset(), durable: .zero)
    return ShardHeartbeat(shard: shard(), message: .raft(random.below(2) == 0 ? .heartbeat(heartbeat) : .heartbeatReply(reply), session: 9))
  }

  mutating func rafts() -> [RaftMessage] {
    let last = LogPosition(offset: offset(), term: 3)
    let mark = SnapshotMark(state: Offset(90), base: LogPosition(offset: Offset(70), term: 4), membership: Membership(voters: [NodeID(1), NodeID(2)]))
    return [
      .preVote(VoteRequest(term: 7, last: last)), .preVoteReply(VoteReply(term: 7, isGranted: true)),
      .vote(VoteRequest(term: 7, last: last, isTransfer: true)), .voteReply(VoteReply(term: term(), isGranted: false)),
      .append(AppendEntries(term: 9, previous: last, entries: row(2, from: 8), committed: offset())),
      .append(AppendEntries(term: 9, previous: .zero, entries: Bytes(), committed: .zero, isProbe: true)),
      .appendReply(AppendReply(term: 3, received: Offset(9), durable: Offset(8))),
      .appendRejection(AppendRejection(term: 3, rejected: Offset(9), hint: last)),
      .snapshotChunk(SnapshotChunk(term: 4, mark: mark, position: 1 << 33, bytes: blob(), isLast: true)),
      .snapshotReply(SnapshotReply(term: 4, state: Offset(90), received: 1 << 34)),
      .heartbeat(Heartbeat(term: 3, committed: offset(), sentAt: .zero)),
      .heartbeatReply(HeartbeatReply(term: 3, sentAt: .zero, received: Offset(9), durable: .zero)), .timeoutNow(term: 1),
    ]
  }

  mutating func batch(_ count: Int) -> PublishBatch {
    let batch = PublishBatch(edge: edge())
    for index in 0..<count {
      let draft = row(1, from: 0, isStamped: false)
      batch.records.append(draft)
      let head = index % 2 == 0 ? Offset(random.next()) : nil
      batch.entries.append(PublishEntry(ticket: ticket(), length: draft.count, expectedHead: head, wantsAnswer: index % 3 != 0))
    }
    return batch
  }

  mutating func requests() -> [ShardRequest] {
    let starts: [ReadStart] = [.after(Offset(.max)), .latest, .earliest, .time(time()), .last(10), .current]
    var requests: [ShardRequest] = [.publish(batch(0)), .publish(batch(3))]
    for start in starts {
      requests.append(.read(ReadRequest(edge: edge(), ticket: ticket(), filters: filters(), start: start, maximumBytes: 4096)))
    }
    for before in [nil, Offset(.max)] {
      requests.append(.history(HistoryRequest(edge: edge(), ticket: ticket(), topic: Topic(trusting: Bytes("a/ü")), before: before, limit: 3)))
    }
    requests.append(
      .interest(InterestChange(edge: edge(), ticket: ticket(), add: filters(atLeast: 1), remove: filters(), restarts: true, seen: offset())))
    let operations: [ConsumerRequest.Operation] = [
      .list, .show(name: text()), .open(name: "c", filters: filters(atLeast: 1), cursor: cursor()),
      .acknowledge(name: text(), cursor: cursor(), reset: true), .delete(name: "ü"),
    ]
    for operation in operations { requests.append(.consumer(ConsumerRequest(edge: edge(), ticket: ticket(), operation: operation))) }
    for operation in groupOperations() { requests.append(.group(GroupRequest(edge: edge(), ticket: ticket(), group: group(), operation: operation))) }
    for operation in presenceOperations() { requests.append(.presence(PresenceRequest(edge: edge(), ticket: ticket(), operation: operation))) }
    for operation in sessionOperations() { requests.append(.session(SessionRequest(edge: edge(), ticket: ticket(), operation: operation))) }
    return requests
  }

  mutating func id() -> Bytes { Bytes(["ann", "größe", ""][random.below(3)]) }
  mutating func topics() -> [Topic] { (0..<random.below(3)).map { Topic(trusting: Bytes("t/\($0)")) } }

  mutating func members() -> [PresenceMember] {
    (0..<random.below(3)).map { _ in PresenceMember(id: id(), data: Bytes("{\"a\":1}"), since: time(), connections: random.below(9)) }
  }

  mutating func presenceOperations() -> [PresenceRequest.Operation] {
    var announcement = PresenceAnnouncement(source: random.next(), sequence: random.next(), begins: true)
    announcement.entries = members().map { PresenceEntry(topic: Topic(trusting: Bytes("a/ü")), member: $0) }
    announcement.watch = topics()
    announcement.unwatch = topics()
    return [
      .announce(announcement), .announce(PresenceAnnouncement(source: 1, sequence: 2, completes: true)),
      .ask(PresenceQuestion(filters: filters(), limit: 100, after: id(), wantsCountOnly: true)),
      .ask(PresenceQuestion(filters: filters(atLeast: 1), limit: 1)),
    ]
  }

  mutating func presenceReplies() -> [ShardReply] {
    let denials = PresenceDenial.Reason.allCases.map { PresenceDenial(topic: Topic(trusting: Bytes("a")), id: Bytes("bob"), reason: $0) }
    let receipt = PresenceReceipt(table: random.next(), sequence: random.next(), pushes: random.next(), wantsWhole: true, refused: denials)
    let topics = topics().map { topic in PresenceList.Entry(topic: topic, count: random.below(99), members: members()) }
    let answers: [Result<PresenceReply.Answer, Refusal>] = [
      .success(.receipt(receipt)), .success(.receipt(PresenceReceipt(table: 1, sequence: 2, pushes: 3))),
      .success(.list(PresenceList(topics: topics, count: 1 << 20, isTruncated: true, isPartial: true))),
      .success(.list(PresenceList(topics: [], count: 0))), .failure(.electing),
    ]
    let changes = topics.map { entry in
      PresenceChange(topic: entry.topic, begins: true, completes: random.below(2) == 0, isPartial: true, came: entry.members, left: [id()])
    }
    return answers.map { .presence(PresenceReply(shard: shard(), ticket: ticket(), result: $0)) } + [
      .presencePush(PresencePush(shard: shard(), table: random.next(), number: random.next(), changes: changes)),
      .presencePush(PresencePush(shard: shard(), table: 1, number: 1, changes: [PresenceChange(topic: Topic(trusting: Bytes("a")))])),
    ]
  }

  mutating func refusals() -> [Refusal] {
    [
      .headMoved(offset()), .diskFull, .journalFailed(text()), .damaged(text()), .overloaded, .notLeader(node()), .notLeader(nil),
      .electing, .noQuorum, .unknownOutcome, .noSuchConsumer, .consumerDiffers, .sessionLost,
    ]
  }

  mutating func replies() -> [ShardReply] {
    var results = [
      PublishResult(ticket: ticket(), outcome: .accepted(offset(), time())),
      PublishResult(ticket: ticket(), outcome: .duplicate(offset(), time())),
    ]
    var replies: [ShardReply] = []
    for refusal in refusals() {
      results.append(PublishResult(ticket: ticket(), outcome: .refused(refusal)))
      replies.append(.feedEnded(shard(), refusal))
    }
    replies.append(.published(shard(), results))
    let gaps: [ReadGap?] = [
      nil, ReadGap(reason: .expired, from: Offset(.max), to: offset(), skipped: random.next()),
      ReadGap(reason: .foreign, from: .zero, to: offset()), ReadGap(reason: .future, from: .zero, to: .zero),
    ]
    for gap in gaps {
      let page = ReadReply.Page(
        pieces: gap == nil ? [] : [row(2, from: 40), row(1, from: 3)], upTo: offset(), committed: offset(), gap: gap,
        isCurrentValues: random.below(2) == 0, isBehind: random.below(2) == 0)
      replies.append(.read(ReadReply(shard: shard(), ticket: ticket(), result: .success(page))))
    }
    let consumer = Consumer(name: "c", filters: filters(), cursor: cursor(), created: time(), updated: time())
    replies += [
      .read(ReadReply(shard: shard(), ticket: ticket(), result: .failure(.electing))),
      .history(HistoryReply(shard: shard(), ticket: ticket(), result: .success([row(1, from: 9), row(1, from: 4)]))),
      .history(HistoryReply(shard: shard(), ticket: ticket(), result: .failure(.overloaded))),
      .interest(InterestReply(shard: shard(), ticket: ticket(), liveFrom: offset())),
      .consumer(ConsumerReply(shard: shard(), ticket: ticket(), result: .success([consumer, consumer]))),
      .consumer(ConsumerReply(shard: shard(), ticket: ticket(), result: .failure(.noSuchConsumer))),
      .push(FeedPush(shard: shard(), pieces: [], upTo: offset())),
      .push(FeedPush(shard: shard(), pieces: [row(2, from: 5), row(1, from: 12)], upTo: Offset(20))),
    ]
    return replies + presenceReplies() + sessionReplies() + groupReplies()
  }
}

func encoded(_ message: NodeMessage, limit: Int = WireLimits.frame) throws(WireRefusal) -> [UInt8] {
  var buffer = ByteBuffer()
  try message.encode(into: &buffer, limit: limit)
  return buffer.freeze().array
}

func decoded(_ bytes: [UInt8]) -> Result<NodeMessage, WireRefusal> {
  do throws(WireRefusal) { return .success(try NodeMessage(decoding: Bytes(bytes))) } catch { return .failure(error) }
}
