import Core
import Feeds
import Presence

/// What a shard is to an edge, kept in memory and obvious: a log, filters per change, consumers.
final class ModelShard {
  let id: ShardID
  private(set) var log: [Bytes] = []
  /// Offsets of messages below this one were let go by retention.
  private(set) var first = Offset(1)
  var refusal: Refusal?
  /// Bytes of one page, whatever a request allows.
  var pageBytes = Int.max
  private var heads: [String: Offset] = [:]
  private var keys: [String: (Offset, WallTime)] = [:]
  private var retained: [String: Bytes] = [:]
  private var consumers: [String: Consumer] = [:]
  var sessions = ModelSessions()
  /// What it did about sessions it tells later.
  var keepsSessionAnswers = false
  private var keptAnswers: [ShardReply] = []
  private var interests: [Filter] = []
  private(set) var presence: PresenceTable
  private var pushedUpTo = Offset.zero
  /// What goes to the edge, in order.
  private(set) var outbox: [ShardReply] = []
  private(set) var reads = 0
  /// What was said of groups since it was last asked, for tests that play their leader.
  private var groupRequests: [GroupRequest] = []
  var answersGroups = true

  init(_ id: ShardID) {
    self.id = id
    var settings = PresenceSettings()
    settings.settling = .zero
    settings.topicMembers = 3
    presence = PresenceTable(shard: id, settings: settings)
    presence.begin(1, at: .zero)
  }

  var committed: Offset { Offset(UInt64(log.count)) }
  var heldFilters: [Filter] { interests }

  func takeReply() -> ShardReply? { outbox.isEmpty ? nil : outbox.removeFirst() }

  /// Lets go of everything before `offset`.
  func expire(before offset: Offset) { first = max(first, offset) }

  func receive(_ request: ShardRequest, at wall: WallTime) {
    switch request {
    case .publish(let batch): publish(batch, at: wall)
    case .read(let request):
      reads += 1
      let result = refusal.map { Result<ReadReply.Page, Refusal>.failure($0) } ?? .success(read(request))
      outbox.append(.read(ReadReply(shard: id, ticket: request.ticket, result: result)))
    case .history(let request): outbox.append(.history(history(request)))
    case .interest(let change):
      for filter in change.remove { if let index = interests.firstIndex(of: filter) { interests.remove(at: index) } }
      interests += change.add
      pushedUpTo = committed
      outbox.append(.interest(InterestReply(shard: id, ticket: change.ticket, liveFrom: committed)))
    case .consumer(let request): consumer(request, at: wall)
    case .presence(let request): answer(request, at: wall)
    case .session(let request):
      let reply = ShardReply.session(SessionReply(shard: id, ticket: request.ticket, result: sessions.answer(request.operation)))
      if keepsSessionAnswers { keptAnswers.append(reply) } else { outbox.append(reply) }
    case .group(let request):
      groupRequests.append(request)
      if answersGroups { outbox.append(.group(GroupReply(shard: id, .answer(request.ticket, refusal)))) }
    }
  }

  func tellKeptAnswers() {
    outbox += keptAnswers
    keptAnswers.removeAll()
  }

  func takeGroupRequests() -> [GroupRequest] {
    defer { groupRequests = [] }
    return groupRequests
  }

  func tell(_ content: GroupReply.Content) { outbox.append(.group(GroupReply(shard: id, content))) }

  private func answer(_ request: PresenceRequest, at wall: WallTime) {
    let answer: PresenceReply.Answer
    let now = Instant(nanoseconds: wall.milliseconds * 1_000_000)
    switch request.operation {
    case .announce(let announcement): answer = .receipt(presence.announce(announcement, from: request.edge, at: now))
    case .ask(let question): answer = .list(presence.answer(question))
    }
    let result: Result<PresenceReply.Answer, Refusal> = refusal.map { .failure($0) } ?? .success(answer)
    outbox.append(.presence(PresenceReply(shard: id, ticket: request.ticket, result: result)))
    outbox += presence.takePushes(changes: true).map { .presencePush($0.push) }
  }

  /// Tells the edge how far the shard has come, as a shard does now and then where nothing matched.
  func tick() {
    guard !interests.isEmpty, pushedUpTo < committed else { return }
    pushedUpTo = committed
    outbox.append(.push(FeedPush(shard: id, pieces: [], upTo: committed)))
  }

  // MARK: Publishing

  func publish(_ batch: PublishBatch, at wall: WallTime) {
    var results: [PublishResult] = []
    let from = log.count
    var at = 0
    for entry in batch.entries {
      var record = ByteBuffer()
      batch.records.withUnsafeBytes { record.append(UnsafeRawBufferPointer(rebasing: $0[at..<at + entry.length])) }
      at += entry.length
      let outcome = admit(record, entry, wall)
      if entry.wantsAnswer { results.append(PublishResult(ticket: entry.ticket, outcome: outcome)) }
    }
    if !results.isEmpty { outbox.append(.published(id, results)) }
    push(from: from)
  }

  private func admit(_ record: consuming ByteBuffer, _ entry: PublishEntry, _ wall: WallTime) -> PublishResult.Outcome {
    if let refusal { return .refused(refusal) }
    let view = RecordView(trusting: record.readPointer)
    let topic = String(decoding: view.topic, as: UTF8.self)
    let key = String(decoding: view.key, as: UTF8.self)
    let head = heads[topic] ?? .zero
    if !key.isEmpty, let used = keys[key] { return .duplicate(used.0, used.1) }
    if let expected = entry.expectedHead, expected != head { return .refused(.headMoved(head)) }
    let offset = committed.next
    let flags = view.flags
    record.withUnsafeMutableBytes {
      RecordStamp(offset: offset, previous: head, time: wall, term: 1).stamp($0.baseAddress.unsafelyUnwrapped)
    }
    let bytes = record.freeze()
    log.append(bytes)
    heads[topic] = offset
    if !key.isEmpty { keys[key] = (offset, wall) }
    if flags.contains(.retain) { retained[topic] = bytes }
    if flags.contains(.clear) { retained[topic] = nil }
    return .accepted(offset, wall)
  }

  private func push(from index: Int) {
    let matching = log[index...].filter { record in interests.contains { $0.matches(record) } }
    guard !matching.isEmpty else { return }
    pushedUpTo = committed
    outbox.append(.push(FeedPush(shard: id, pieces: Array(matching), upTo: committed)))
  }

  // MARK: Reading

  private func read(_ request: ReadRequest) -> ReadReply.Page {
    func matching(_ records: ArraySlice<Bytes>) -> [Bytes] {
      records.filter { record in request.filters.contains { $0.matches(record) } }
    }
    switch request.start {
    case .latest: return ReadReply.Page(pieces: [], upTo: committed, committed: committed)
    case .current:
      let values = retained.values.filter { record in request.filters.contains { $0.matches(record) } }
      return ReadReply.Page(
        pieces: values.sorted { $0.view.offset < $1.view.offset }, upTo: committed, committed: committed, isCurrentValues: true)
    case .last(let count):
      var perTopic: [Bytes: Int] = [:]
      var kept: [Bytes] = []
      for record in matching(log[(Int(first.value) - 1)...]).reversed() {
        perTopic[record.topic, default: 0] += 1
        if perTopic[record.topic, default: 0] <= count { kept.append(record) }
      }
      return ReadReply.Page(pieces: kept.reversed(), upTo: committed, committed: committed)
    case .earliest: return page(request, after: Offset(first.value - 1))
    case .time(let time):
      let index = log.firstIndex { $0.view.time >= time } ?? log.count
      return page(request, after: Offset(max(UInt64(index), first.value - 1)))
    case .after(let offset):
      if offset > committed {
        let gap = ReadGap(reason: .future, from: offset, to: committed)
        return ReadReply.Page(pieces: [], upTo: committed, committed: committed, gap: gap)
      }
      guard offset.next < first else { return page(request, after: offset) }
      let lost = Offset(first.value - 1)
      var result = page(request, after: lost)
      result.gap = ReadGap(reason: .expired, from: offset, to: lost)
      return result
    }
  }

  private func page(_ request: ReadRequest, after offset: Offset) -> ReadReply.Page {
    var pieces: [Bytes] = []
    var bytes = 0
    var upTo = offset
    for record in log[Int(offset.value)...] {
      if request.filters.contains(where: { $0.matches(record) }) {
        if bytes > 0, bytes + record.count > min(request.maximumBytes, pageBytes) { break }
        bytes += record.count
        pieces.append(record)
      }
      upTo = record.view.offset
    }
    return ReadReply.Page(pieces: pieces, upTo: upTo, committed: committed)
  }

  private func history(_ request: HistoryRequest) -> HistoryReply {
    let before = request.before ?? committed.next
    let found = log.reversed().filter { $0.topic == request.topic.bytes && $0.view.offset < before && $0.view.offset >= first }
    return HistoryReply(shard: id, ticket: request.ticket, result: .success(Array(found.prefix(request.limit))))
  }

  // MARK: Consumers

  private func consumer(_ request: ConsumerRequest, at wall: WallTime) {
    func answer(_ result: Result<[Consumer], Refusal>) {
      outbox.append(.consumer(ConsumerReply(shard: id, ticket: request.ticket, result: result)))
    }
    switch request.operation {
    case .list: answer(.success(consumers.values.sorted { $0.name < $1.name }))
    case .show(let name): answer(consumers[name].map { .success([$0]) } ?? .failure(.noSuchConsumer))
    case .open(let name, let filters, let cursor):
      let consumer = consumers[name] ?? Consumer(name: name, filters: filters, cursor: cursor, created: wall, updated: wall)
      consumers[name] = consumer
      answer(.success([consumer]))
    case .acknowledge(let name, let cursor, let reset):
      guard var consumer = consumers[name] else { return answer(.failure(.noSuchConsumer)) }
      if reset { consumer.cursor = cursor } else { for position in cursor.positions { consumer.cursor.fold(position) } }
      consumers[name] = consumer
      answer(.success([consumer]))
    case .delete(let name):
      answer(consumers.removeValue(forKey: name).map { .success([$0]) } ?? .failure(.noSuchConsumer))
    }
  }

  func cursor(ofConsumer name: String) -> Cursor? { consumers[name]?.cursor }
}

extension Bytes {
  /// The record that these bytes are; good while they live, which in the model is for ever.
  var view: RecordView { RecordView(trusting: readPointer) }
  var topic: Bytes { Bytes(copying: view.topic) }
}

extension Filter {
  func matches(_ record: Bytes) -> Bool { record.withUnsafeBytes { matches(RecordView(trusting: $0.baseAddress.unsafelyUnwrapped).topic) } }
}
