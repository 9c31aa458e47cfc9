internal import Core
internal import Feeds
internal import HTTP
internal import Reactor
internal import Security

extension EdgeReactor {
  // MARK: Current value

  /// `GET /v1/topics/{topic}`: the retained value as it was published.
  func currentValue(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner) {
    let sequence = expect(session, manner)
    let span = session.headSpan
    var name = ByteBuffer()
    guard let range = HTTPPath.rest(of: session.head.path, in: span, after: "/v1/topics/"),
      PercentCoding.decode(range, in: span, into: &name)
    else {
      return answerProblem(connection, session, sequence, Problem(.badRequest, "The topic in the path is not valid percent-encoding."))
    }
    let topic = name.freeze()
    if let problem = topic.withUnsafeBytes(Topic.problem) {
      return answerProblem(connection, session, sequence, Problem(.badRequest, "This is not a topic: \(problem.description)."))
    }
    guard topic.withUnsafeBytes({ settings.permissions.allows(.follow, $0) }), let filter = try? Filter(topic) else {
      return answerProblem(connection, session, sequence, Problem(.forbidden, "You may not read this topic."))
    }
    session.answerSequence = sequence
    session.ifNoneMatch = session.head.first(.ifNoneMatch).map { span.text($0) }
    session.isPaused = true
    let reader = Reader(goal: .value, legs: [leg(for: ReadWish(filters: [filter], start: .current))])
    begin(reader, on: connection, format: .json)
  }

  func answerValue(_ page: ReadReply.Page, _ shard: ShardID, _ connection: Connection) {
    guard case .http(let session) = connection.role else { return }
    let ifNoneMatch = session.ifNoneMatch
    session.ifNoneMatch = nil
    session.isPaused = false
    guard let value = page.pieces.first(where: { $0.count > 0 }) else {
      answerProblem(
        connection, session, session.answerSequence,
        Problem(.notFound, "The topic has no current value. PUT one, or read its messages at /v1/events or /v1/history."))
      return resumeReading(connection)
    }
    value.withUnsafeBytes { bytes in
      let record = RecordView(trusting: bytes.baseAddress.unsafelyUnwrapped)
      let tag = Position(shard, record.offset).description
      let isUnchanged = ifNoneMatch.map { EdgeReactor.matches($0, tag) } ?? false
      complete(connection, session, session.answerSequence) { manner, buffer in
        HTTPResponseEncoder.start(isUnchanged ? .notModified : .ok, date: date(), into: &buffer)
        if !isUnchanged {
          if record.contentType.isEmpty {
            HTTPResponseEncoder.contentType("application/octet-stream", into: &buffer)
          } else {
            HTTPFieldEncoder.field("Content-Type", bytes: record.contentType.bytes, into: &buffer)
          }
          HTTPResponseEncoder.contentLength(record.payload.count, into: &buffer)
        }
        HTTPFieldEncoder.field("ETag", text: "\"\(tag)\"", into: &buffer)
        HTTPFieldEncoder.field("Cache-Control", "no-cache", into: &buffer)
        buffer.append("Last-Modified: ")
        buffer.append(httpDate: record.time)
        buffer.append("\r\nTidings-Position: ")
        buffer.append(text: tag)
        buffer.append("\r\nTidings-Cursor: ")
        fanout.renderer.appendCursor(shard, page.upTo, into: &buffer)
        buffer.append("\r\n")
        if !record.type.isEmpty { HTTPFieldEncoder.field("Tidings-Event", bytes: record.type.bytes, into: &buffer) }
        // What anyone published is not to be run as a page of this origin.
        HTTPFieldEncoder.field("X-Content-Type-Options", "nosniff", into: &buffer)
        HTTPFieldEncoder.field("Content-Security-Policy", "sandbox", into: &buffer)
        HTTPResponseEncoder.connection(manner.connection, into: &buffer)
        appendCrossOrigin(manner, into: &buffer)
        HTTPResponseEncoder.end(into: &buffer)
        if !manner.isHead, !isUnchanged { buffer.append(record.payload) }
      }
    }
    if !connection.isClosed { resumeReading(connection) }
  }

  // MARK: History

  /// `GET /v1/history`: one topic's messages, newest first.
  func history(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner) {
    let sequence = expect(session, manner)
    var parameters = ReadParameters()
    if let problem = parameters.takeQuery(session.head.query, in: session.headSpan) {
      return answerProblem(connection, session, sequence, problem)
    }
    if !parameters.presence.isEmpty { return answerProblem(connection, session, sequence, Problem(.badRequest, PresenceWish.belongsElsewhere)) }
    guard parameters.filters.count == 1, let filter = parameters.filters.first, !filter.hasWildcard, let shard = filter.shard(among: settings.shardCount) else {
      return answerProblem(connection, session, sequence, Problem(.badRequest, "History is read of one topic: topic=NAME, without wildcards."))
    }
    guard filter.bytes.withUnsafeBytes({ settings.permissions.allows(.follow, $0) }) else {
      return answerProblem(connection, session, sequence, Problem(.forbidden, "You may not read '\(filter)'."))
    }
    if let before = parameters.before, before.cluster != settings.cluster {
      return answerProblem(
        connection, session, sequence, Problem(.badRequest, "before is a cursor of another cluster; leave it out to begin at the newest message."))
    }
    session.answerSequence = sequence
    session.isPaused = true
    session.historyShard = shard
    session.historyLimit = min(parameters.limit, RequestLimits.history)
    let before = parameters.before.map { $0[shard] }
    ask(
      shard,
      .history(
        HistoryRequest(
          edge: edge, ticket: TicketParts.make(connection.key, sequence), topic: Topic(trusting: filter.bytes), before: before,
          limit: session.historyLimit)))
  }

  func answerHistory(_ reply: HistoryReply) {
    guard let connection = connection(of: reply.ticket), case .http(let session) = connection.role,
      session.answerSequence == TicketParts(reply.ticket).sequence, let shard = session.historyShard
    else { return }
    session.historyShard = nil
    session.isPaused = false
    switch reply.result {
    case .failure(let refusal):
      answerProblem(connection, session, session.answerSequence, problem(of: refusal))
    case .success(let records):
      var body = ByteBuffer(capacity: 4096)
      body.append("{\"events\":[")
      var oldest: RecordView?
      for record in records {
        record.withUnsafeBytes { bytes in
          let view = RecordView(trusting: bytes.baseAddress.unsafelyUnwrapped)
          fanout.renderer.appendBody(view, shard, as: .json, wall: loop.wallTime, into: &body)
          oldest = view
        }
      }
      if !records.isEmpty { body.truncate(to: body.count - 1) }
      body.append(UInt8(ascii: "]"))
      if let oldest, records.count == session.historyLimit, oldest.previous > .zero {
        body.append(",\"before\":\"")
        fanout.renderer.appendCursor(shard, oldest.offset, into: &body)
        body.append(UInt8(ascii: "\""))
      }
      body.append(UInt8(ascii: "}"))
      extendLifetime(records)
      complete(connection, session, session.answerSequence) { manner, buffer in
        body.withUnsafeBytes { appendAnswer(.ok, "application/json", $0, manner, into: &buffer) { _ in } }
      }
    }
    if !connection.isClosed { resumeReading(connection) }
  }
}
