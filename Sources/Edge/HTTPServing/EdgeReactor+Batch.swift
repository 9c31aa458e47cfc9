internal import Core
internal import Feeds
internal import HTTP
internal import JSON
internal import Reactor
internal import Security

/// The messages of one batch, and what became of each.
final class BatchGather {
  enum Item {
    case waiting(topic: String)
    case published(topic: String, ShardID, Offset, WallTime, isDuplicate: Bool)
    case failed(Problem)
  }

  let connection: SlotKey
  let sequence: UInt32
  var items: [Item] = []
  var waiting = 0

  init(connection: SlotKey, sequence: UInt32) {
    self.connection = connection
    self.sequence = sequence
  }
}

extension EdgeReactor {
  /// `POST /v1/publish`: a JSON array of events, or one event a line. Each stands for itself.
  func publishBatch(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner, body: RawSpan) {
    let sequence = expect(session, manner)
    let span = session.headSpan
    let type = session.head.first(.contentType)
    let isLines = type.map { MediaType.names("application/x-ndjson", $0, in: span) || MediaType.names("application/jsonl", $0, in: span) } ?? false
    var ranges: [Range<Int>] = []
    if isLines {
      var lines = JSONLinesReader(body)
      while let line = lines.next() {
        if ranges.count >= RequestLimits.batch { return answerProblem(connection, session, sequence, tooMany()) }
        ranges.append(line.range)
      }
    } else {
      if let error = JSONValidator.validate(body) {
        return answerProblem(connection, session, sequence, Problem(.badRequest, "The body is not JSON: \(error.description)."))
      }
      do throws(JSONError) {
        guard let first = firstByte(body), first == UInt8(ascii: "[") || first == UInt8(ascii: "{") else {
          return answerProblem(
            connection, session, sequence, Problem(.badRequest, "The body is a JSON array of events, or one event a line as application/x-ndjson."))
        }
        if first == UInt8(ascii: "{") {
          ranges.append(0..<body.byteCount)
        } else {
          var elements = JSONArrayReader(body)
          while let element = try elements.next() {
            if ranges.count >= RequestLimits.batch { return answerProblem(connection, session, sequence, tooMany()) }
            ranges.append(element.range)
          }
        }
      } catch {
        return answerProblem(connection, session, sequence, Problem(.badRequest, "The body is not JSON: \(error.description)."))
      }
    }
    let gather = BatchGather(connection: connection.key, sequence: sequence)
    let key = gathers.insert(gather)
    for (index, range) in ranges.enumerated() {
      switch EventDraft.read(body, range, isLine: isLines) {
      case .failure(let problem):
        counters.publishErrors += 1
        gather.items.append(.failed(problem))
      case .success(let event):
        if let problem = refusal(of: event) {
          counters.publishErrors += 1
          gather.items.append(.failed(problem))
        } else {
          gather.items.append(.waiting(topic: event.topic))
          gather.waiting += 1
          enqueue(event, TicketParts.make(batch: key, item: index))
        }
      }
    }
    if gather.waiting == 0 { finish(gather, key) }
  }

  private func tooMany() -> Problem { Problem(.contentTooLarge, "A batch has at most \(RequestLimits.batch) messages; send the rest in another.") }

  private func firstByte(_ body: RawSpan) -> UInt8? {
    var at = 0
    while at < body.byteCount, body.byte(at: at) <= 0x20 { at += 1 }
    return at < body.byteCount ? body.byte(at: at) : nil
  }

  func refusal(of event: EventDraft) -> Problem? {
    if event.topic.hasPrefix("$") { return Problem(.forbidden, "Topics that begin with '$' belong to the system; publish under another name.") }
    return settings.permissions.allows(.publish, event.topic) ? nil : Problem(.forbidden, "You may not publish to this topic.")
  }

  /// Puts an event that came as JSON into its shard's batch.
  func enqueue(_ event: EventDraft, _ ticket: Ticket, wantsAnswer: Bool = true) {
    var draft = RecordDraft()
    draft.flags = payloadFlags(event.payload.bytes, isJSON: event.isJSON)
    if event.retain { draft.flags.insert(.retain) }
    draft.timeToLiveMilliseconds = event.timeToLive
    let parts = Bytes(event.topic + event.type + event.contentType + event.key)
    let a = event.topic.utf8.count
    let b = a + event.type.utf8.count
    let c = b + event.contentType.utf8.count
    parts.withUnsafeBytes { bytes in
      event.payload.withUnsafeBytes { payload in
        enqueue(
          draft, topic: UnsafeRawBufferPointer(rebasing: bytes[0..<a]), type: UnsafeRawBufferPointer(rebasing: bytes[a..<b]),
          contentType: UnsafeRawBufferPointer(rebasing: bytes[b..<c]), key: UnsafeRawBufferPointer(rebasing: bytes[c...]), payload: payload,
          PublishEntry(ticket: ticket, length: 0, expectedHead: event.expectedHead, wantsAnswer: wantsAnswer))
      }
    }
  }

  func gather(_ result: PublishResult, _ shard: ShardID) {
    let parts = TicketParts(result.ticket)
    guard let key = parts.slot(in: gathers), let gather = gathers[key], parts.item < gather.items.count,
      case .waiting(let topic) = gather.items[parts.item]
    else { return }
    switch result.outcome {
    case .accepted(let offset, let time): gather.items[parts.item] = .published(topic: topic, shard, offset, time, isDuplicate: false)
    case .duplicate(let offset, let time): gather.items[parts.item] = .published(topic: topic, shard, offset, time, isDuplicate: true)
    case .refused(let refusal): gather.items[parts.item] = .failed(problem(of: refusal))
    }
    gather.waiting -= 1
    if gather.waiting == 0 { finish(gather, key) }
  }

  /// One result for each message, in their order; 200 even when some failed: each says so itself.
  private func finish(_ gather: BatchGather, _ key: SlotKey) {
    gathers.remove(key)
    guard let connection = connections[gather.connection], case .http(let session) = connection.role else { return }
    var body = ByteBuffer(capacity: 128 * gather.items.count + 64)
    var failures = 0
    body.append("{\"results\":[")
    for (index, item) in gather.items.enumerated() {
      if index > 0 { body.append(UInt8(ascii: ",")) }
      switch item {
      case .waiting: preconditionFailure("a batch was finished before its messages")
      case .published(let topic, let shard, let offset, let time, let isDuplicate):
        var topic = topic
        topic.withUTF8 { appendPublished(UnsafeRawBufferPointer($0), shard, offset, time, isDuplicate: isDuplicate, into: &body) }
      case .failed(let problem):
        failures += 1
        body.append("{\"index\":")
        body.append(decimal: index)
        body.append(",\"error\":")
        problem.append(into: &body)
        body.append(UInt8(ascii: "}"))
      }
    }
    body.append("],\"published\":")
    body.append(decimal: gather.items.count - failures)
    body.append(",\"failed\":")
    body.append(decimal: failures)
    body.append(UInt8(ascii: "}"))
    complete(connection, session, gather.sequence) { manner, buffer in
      body.withUnsafeBytes { appendAnswer(.ok, "application/json", $0, manner, into: &buffer) { _ in } }
    }
  }
}
