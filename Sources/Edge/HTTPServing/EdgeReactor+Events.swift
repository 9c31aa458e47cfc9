internal import Core
internal import Feeds
internal import HTTP
internal import Reactor
internal import SSE
internal import Security

extension EdgeReactor {
  /// `/v1/events`: one resource, read in the manner the client accepts.
  func readEvents(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner, body: Bytes?) {
    var parameters = ReadParameters()
    let span = session.headSpan
    if let problem = parameters.takeQuery(session.head.query, in: span) ?? body.flatMap({ parameters.takeBody($0.bytes) })
      ?? parameters.settle(lastEventID: session.head.first(.lastEventID).map { span.text($0) }, now: loop.wallTime)
    {
      return answerProblem(connection, session, expect(session, manner), problem)
    }
    for filter in parameters.filters where !filter.bytes.withUnsafeBytes({ settings.permissions.allows(.follow, $0) }) {
      return answerProblem(connection, session, expect(session, manner), Problem(.forbidden, "You may not follow '\(filter)'."))
    }
    let fields = session.head.fields
    let format: EventFormat?
    if MediaPreference.names("text/event-stream", in: fields, span) {
      format = parameters.isWholeEvents ? .sseJSON : .sse
    } else if MediaPreference.names("application/x-ndjson", in: fields, span) {
      format = .ndjson
    } else if MediaPreference.best(of: ["application/json"], for: fields, in: span) != nil {
      format = nil
    } else {
      return answerProblem(
        connection, session, expect(session, manner),
        Problem(.notAcceptable, "Events come as text/event-stream, application/x-ndjson or application/json."))
    }
    if let problem = presenceProblem(parameters, isStream: format != nil) {
      return answerProblem(connection, session, expect(session, manner), problem)
    }
    let ifNoneMatch = session.head.first(.ifNoneMatch).map { span.text($0) }
    if let name = parameters.consumer {
      openConsumer(name, parameters, connection) { edge, connection, result in
        guard case .http(let session) = connection.role else { return }
        switch result {
        case .failure(let refusal):
          session.isPaused = false
          edge.answerProblem(connection, session, edge.expect(session, manner), edge.problem(of: refusal))
          if !connection.isClosed { edge.resumeReading(connection) }
        case .success(let opened):
          var parameters = parameters
          parameters.filters = opened.consumer.filters
          parameters.start = .cursor(opened.consumer.cursor)
          edge.read(parameters, format, ifNoneMatch, ConsumerBinding(parameters, opened.consumer), connection, session, manner)
        }
      }
      return
    }
    read(parameters, format, ifNoneMatch, nil, connection, session, manner)
  }

  private func read(
    _ parameters: ReadParameters, _ format: EventFormat?, _ ifNoneMatch: String?, _ consumer: ConsumerBinding?, _ connection: Connection,
    _ session: HTTPSession, _ manner: AnswerManner
  ) {
    let wish = ReadWish(filters: parameters.filters, start: parameters.start)
    guard let format else {
      return poll(wish, parameters, ifNoneMatch, consumer, connection, session, manner)
    }
    beginStream(format, manner, connection, session)
    if manner.isHead { return closeWhenSent(connection) }
    let reader = Reader(goal: .follow(format), legs: [leg(for: wish)])
    reader.consumer = consumer
    clearTimer(connection)
    connection.role = .following(format)
    connection.input.removeAll(keepingCapacity: false)
    begin(reader, on: connection, format: format)
    take(parameters.presence, connection)
  }

  /// The head of a stream. It ends with its connection: no framing, no length, the same bytes for everyone.
  private func beginStream(_ format: EventFormat, _ manner: AnswerManner, _ connection: Connection, _ session: HTTPSession) {
    HTTPResponseEncoder.start(.ok, date: date(), into: &connection.output.own)
    HTTPResponseEncoder.contentType(format == .ndjson ? "application/x-ndjson" : "text/event-stream", into: &connection.output.own)
    HTTPFieldEncoder.field("Cache-Control", "no-store", into: &connection.output.own)
    // Proxies that buffer would hold events back.
    HTTPFieldEncoder.field("X-Accel-Buffering", "no", into: &connection.output.own)
    HTTPResponseEncoder.connection(.close, into: &connection.output.own)
    appendCrossOrigin(manner, into: &connection.output.own)
    HTTPResponseEncoder.end(into: &connection.output.own)
    if format != .ndjson, !manner.isHead {
      SSEEncoder.append(retryMilliseconds: reconnectMilliseconds(), into: &connection.output.own)
    }
    list(connection)
  }

  /// About `settings.reconnectMilliseconds`, so that clients cut off together do not come back together.
  func reconnectMilliseconds() -> Int {
    settings.reconnectMilliseconds / 2 + generator.below(max(1, settings.reconnectMilliseconds))
  }

  /// Followers of the status have no audience to beat for them.
  func followerTimerFired(_ connection: Connection) {
    if connection.output.isEmpty {
      connection.output.own.append(":\n\n")
      list(connection)
    }
    setTimer(connection, after: settings.heartbeat)
  }

  // MARK: Poll and long-poll

  private func poll(
    _ wish: ReadWish, _ parameters: ReadParameters, _ ifNoneMatch: String?, _ consumer: ConsumerBinding?, _ connection: Connection,
    _ session: HTTPSession, _ manner: AnswerManner
  ) {
    let waits = (parameters.waitSeconds ?? 0) > 0
    session.answerSequence = expect(session, manner)
    session.ifNoneMatch = ifNoneMatch
    let reader = Reader(goal: .answer(limit: parameters.limit, waits: waits), legs: [leg(for: wish)])
    reader.consumer = consumer
    if waits {
      session.waitUntil = now + TimeSpan.seconds(parameters.waitSeconds ?? 0)
    }
    session.isPaused = true
    begin(reader, on: connection, format: .json)
    take(parameters.presence, connection)
  }

  /// What is wrong with what a reading request says of presence.
  private func presenceProblem(_ parameters: ReadParameters, isStream: Bool) -> Problem? {
    if !isStream, !parameters.presence.hears.isEmpty {
      return Problem(.badRequest, "presence=TOPIC is told on a stream; ask GET /v1/presence who is there, or accept text/event-stream.")
    }
    if !isStream, !parameters.presence.enters.isEmpty, (parameters.waitSeconds ?? 0) == 0 {
      return Problem(.badRequest, "A poll is over at once: to be present say wait=SECONDS, or accept text/event-stream.")
    }
    return refusal(of: parameters.presence)
  }

  /// Nothing is there yet: the next turn that brings something answers.
  func wait(_ reader: Reader, _ connection: Connection) {
    guard case .http(let session) = connection.role, let audience = reader.audience, let until = session.waitUntil else { return }
    if until <= now || isDraining { return answer(reader, of: connection) }
    audience.remove(reader: connection.key)
    audience.waiters.append((connection.key, audience.stream.end))
    connection.audience = nil
    session.waitsForEvents = true
    session.waiting = reader
    connection.reader = nil
    if let timer = connection.timer { loop.cancel(timer) }
    connection.timer = loop.schedule(TimerKey(PollToken(kind: Self.connectionTimer, connection.key).rawValue), at: until)
  }

  /// The wait ended without an event.
  func waitIsOver(_ connection: Connection, _ session: HTTPSession) {
    guard let reader = session.waiting else { return }
    // Something came in this very turn: the turn's end answers with it.
    if let audience = reader.audience, audience.hasNews(for: connection.key) { return }
    stopWaiting(connection)
    let shards = reader.legs[0].places.map(\.shard)
    for index in reader.legs[0].places.indices { reader.legs[0].places[index].offset = fanout.feeds[shards[index].index].upTo }
    answer(reader, of: connection)
  }

  func stopWaiting(_ connection: Connection) {
    guard case .http(let session) = connection.role, let reader = session.waiting else { return }
    reader.audience?.remove(waiter: connection.key)
    session.waiting = nil
    session.waitsForEvents = false
    session.waitUntil = nil
    setTimer(connection, after: settings.idleTimeout)
  }

  /// Answers everyone who waited for what this turn brought; the same bytes for all who ask alike.
  func answerWaiters() {
    while let index = fanout.answerable.popLast() {
      guard let audience = fanout.audiences[index] else { continue }
      audience.isAnswerable = false
      let end = audience.stream.end
      let told = audience.waiters.filter { $0.position < end }
      audience.waiters.removeAll { $0.position < end }
      if let oldest = audience.oldestUnsent {
        fanout.latencies[Int(EventFormat.json.rawValue)].record(
          milliseconds: loop.wallTime.milliseconds - oldest.milliseconds, times: told.count)
      }
      let slot = Int(EventFormat.json.rawValue)
      var sharedFrom = UInt64.max
      var shared: RenderArena.Piece?
      var sharedMessages = 0
      for waiter in told {
        guard let connection = connections[waiter.connection], case .http(let session) = connection.role, let reader = session.waiting else { continue }
        let isPlain = isPlainAnswer(session, reader, audience, waiter.position)
        if isPlain, sharedFrom != waiter.position || shared == nil {
          if let shared { fanout.arenas[slot].release(shared.chunk) }
          shared = renderShared(audience, from: waiter.position, session)
          sharedMessages = audience.stream.messages(from: waiter.position)
          sharedFrom = waiter.position
        }
        if answerWaiter(connection, session, reader, audience, isPlain ? shared : nil) { fanout.counters.deliveries[slot] += sharedMessages }
      }
      if let shared { fanout.arenas[slot].release(shared.chunk) }
    }
  }

  /// Whether the connection can be given the same bytes as all others: nothing stands before them, nothing special in them.
  private func isPlainAnswer(_ session: HTTPSession, _ reader: Reader, _ audience: Audience, _ position: UInt64) -> Bool {
    guard case .answer(let limit, _) = reader.goal, session.pending.count == 1, let manner = session.pending.first?.manner else { return false }
    guard case .persistent = manner.connection, manner.origin == nil, !manner.isHead, session.ifNoneMatch == nil else { return false }
    return audience.stream.messages(from: position) <= limit
  }

  /// The piece is retained: whoever asked releases it.
  private func renderShared(_ audience: Audience, from position: UInt64, _ session: HTTPSession) -> RenderArena.Piece {
    var body = ByteBuffer(capacity: 4096)
    appendWaited(audience, from: position, into: &body)
    var answer = ByteBuffer(capacity: body.count + 512)
    body.withUnsafeBytes { bytes in
      appendAnswer(.ok, "application/json", bytes, AnswerManner(connection: .persistent), into: &answer) { buffer in
        buffer.append("Tidings-Cursor: ")
        fanout.renderer.appendCursor(audience.shards, fanout.cursor(of: audience), into: &buffer)
        buffer.append("\r\nCache-Control: no-store\r\n")
      }
    }
    let slot = Int(EventFormat.json.rawValue)
    let piece = answer.withUnsafeBytes { fanout.arenas[slot].place($0) }
    fanout.arenas[slot].retain(piece.chunk)
    return piece
  }

  private func appendWaited(_ audience: Audience, from position: UInt64, into body: inout ByteBuffer) {
    body.append("{\"events\":[")
    audience.stream.forEachPiece(in: position..<audience.stream.end) { piece in
      body.append(UnsafeRawBufferPointer(start: piece.start, count: piece.count))
    }
    // Every event ends with a comma; the last one's goes.
    body.truncate(to: body.count - 1)
    body.append("],\"cursor\":\"")
    fanout.renderer.appendCursor(audience.shards, fanout.cursor(of: audience), into: &body)
    body.append("\"}")
  }

  /// False if it goes on as a reader instead.
  private func answerWaiter(
    _ connection: Connection, _ session: HTTPSession, _ reader: Reader, _ audience: Audience, _ shared: RenderArena.Piece?
  ) -> Bool {
    session.waiting = nil
    session.waitsForEvents = false
    session.waitUntil = nil
    guard let shared, connection.output.isEmpty else {
      // The limit, or the answer's head, is this one's own: it reads what it waited for from the recent pushes.
      connection.reader = reader
      fanout.await(audience, connection.key)
      session.waitUntil = now
      makePumpable(connection)
      return false
    }
    acknowledge(reader, audience.shards, fanout.cursor(of: audience))
    restPresence(connection)
    session.pending.removeFirst()
    session.firstSequence = (session.firstSequence &+ 1) & TicketParts.sequenceMask
    session.topics.removeAll()
    session.isPaused = false
    setTimer(connection, after: settings.idleTimeout)
    switch connection.descriptor.send(shared.start, count: shared.count) {
    case .bytes(let sent):
      fanout.counters.bytes += sent
      if sent < shared.count { keep(shared, from: sent, for: connection) }
    case .wouldBlock:
      keep(shared, from: 0, for: connection)
    case .closed, .failed:
      close(connection)
      return true
    }
    resumeReading(connection)
    return true
  }

  private func keep(_ piece: RenderArena.Piece, from sent: Int, for connection: Connection) {
    let slot = Int(EventFormat.json.rawValue)
    fanout.arenas[slot].retain(piece.chunk)
    connection.output.rests.append(
      OutputQueue.SharedRest(piece: RenderArena.Piece(start: piece.start + sent, count: piece.count - sent, chunk: piece.chunk), arena: slot))
    connection.isBlocked = true
  }

  /// The one answer of a poll or long-poll.
  func answer(_ reader: Reader, of connection: Connection) {
    guard case .http(let session) = connection.role else { return }
    reader.audience?.remove(reader: connection.key)
    connection.reader = nil
    restPresence(connection)
    session.waitUntil = nil
    let shards = reader.legs[0].places.map(\.shard)
    let offsets = reader.legs[0].places.map(\.offset)
    var cursor = ByteBuffer(capacity: 64)
    fanout.renderer.appendCursor(shards, offsets, namingAll: true, into: &cursor)
    acknowledge(reader, shards, offsets)
    var waits = false
    if case .answer(_, let does) = reader.goal { waits = does }
    let isEmpty = reader.eventCount == 0 && reader.gap == nil
    let tag = cursor.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    let isUnchanged = !waits && reader.gap == nil && (session.ifNoneMatch.map { EdgeReactor.matches($0, tag) } ?? false)
    session.ifNoneMatch = nil
    session.isPaused = false
    setTimer(connection, after: settings.idleTimeout)
    var body = ByteBuffer(capacity: reader.events.count + 256)
    body.append("{\"events\":[")
    if reader.eventCount > 0 {
      // Every event ends with a comma; the last one's goes.
      reader.events.withUnsafeBytes { body.append(UnsafeRawBufferPointer(rebasing: $0.dropLast())) }
    }
    body.append("],\"cursor\":\"")
    body.append(cursor.bytes)
    body.append(UInt8(ascii: "\""))
    if let gap = reader.gap {
      body.append(",\"gap\":")
      fanout.renderer.appendGap(gap, operation: false, into: &body)
    }
    body.append(UInt8(ascii: "}"))
    let status: HTTPStatus = isUnchanged ? .notModified : waits && isEmpty ? .noContent : .ok
    complete(connection, session, session.answerSequence) { manner, buffer in
      body.withUnsafeBytes { bytes in
        appendAnswer(status, "application/json", bytes, manner, into: &buffer) { buffer in
          HTTPFieldEncoder.field("Tidings-Cursor", bytes: cursor.bytes, into: &buffer)
          if waits {
            HTTPFieldEncoder.field("Cache-Control", "no-store", into: &buffer)
            if isDraining { HTTPFieldEncoder.field("Retry-After", decimal: 1, into: &buffer) }
          } else {
            buffer.append("ETag: \"")
            buffer.append(cursor.bytes)
            buffer.append("\"\r\nCache-Control: private, no-cache\r\nRetry-After: 1\r\n")
          }
        }
      }
    }
    if !connection.isClosed { resumeReading(connection) }
  }

  func answerRefusal(_ reader: Reader, of connection: Connection, _ refusal: Refusal) {
    guard case .http(let session) = connection.role else { return }
    reader.audience?.remove(reader: connection.key)
    connection.reader = nil
    restPresence(connection)
    session.waitUntil = nil
    session.isPaused = false
    answerProblem(connection, session, session.answerSequence, problem(of: refusal))
  }

  /// Whether a list of entity tags names `tag`, compared weakly.
  static func matches(_ list: String, _ tag: String) -> Bool {
    let bytes = Bytes(list)
    var tags = EntityTags(0..<bytes.count)
    while let element = tags.next(in: bytes.bytes) {
      switch element {
      case .any: return true
      case .tag(let range, _): if bytes.bytes.text(range) == tag { return true }
      }
    }
    return false
  }
}
