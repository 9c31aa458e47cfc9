internal import Core
internal import Feeds
internal import HTTP
internal import JSON
internal import Reactor
internal import SSE
internal import Security
internal import Sessions

/// What a publisher said beside topic and payload. Ranges point into the request's head.
struct PublishFacts {
  var type: Range<Int> = 0..<0
  var contentType: Range<Int> = 0..<0
  var key: Range<Int> = 0..<0
  var timeToLive: UInt32 = 0
  var expectedHead: Offset?
  var wantsCommit = true
}

extension EdgeReactor {
  // MARK: One message

  /// `POST` and `PUT /v1/topics/{topic}`: the way of nearly every message, so nothing here makes an object.
  func publish(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner, retain: Bool, body: RawSpan) {
    let sequence = expect(session, manner)
    let topicStart = session.topics.count
    if let problem = decodeTopic(session) ?? permission(to: session, from: topicStart) {
      counters.publishErrors += 1
      return answerProblem(connection, session, sequence, problem)
    }
    let topic = topicStart..<session.topics.count
    var facts = PublishFacts()
    if let problem = readFacts(&facts, session) {
      counters.publishErrors += 1
      return answerProblem(connection, session, sequence, problem)
    }
    var draft = RecordDraft()
    if retain { draft.flags.insert(.retain) }
    draft.timeToLiveMilliseconds = facts.timeToLive
    let span = session.headSpan
    draft.flags.formUnion(payloadFlags(body, isJSON: !facts.contentType.isEmpty && MediaType.isJSON(facts.contentType, in: span)))
    let ticket = facts.wantsCommit ? TicketParts.make(connection.key, sequence) : Ticket(0)
    session.topics.withUnsafeBytes { topics in
      session.headBytes.withUnsafeBytes { head in
        body.withUnsafeBytes { payload in
          enqueue(
            draft, topic: UnsafeRawBufferPointer(rebasing: topics[topic]), type: UnsafeRawBufferPointer(rebasing: head[facts.type]),
            contentType: UnsafeRawBufferPointer(rebasing: head[facts.contentType]),
            key: UnsafeRawBufferPointer(rebasing: head[facts.key]), payload: payload,
            PublishEntry(ticket: ticket, length: 0, expectedHead: facts.expectedHead, wantsAnswer: facts.wantsCommit))
        }
      }
    }
    if let index = session.pendingIndex(sequence) { session.pending[index].topic = topic }
    if !facts.wantsCommit {
      complete(connection, session, sequence) { manner, buffer in
        let text: StaticString = "{\"accepted\":true}"
        appendAnswer(
          .accepted, "application/json", UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount), manner, into: &buffer
        ) { _ in }
      }
    }
  }

  /// `DELETE /v1/topics/{topic}`: a message that clears the current value.
  func clearValue(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner) {
    let sequence = expect(session, manner)
    let topicStart = session.topics.count
    if let problem = decodeTopic(session) ?? permission(to: session, from: topicStart) {
      return answerProblem(connection, session, sequence, problem)
    }
    let topic = topicStart..<session.topics.count
    var facts = PublishFacts()
    if let problem = readFacts(&facts, session) { return answerProblem(connection, session, sequence, problem) }
    var draft = RecordDraft()
    draft.flags = [.clear, .text]
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    session.topics.withUnsafeBytes { topics in
      session.headBytes.withUnsafeBytes { head in
        enqueue(
          draft, topic: UnsafeRawBufferPointer(rebasing: topics[topic]), type: nothing, contentType: nothing,
          key: UnsafeRawBufferPointer(rebasing: head[facts.key]), payload: nothing,
          PublishEntry(ticket: TicketParts.make(connection.key, sequence), length: 0, expectedHead: facts.expectedHead))
      }
    }
    if let index = session.pendingIndex(sequence) { session.pending[index].topic = topic }
  }

  /// Encodes the message, once for all that happens to it from here on, into its shard's batch of this turn.
  func enqueue(
    _ draft: RecordDraft, topic: UnsafeRawBufferPointer, type: UnsafeRawBufferPointer, contentType: UnsafeRawBufferPointer,
    key: UnsafeRawBufferPointer, properties: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
    payload: UnsafeRawBufferPointer, _ entry: PublishEntry
  ) {
    let batch = batch(for: Topic.shard(of: topic, among: settings.shardCount))
    let before = batch.records.count
    if key.isEmpty, retryKey != nil {
      retryKey!.withNext {
        draft.encode(
          topic: topic, type: type, contentType: contentType, key: $0, properties: properties, payload: payload, into: &batch.records)
      }
    } else {
      draft.encode(
        topic: topic, type: type, contentType: contentType, key: key, properties: properties, payload: payload, into: &batch.records)
    }
    var entry = entry
    entry.length = batch.records.count - before
    batch.entries.append(entry)
  }

  /// A record that is encoded already.
  func enqueue(encoded record: UnsafeRawBufferPointer, to shard: ShardID, _ entry: PublishEntry) {
    let batch = batch(for: shard)
    batch.records.append(record)
    batch.entries.append(entry)
  }

  /// What is gathered for a shard in this turn.
  private func batch(for shard: ShardID) -> PublishBatch {
    if let open = batches[shard.index] { return open }
    let batch = PublishBatch(edge: edge, capacity: 1024)
    batches[shard.index] = batch
    return batch
  }

  /// The shard's word on one publish.
  func published(_ shard: ShardID, _ result: PublishResult) {
    let parts = TicketParts(result.ticket)
    switch result.outcome {
    case .accepted: counters.published += 1
    case .duplicate: break
    case .refused: counters.publishErrors += 1
    }
    if parts.isBatch { return gather(result, shard) }
    if MQTTSessionHouse<SlotKey>.owns(result.ticket) { return willPublished(result) }
    guard let connection = connection(of: result.ticket) else { return }
    if case .webSocket(let session) = connection.role {
      return answerPublish(connection, session, parts.sequence, shard, result.outcome)
    }
    if case .mqtt(let session) = connection.role { return answerPublish(connection, session, parts.sequence, result.outcome) }
    guard case .http(let session) = connection.role, let index = session.pendingIndex(parts.sequence) else { return }
    let topic = session.pending[index].topic
    switch result.outcome {
    case .accepted(let offset, let time), .duplicate(let offset, let time):
      var isDuplicate = false
      if case .duplicate = result.outcome { isDuplicate = true }
      complete(connection, session, parts.sequence) { manner, buffer in
        scratch.removeAll()
        session.topics.withUnsafeBytes {
          appendPublished(UnsafeRawBufferPointer(rebasing: $0[topic]), shard, offset, time, isDuplicate: isDuplicate, into: &scratch)
        }
        scratch.withUnsafeBytes { appendAnswer(.ok, "application/json", $0, manner, into: &buffer) { _ in } }
      }
    case .refused(let refusal):
      answerProblem(connection, session, parts.sequence, problem(of: refusal))
    }
  }

  /// `{"topic","cursor","position","time","duplicate"}`
  func appendPublished(
    _ topic: UnsafeRawBufferPointer, _ shard: ShardID, _ offset: Offset, _ time: WallTime, isDuplicate: Bool, into buffer: inout ByteBuffer
  ) {
    buffer.append("{\"topic\":")
    buffer.append(jsonString: topic)
    buffer.append(",\"cursor\":\"")
    fanout.renderer.appendCursor(shard, offset, into: &buffer)
    buffer.append("\",\"position\":\"")
    buffer.append(decimal: UInt64(shard.value))
    buffer.append(UInt8(ascii: "."))
    buffer.append(decimal: offset.value)
    buffer.append("\",\"time\":\"")
    buffer.append(timestamp: time)
    buffer.append(isDuplicate ? "\",\"duplicate\":true}" : "\",\"duplicate\":false}")
  }

  // MARK: What the head says

  /// Decodes the path's topic to the end of the session's `topics`.
  private func decodeTopic(_ session: HTTPSession) -> Problem? {
    let start = session.topics.count
    let span = session.headSpan
    guard let range = HTTPPath.rest(of: session.head.path, in: span, after: "/v1/topics/"),
      PercentCoding.decode(range, in: span, into: &session.topics)
    else { return Problem(.badRequest, "The topic in the path is not valid percent-encoding.") }
    let problem = session.topics.withUnsafeBytes { Topic.problem(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    if let problem { return Problem(.badRequest, "This is not a topic: \(problem.description).") }
    return nil
  }

  private func permission(to session: HTTPSession, from start: Int) -> Problem? {
    session.topics.withUnsafeBytes { bytes in
      let topic = UnsafeRawBufferPointer(rebasing: bytes[start...])
      if Topic.isSystem(topic) { return Problem(.forbidden, "Topics that begin with '$' belong to the system; publish under another name.") }
      return settings.permissions.allows(.publish, topic) ? nil : Problem(.forbidden, "You may not publish to this topic.")
    }
  }

  private func readFacts(_ facts: inout PublishFacts, _ session: HTTPSession) -> Problem? {
    let head = session.head
    let span = session.headSpan
    if let contentType = head.first(.contentType) {
      guard contentType.count <= RequestLimits.contentTypeLength else { return Problem(.badRequest, "Content-Type has at most \(RequestLimits.contentTypeLength) bytes.") }
      guard MediaType.isWellFormed(contentType, in: span), isText(span, contentType) else {
        return Problem(.unsupportedMediaType, "Content-Type is not a media type; an example is application/json.")
      }
      facts.contentType = contentType
    }
    if let type = head.first(.tidingsEvent) {
      guard isText(span, type) else { return Problem(.badRequest, "Tidings-Event is UTF-8 text.") }
      let problem = span.extracting(type).withUnsafeBytes(EventType.problem)
      if let problem { return Problem(.badRequest, "Tidings-Event: \(problem)") }
      facts.type = type
    }
    if let key = head.first(.idempotencyKey) {
      guard key.count > 0, key.count <= RequestLimits.keyLength else {
        return Problem(.badRequest, "Idempotency-Key has 1 to \(RequestLimits.keyLength) bytes.")
      }
      facts.key = key
    }
    if let text = head.first(.tidingsTTL) {
      switch RequestText.timeToLive(span.text(text)) {
      case .success(let milliseconds): facts.timeToLive = milliseconds
      case .failure(let problem): return Problem(.badRequest, "Tidings-TTL: \(problem.description)")
      }
    }
    if let ack = head.first(.tidingsAck) {
      switch span.text(ack) {
      case "committed": break
      case "none": facts.wantsCommit = false
      default: return Problem(.badRequest, "Tidings-Ack is 'committed' or 'none'.")
      }
    }
    if let condition = head.first(.ifMatch) {
      guard let offset = RequestText.expectedHead(span.text(condition)) else {
        return Problem(.badRequest, "If-Match is the topic's last offset, as a number, a position (SHARD.OFFSET) or a cursor, with or without quotes; 0 means there is none yet.")
      }
      facts.expectedHead = offset
    }
    return nil
  }

  private func isText(_ span: RawSpan, _ range: Range<Int>) -> Bool {
    span.withUnsafeBytes { UTF8Validator.isValid(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }

  /// What renderers need to know of a payload, found out once.
  func payloadFlags(_ payload: RawSpan, isJSON: Bool) -> RecordFlags {
    guard payload.withUnsafeBytes({ UTF8Validator.isValid($0) }) else { return [] }
    if isJSON, JSONValidator.validate(payload) == nil { return [.text, .json] }
    return .text
  }
}

/// Values of headers and members that have a grammar of their own.
enum RequestText {
  static func timeToLive(_ text: String) -> Result<UInt32, UnreadableText> {
    do throws(UnreadableText) {
      let span = try TimeSpan(reading: text)
      guard span > .zero, span.nanoseconds <= RequestLimits.timeToLive.nanoseconds else {
        return .failure(UnreadableText("a time to live is more than nothing and at most 49 days"))
      }
      return .success(UInt32(max(1, span.milliseconds)))
    } catch {
      return .failure(error)
    }
  }

  /// `7`, `"7"`, `3.7`, `v1~…~3.7`: the offset is what counts.
  static func expectedHead(_ text: String) -> Offset? {
    var text = Substring(text)
    if text.hasPrefix("\""), text.hasSuffix("\""), text.utf8.count >= 2 { text = text.dropFirst().dropLast() }
    if text.hasPrefix("v1~") {
      guard let cursor = try? Cursor(parsing: String(text)), cursor.positions.count == 1 else { return nil }
      return cursor.positions[0].offset
    }
    if let dot = text.firstIndex(of: ".") {
      guard UInt16(text[..<dot]) != nil else { return nil }
      text = text[text.index(after: dot)...]
    }
    guard !text.isEmpty, text.utf8.allSatisfy(\.isDigit), let value = UInt64(text) else { return nil }
    return Offset(value)
  }
}
