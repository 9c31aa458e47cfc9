internal import Core
internal import HTTP
internal import Reactor
internal import Security

extension EdgeReactor {
  // MARK: Bytes in

  func receive(_ bytes: UnsafeMutableRawBufferPointer, on connection: Connection, _ session: HTTPSession) {
    feed(bytes, to: connection) { decode(UnsafeRawBufferPointer($0).bytes, connection, session) }
    guard !connection.isClosed, case .http = connection.role else { return }
    if connection.input.isEmpty, session.bodyStarted == nil {
      session.unfinishedSince = nil
    } else if !isHeldBack(connection), connection.share == .regular {
      watchTheClock(connection, session)
    }
  }

  /// Decodes as many requests as there are and may be under way. Answers how many bytes are done with.
  private func decode(_ input: RawSpan, _ connection: Connection, _ session: HTTPSession) -> Int {
    var offset = 0
    while !isHeldBack(connection) {
      let rest = input.extracting(offset..<input.byteCount)
      switch session.decoder.next(rest, head: &session.head) {
      case .needMore:
        return offset
      case .head(let consumed):
        session.unfinishedSince = nil
        session.headBytes.removeAll()
        session.headBytes.append(rest.extracting(0..<consumed))
        session.body.removeAll()
        offset += consumed
        headArrived(connection, session)
        if connection.isClosed { return offset }
      case .body(let range, let consumed):
        if session.body.isEmpty, session.head.contentLength == range.count {
          session.isBodyWhole = true
          session.wholeBody = offset + range.lowerBound..<offset + range.upperBound
        } else {
          session.body.append(rest.extracting(range))
        }
        offset += consumed
      case .end(let consumed):
        offset += consumed
        counters.requests += 1
        session.bodyStarted = nil
        session.unfinishedSince = nil
        session.owesContinue = false
        defer { session.forgetBody() }
        if session.isBodyWhole {
          session.isBodyWhole = false
          requestArrived(connection, session, body: input.extracting(session.wholeBody))
        } else {
          requestArrived(connection, session, body: session.body.bytes)
        }
        guard !connection.isClosed, case .http = connection.role else { return offset }
        if session.pending.count >= RequestLimits.pipelined { session.isPaused = true }
      case .failure(let failure):
        refuse(failure, connection, session)
        return input.byteCount
      }
    }
    return offset
  }

  private func headArrived(_ connection: Connection, _ session: HTTPSession) {
    session.route = Route.of(session.head, session.headSpan, diagnostics: settings.diagnostics)
    if connection.share == .reserve, session.route?.tellsHowTheNodeIs != true { return turnAway(connection) }
    if session.head.hasBody { session.bodyStarted = now }
    session.owesContinue = session.head.expectsContinue
    if session.pending.isEmpty { payContinue(connection, session) }
  }

  /// Tells a client that waits for it that its body is welcome, once every answer before that has been given.
  private func payContinue(_ connection: Connection, _ session: HTTPSession) {
    guard session.owesContinue else { return }
    session.owesContinue = false
    HTTPResponseEncoder.goOn(into: &connection.output.own)
    list(connection)
  }

  /// The peer broke the protocol: told once, after the answers before it, and closed.
  func refuse(_ failure: HTTPDecodeFailure, _ connection: Connection, _ session: HTTPSession) {
    counters.protocolErrors += 1
    let sequence = expect(session, AnswerManner(connection: .close))
    answerProblem(connection, session, sequence, Problem(failure.status, "\(failure.sentence)"))
  }

  /// Whether the peer's last bytes are the beginning of a request. One empty line behind a request is none.
  func isCutShort(_ connection: Connection, _ session: HTTPSession) -> Bool {
    let count = connection.input.count
    if session.bodyStarted == nil, count > 0, count <= 2, connection.input.withUnsafeBytes({ $0[0] == UInt8(ascii: "\r") }) { return false }
    return session.decoder.isInsideMessage(pending: count)
  }

  // MARK: Requests

  private func requestArrived(_ connection: Connection, _ session: HTTPSession, body: RawSpan) {
    let span = session.headSpan
    let route = session.route ?? .unknown
    var manner = AnswerManner(connection: HTTPResponseEncoder.connection(answering: session.head, closing: isDraining || connection.share == .reserve))
    manner.isHead = session.head.method == .head
    var isRefusedOrigin = false
    if let origin = session.head.first(.origin) {
      switch settings.origins.decide(origin: span.text(origin), host: session.head.authority.map { span.text($0) }) {
      case .notAsked: break
      case .allowed(let value): manner.origin = Bytes(value)
      case .refused: isRefusedOrigin = true
      }
    }
    if isDraining, route.isLasting {
      let problem = Problem(.unavailable, "The node is going down: it takes no new followers. Connect again, to another node.")
      return answerProblem(connection, session, expect(session, manner), problem)
    }
    if settings.isUnborn, route.needsTheCluster {
      let why = nodePages.unreadiness ?? "It belongs to no cluster yet."
      return answerProblem(connection, session, expect(session, manner), Problem(.unavailable, why))
    }
    if isRefusedOrigin {
      let sequence = expect(session, manner)
      return answerProblem(
        connection, session, sequence,
        Problem(.forbidden, "Pages of this origin may not use this node. Add the origin to --origins to allow it."))
    }
    if route.needsItsTurn, !session.pending.isEmpty {
      // A stream's bytes must stand behind every answer that is still owed.
      let copy = Bytes(copying: body)
      session.isPaused = true
      session.deferred = DeferredRequest { edge, connection, session in
        edge.dispatch(route, manner, connection, session, body: copy.bytes)
      }
      return
    }
    dispatch(route, manner, connection, session, body: body)
  }

  private func dispatch(_ route: Route, _ manner: AnswerManner, _ connection: Connection, _ session: HTTPSession, body: RawSpan) {
    switch route {
    case .publish(let retain): publish(connection, session, manner, retain: retain, body: body)
    case .clear: clearValue(connection, session, manner)
    case .currentValue: currentValue(connection, session, manner)
    case .batch: publishBatch(connection, session, manner, body: body)
    case .events: readEvents(connection, session, manner, body: nil)
    case .eventsQuery: readEvents(connection, session, manner, body: Bytes(copying: body))
    case .history: history(connection, session, manner)
    case .presence: askPresence(connection, session, manner)
    case .webSocket: upgrade(connection, session, manner, to: .tidings)
    case .mqttSocket: upgrade(connection, session, manner, to: .mqtt)
    case .echoSocket: upgrade(connection, session, manner, to: .echo)
    case .consumers: listConsumers(connection, session, manner)
    case .consumer(let name): consumer(connection, session, manner, name)
    case .acknowledge(let name): acknowledge(connection, session, manner, name, body: body)
    case .cluster: nodePage(connection, session, manner) { nodePages.status(for: $0) }
    case .metrics: nodePage(connection, session, manner) { nodePages.metrics(for: $0) }
    case .clusterEvents: followStatus(connection, session, manner)
    case .node(let wish, let name): nodePage(connection, session, manner) { nodePages.wish(wish, of: name, for: $0) }
    case .alive: answer(connection, session, manner, .ok, "text/plain; charset=utf-8", "alive\n")
    case .ready: readiness(connection, session, manner)
    case .page(let page): webPage(connection, session, manner, page)
    case .echo: echo(connection, session, manner, body: body)
    case .preflight: preflight(connection, session, manner)
    case .options(let allow): options(connection, session, manner, allow)
    case .unknown:
      answerProblem(
        connection, session, expect(session, manner),
        Problem(.notFound, "There is nothing at this path. Topics are published at /v1/topics/{topic} and read at /v1/events."))
    case .malformedPath:
      answerProblem(connection, session, expect(session, manner), Problem(.badRequest, "The path is not valid percent-encoded UTF-8."))
    case .notAllowed(let allow):
      var problem = Problem(.methodNotAllowed, "This path answers \(allow).")
      problem.allow = allow
      answerProblem(connection, session, expect(session, manner), problem)
    }
  }

  // MARK: Answers

  /// Takes a place in the order of answers. Everything that was expected must be answered.
  func expect(_ session: HTTPSession, _ manner: AnswerManner) -> UInt32 {
    let sequence = session.nextSequence
    session.pending.append(PendingAnswer(manner: manner))
    if manner.closes { session.isEnding = true }
    return sequence
  }

  /// Gives the answer of `sequence`: at once when it is its turn, else kept until then.
  func complete(_ connection: Connection, _ session: HTTPSession, _ sequence: UInt32, _ render: (AnswerManner, inout ByteBuffer) -> Void) {
    guard let index = session.pendingIndex(sequence), case .waiting = session.pending[index].state else { return }
    let manner = session.pending[index].manner
    if index > 0 {
      var early = ByteBuffer(capacity: 512)
      render(manner, &early)
      session.pending[index].state = .done(early.freeze())
      return
    }
    render(manner, &connection.output.own)
    var given = 1
    var closes = manner.closes
    while given < session.pending.count, case .done(let bytes) = session.pending[given].state {
      connection.output.own.append(bytes)
      closes = closes || session.pending[given].manner.closes
      given += 1
    }
    session.pending.removeFirst(given)
    session.firstSequence = (session.firstSequence &+ UInt32(given)) & TicketParts.sequenceMask
    session.forgetTopics()
    session.waitsForEvents = false
    // A node that drains keeps nobody for a next request.
    if closes || (isDraining && session.pending.isEmpty && session.deferred == nil && connection.input.isEmpty) {
      closeWhenSent(connection)
      return
    }
    if session.pending.isEmpty {
      session.topics.removeAll()
      payContinue(connection, session)
    }
    list(connection)
    wentOn(connection, session)
  }

  /// Answers were given: requests that waited for that may go on.
  private func wentOn(_ connection: Connection, _ session: HTTPSession) {
    guard session.isPaused else {
      if session.peerFinished, session.pending.isEmpty { connection.closesWhenSent = true }
      return
    }
    if let deferred = session.deferred {
      guard session.pending.isEmpty else { return }
      session.deferred = nil
      session.isPaused = false
      deferred.run(self, connection, session)
      if connection.isClosed { return }
    } else if session.pending.count <= RequestLimits.pipelined / 2 {
      session.isPaused = false
    }
    // What lies in the buffers already is decoded when the answers have been written.
    if session.peerFinished, session.pending.isEmpty, connection.input.isEmpty { connection.closesWhenSent = true }
  }

  /// A whole small answer, in turn.
  func answer(
    _ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner, _ status: HTTPStatus, _ type: StaticString, _ text: StaticString
  ) {
    let sequence = expect(session, manner)
    complete(connection, session, sequence) { manner, buffer in
      let body = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
      appendAnswer(status, type, body, manner, into: &buffer) { _ in }
    }
  }

  /// Head and body, with what every answer has; `fields` adds more.
  func appendAnswer(
    _ status: HTTPStatus, _ type: StaticString, _ body: UnsafeRawBufferPointer, _ manner: AnswerManner, into buffer: inout ByteBuffer,
    fields: (inout ByteBuffer) -> Void
  ) {
    HTTPResponseEncoder.start(status, date: date(), into: &buffer)
    if !status.hasNoBody { HTTPResponseEncoder.contentType(type, into: &buffer) }
    if status != .noContent, status != .notModified { HTTPResponseEncoder.contentLength(body.count, into: &buffer) }
    HTTPResponseEncoder.connection(manner.connection, into: &buffer)
    appendCrossOrigin(manner, into: &buffer)
    fields(&buffer)
    HTTPResponseEncoder.end(into: &buffer)
    if !manner.isHead, !status.hasNoBody { buffer.append(body) }
  }

  func appendCrossOrigin(_ manner: AnswerManner, into buffer: inout ByteBuffer) {
    guard let origin = manner.origin else { return }
    HTTPFieldEncoder.field("Access-Control-Allow-Origin", bytes: origin.bytes, into: &buffer)
    HTTPFieldEncoder.field("Access-Control-Expose-Headers", "ETag, Retry-After, Tidings-Cursor, Tidings-Event, Tidings-Position", into: &buffer)
    if !(origin.count == 1 && origin[0] == UInt8(ascii: "*")) {
      HTTPFieldEncoder.field("Access-Control-Allow-Credentials", "true", into: &buffer)
      HTTPFieldEncoder.field("Vary", "Origin", into: &buffer)
    }
  }

  /// The current `Date`, formatted once a second.
  func date() -> Bytes { dateCache.text(at: loop.wallTime) }

  // MARK: Time

  /// Something has begun to arrive and is not whole: it must be soon.
  private func watchTheClock(_ connection: Connection, _ session: HTTPSession) {
    if session.unfinishedSince == nil {
      session.unfinishedSince = now
      setTimer(connection, after: session.bodyStarted == nil ? settings.headTimeout : settings.bodyPause)
    }
  }

  func httpTimerFired(_ connection: Connection, _ session: HTTPSession) {
    let isUnfinished = (session.bodyStarted != nil || !connection.input.isEmpty) && !isHeldBack(connection)
    if session.waitsForEvents {
      waitIsOver(connection, session)
      return
    }
    if isUnfinished {
      let since = session.bodyStarted ?? session.unfinishedSince ?? now
      let hasStopped = now - connection.lastActive >= settings.bodyPause
      let allowed = session.bodyStarted == nil ? settings.headTimeout : settings.bodyTimeout
      if now - since >= allowed || hasStopped {
        let sequence = expect(session, AnswerManner(connection: .close))
        answerProblem(
          connection, session, sequence,
          Problem(.requestTimeout, "The request did not arrive in time. Send it again on a new connection."))
        return
      }
      setTimer(connection, after: TimeSpan.seconds(1))
      return
    }
    session.unfinishedSince = nil
    let idle = now - connection.lastActive
    if session.pending.isEmpty, connection.reader == nil, connection.output.isEmpty, idle >= settings.idleTimeout {
      close(connection)
    } else {
      setTimer(connection, after: max(TimeSpan.seconds(1), TimeSpan(nanoseconds: settings.idleTimeout.nanoseconds - idle.nanoseconds)))
    }
  }

  /// The connection becomes something else, or ends: nobody waits for its answers.
  func abandon(_ session: HTTPSession, of connection: Connection) {
    if session.waitsForEvents { stopWaiting(connection) }
    session.pending.removeAll()
    session.deferred = nil
  }
}

/// The `Date` header, good for a second.
struct DateCache {
  private var second: Int64 = -1
  private var bytes = Bytes()

  mutating func text(at time: WallTime) -> Bytes {
    let now = time.milliseconds / 1000
    if now != second {
      second = now
      var buffer = ByteBuffer(capacity: 32)
      buffer.append(httpDate: WallTime(milliseconds: now * 1000))
      bytes = buffer.freeze()
    }
    return bytes
  }
}
