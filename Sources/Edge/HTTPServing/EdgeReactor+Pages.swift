public import Core
public import Feeds
internal import HTTP
internal import Reactor
internal import SSE

extension EdgeReactor {
  // MARK: What the node answers

  /// A page that needs the whole node: asked for now, answered when it comes.
  func nodePage(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner, _ ask: (PageTicket) -> Void) {
    session.answerSequence = expect(session, manner)
    session.isPaused = true
    ask(PageTicket(edge: edge, ticket: TicketParts.make(connection.key, session.answerSequence)))
  }

  /// The node's answer to a page, or the status for those who follow it.
  public func answerPage(_ ticket: Ticket, type: StaticString, _ body: Bytes) {
    answerWaiting(ticket) { connection, session, sequence in
      complete(connection, session, sequence) { manner, buffer in
        body.withUnsafeBytes {
          appendAnswer(.ok, type, $0, manner, into: &buffer) { HTTPFieldEncoder.field("Cache-Control", "no-store", into: &$0) }
        }
      }
    }
  }

  /// The cluster's answer to what was wanted of a node.
  public func answerWish(_ ticket: Ticket, _ answer: NodeWishAnswer) {
    answerWaiting(ticket) { connection, session, sequence in
      switch answer {
      case .accepted(let body):
        complete(connection, session, sequence) { manner, buffer in
          body.withUnsafeBytes { appendAnswer(.accepted, "application/json", $0, manner, into: &buffer) { _ in } }
        }
      case .unknown(let why): answerProblem(connection, session, sequence, Problem(.notFound, why))
      case .conflict(let why): answerProblem(connection, session, sequence, Problem(.conflict, why))
      case .unavailable(let why): answerProblem(connection, session, sequence, Problem(.unavailable, why))
      }
    }
  }

  /// Answers a request that waited for the node, and reads on behind it. Whoever asked may be gone.
  private func answerWaiting(_ ticket: Ticket, _ answer: (Connection, HTTPSession, _ sequence: UInt32) -> Void) {
    guard let connection = connection(of: ticket), case .http(let session) = connection.role else { return }
    session.isPaused = false
    answer(connection, session, TicketParts(ticket).sequence)
    if !connection.isClosed { resumeReading(connection) }
  }

  /// `GET /v1/cluster/events`: the status, at once, every second, and sooner when something happens.
  func followStatus(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner) {
    HTTPResponseEncoder.start(.ok, date: date(), into: &connection.output.own)
    HTTPResponseEncoder.contentType("text/event-stream", into: &connection.output.own)
    HTTPFieldEncoder.field("Cache-Control", "no-store", into: &connection.output.own)
    HTTPFieldEncoder.field("X-Accel-Buffering", "no", into: &connection.output.own)
    HTTPResponseEncoder.connection(.close, into: &connection.output.own)
    appendCrossOrigin(manner, into: &connection.output.own)
    HTTPResponseEncoder.end(into: &connection.output.own)
    if manner.isHead { return closeWhenSent(connection) }
    SSEEncoder.append(retryMilliseconds: reconnectMilliseconds(), into: &connection.output.own)
    setTimer(connection, after: settings.heartbeat)
    connection.role = .following(.sse)
    statusFollowers.append(connection.key)
    list(connection)
    nodePages.status(for: PageTicket(edge: edge, ticket: Ticket(0)))
  }

  /// Whether anybody on this reactor follows the status.
  public var hasStatusFollowers: Bool { !statusFollowers.isEmpty }

  /// The status as it is now, for those who follow it. Someone who does not keep up is passed over: the next one
  /// tells all that this one did.
  public func publishStatus(_ body: Bytes) {
    statusFollowers.removeAll { key in
      guard let connection = connections[key] else { return true }
      if connection.output.isEmpty {
        body.withUnsafeBytes { SSEEncoder.append(data: $0, into: &connection.output.own) }
        list(connection)
      }
      return false
    }
  }

  func readiness(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner) {
    if let why = nodePages.unreadiness {
      answerProblem(connection, session, expect(session, manner), Problem(.unavailable, why))
    } else {
      answer(connection, session, manner, .ok, "text/plain; charset=utf-8", "ready\n")
    }
  }

  // MARK: Files and courtesies

  func webPage(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner, _ page: WebPage) {
    let bytes = page.bytes
    let tag = "\"\(settings.version)-\(CRC32C.of(bytes.span.bytes))\""
    let known = session.head.first(.ifNoneMatch).map { EdgeReactor.matches(session.headSpan.text($0), String(tag.dropFirst().dropLast())) } ?? false
    let sequence = expect(session, manner)
    complete(connection, session, sequence) { manner, buffer in
      bytes.withUnsafeBytes { body in
        appendAnswer(
          known ? .notModified : .ok, page.type,
          known ? UnsafeRawBufferPointer(start: nil, count: 0) : body, manner, into: &buffer
        ) { buffer in
          HTTPFieldEncoder.field("ETag", text: tag, into: &buffer)
          HTTPFieldEncoder.field("Cache-Control", "no-cache", into: &buffer)
          HTTPFieldEncoder.field("X-Content-Type-Options", "nosniff", into: &buffer)
          guard page == .index else { return }
          HTTPFieldEncoder.field("X-Frame-Options", "DENY", into: &buffer)
          HTTPFieldEncoder.field("Content-Security-Policy", text: WebPage.policy, into: &buffer)
          HTTPFieldEncoder.field("Referrer-Policy", "no-referrer", into: &buffer)
        }
      }
    }
  }

  func echo(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner, body: RawSpan) {
    let sequence = expect(session, manner)
    let type = session.head.first(.contentType)
    complete(connection, session, sequence) { manner, buffer in
      HTTPResponseEncoder.start(.ok, date: date(), into: &buffer)
      if let type {
        HTTPFieldEncoder.field("Content-Type", bytes: session.headSpan.extracting(type), into: &buffer)
      } else {
        HTTPResponseEncoder.contentType("application/octet-stream", into: &buffer)
      }
      HTTPResponseEncoder.contentLength(body.byteCount, into: &buffer)
      HTTPResponseEncoder.connection(manner.connection, into: &buffer)
      appendCrossOrigin(manner, into: &buffer)
      HTTPResponseEncoder.end(into: &buffer)
      if !manner.isHead { buffer.append(body) }
    }
  }

  func preflight(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner) {
    let sequence = expect(session, manner)
    complete(connection, session, sequence) { manner, buffer in
      appendAnswer(.noContent, "text/plain", UnsafeRawBufferPointer(start: nil, count: 0), manner, into: &buffer) { buffer in
        HTTPFieldEncoder.field("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE, QUERY", into: &buffer)
        HTTPFieldEncoder.field(
          "Access-Control-Allow-Headers",
          "Authorization, Content-Type, Accept, Cache-Control, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Tidings-Ack, Tidings-Event, Tidings-TTL",
          into: &buffer)
        HTTPFieldEncoder.field("Access-Control-Max-Age", decimal: 600, into: &buffer)
      }
    }
  }

  func options(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner, _ allow: String) {
    let sequence = expect(session, manner)
    complete(connection, session, sequence) { manner, buffer in
      appendAnswer(.noContent, "text/plain", UnsafeRawBufferPointer(start: nil, count: 0), manner, into: &buffer) {
        HTTPFieldEncoder.field("Allow", text: allow, into: &$0)
      }
    }
  }
}

/// What becomes of what was wanted of a node.
public enum NodeWishAnswer: Sendable {
  /// Agreed on; it is under way. A JSON object.
  case accepted(Bytes)
  case unknown(String)
  case conflict(String)
  case unavailable(String)
}
