internal import Core
internal import Feeds
internal import HTTP
internal import JSON
internal import MQTT
internal import Reactor
internal import WebSocket

extension EdgeReactor {
  /// Bounds of one WebSocket.
  enum SocketLimits {
    static let subscriptions = 256
    static let pendingPublishes = 1024
    static let pendingAcknowledgements = 1024
    static let deferredOperations = 256
    /// Largest message on the echo route: outside suites try sizes up to 16 MiB.
    static let echoMessage = 32 << 20
  }

  // MARK: Opening

  func upgrade(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner, to use: SocketUse) {
    let span = session.headSpan
    var handshake = WebSocketHandshake(protocols: use.protocols, allowsCompression: use != .mqtt)
    session.headBytes.withUnsafeBytes { bytes in
      for field in session.head.fields.lines {
        handshake.note(name: UnsafeRawBufferPointer(rebasing: bytes[field.name]), value: UnsafeRawBufferPointer(rebasing: bytes[field.value]))
      }
    }
    do throws(WebSocketRefusal) {
      guard session.head.minorVersion >= 1 else { throw .upgradeMissing }
      let acceptance = try handshake.answer()
      if let problem = use.problem(offered: session.head.fields.contains(.secWebSocketProtocol), taken: acceptance.protocolIndex != nil) {
        return answerProblem(connection, session, expect(session, manner), problem)
      }
      if use != .echo, let problem = unknownParameter(session.head.query, in: span) {
        return answerProblem(connection, session, expect(session, manner), problem)
      }
      HTTPResponseEncoder.start(.switchingProtocols, into: &connection.output.own)
      handshake.append(fieldsOf: acceptance, into: &connection.output.own)
      HTTPResponseEncoder.end(into: &connection.output.own)
      list(connection)
      if use == .mqtt { return makeMQTT(connection, framing: MQTTFraming(maximumMessage: settings.mqtt.maximumPacketSize)) }
      let echo = use == .echo
      let socket = WebSocketSession(
        // A window smaller than everyone's would need a compression of its own; such a client gets plain frames.
        isCompressed: acceptance.compression?.serverWindowBits == 15, allowsCompression: acceptance.compression != nil, isEcho: echo,
        maximumMessage: echo ? SocketLimits.echoMessage : settings.maximumMessage)
      connection.role = .webSocket(socket)
      clearTimer(connection)
      if !echo { setTimer(connection, after: settings.heartbeat) }
      if !echo { welcome(connection) }
    } catch {
      let sequence = expect(session, AnswerManner(connection: .close, isHead: false, origin: manner.origin))
      complete(connection, session, sequence) { manner, buffer in
        var body = ByteBuffer()
        Problem(HTTPStatus(rawValue: UInt16(error.status)) ?? .badRequest, "\(error.reason)").append(into: &body)
        body.withUnsafeBytes {
          appendAnswer(HTTPStatus(rawValue: UInt16(error.status)) ?? .badRequest, "application/problem+json", $0, manner, into: &buffer) { buffer in
            if error.status == 426 { buffer.append("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n") }
          }
        }
      }
    }
  }

  /// Those of reading do not belong here either: who gave them would wait for messages that never come.
  private func unknownParameter(_ query: Range<Int>?, in span: RawSpan) -> Problem? {
    ReadParameters.pairs(of: query, in: span) { name, _ in
      if name == "access_token" || name == "_" { return nil }
      return Problem(.badRequest, "There is no parameter '\(name.prefix(64))' here: what a WebSocket follows is said over it, in its protocol.")
    }
  }

  private func welcome(_ connection: Connection) {
    send(connection) { buffer in
      buffer.append("{\"op\":\"welcome\",\"node\":\"")
      buffer.append(text: settings.node.description)
      buffer.append("\",\"cluster\":\"")
      buffer.append(text: settings.cluster.description)
      buffer.append("\",\"heartbeat\":")
      buffer.append(decimal: settings.heartbeat.milliseconds)
      buffer.append(UInt8(ascii: "}"))
    }
  }

  // MARK: Frames in

  func receive(_ bytes: UnsafeMutableRawBufferPointer, on connection: Connection, _ session: WebSocketSession) {
    feed(bytes, to: connection) { take($0, connection, session) }
  }

  private func take(_ bytes: UnsafeMutableRawBufferPointer, _ connection: Connection, _ session: WebSocketSession) -> Int {
    var offset = 0
    while true {
      switch session.receiver.next(bytes, &offset, inflater: inflater) {
      case .needMore:
        return offset
      case .message(let message):
        if session.isEcho { echo(message, connection, session) } else { operate(message, connection, session) }
      case .ping(let range): answerPing(bytes[range], connection)
      case .pong:
        session.pingsUnanswered = 0
      case .close(let close):
        answerClose(close.code, connection)
        return bytes.count
      case .failed(let failure):
        refuseFrames(failure.code, failure.reason, connection)
        return bytes.count
      case .finished:
        return bytes.count
      }
      guard !connection.isClosed, case .webSocket = connection.role else { return bytes.count }
    }
  }

  func answerPing(_ payload: Slice<UnsafeMutableRawBufferPointer>, _ connection: Connection) {
    WebSocketEncoder.append(.pong, UnsafeRawBufferPointer(rebasing: payload), into: &connection.output.own)
    list(connection)
  }

  func answerClose(_ code: WebSocketCloseCode?, _ connection: Connection) {
    WebSocketEncoder.append(answerToClose: code, into: &connection.output.own)
    closeWhenSent(connection)
  }

  /// The client broke the protocol.
  func refuseFrames(_ code: WebSocketCloseCode, _ reason: StaticString, _ connection: Connection) {
    counters.protocolErrors += 1
    failSocket(connection, code, reason)
  }

  private func echo(_ message: WebSocketMessage, _ connection: Connection, _ session: WebSocketSession) {
    if session.isCompressed {
      scratch.removeAll()
      fanout.renderer.deflate(message.bytes, into: &scratch)
      scratch.withUnsafeBytes { WebSocketEncoder.append(message.kind.opcode, $0, isCompressed: true, into: &connection.output.own) }
    } else {
      WebSocketEncoder.append(message.kind.opcode, message.bytes, into: &connection.output.own)
    }
    list(connection)
  }

  // MARK: Frames out

  /// One text message for this connection alone.
  func send(_ connection: Connection, _ body: (inout ByteBuffer) -> Void) {
    WebSocketEncoder.append(.text, sizeHint: 200, into: &connection.output.own, body: body)
    list(connection)
  }

  func sendError(_ connection: Connection, _ error: OperationError, id: Bytes? = nil, reference: Bytes? = nil) {
    send(connection) { buffer in
      buffer.append("{\"op\":\"error\"")
      if let id, !id.isEmpty {
        buffer.append(",\"id\":")
        buffer.append(id)
      }
      if let reference, !reference.isEmpty {
        buffer.append(",\"ref\":")
        buffer.append(reference)
      }
      buffer.append(",\"code\":\"")
      buffer.append(error.code)
      buffer.append("\",\"detail\":")
      buffer.append(jsonText: error.detail)
      buffer.append(UInt8(ascii: "}"))
    }
  }

  func failSocket(_ connection: Connection, _ code: WebSocketCloseCode, _ reason: StaticString) {
    WebSocketEncoder.append(close: code, reason: reason, into: &connection.output.own)
    closeWhenSent(connection)
  }

  // MARK: Time

  /// A socket that follows nothing has no audience to beat for it.
  func webSocketTimerFired(_ connection: Connection, _ session: WebSocketSession) {
    if connection.audience == nil, connection.output.isEmpty, now - connection.lastActive >= settings.heartbeat {
      WebSocketEncoder.append(header: .ping, payloadCount: 0, into: &connection.output.own)
      list(connection)
    }
    setTimer(connection, after: settings.heartbeat)
  }

  // MARK: Answers of the shards

  func answerPublish(_ connection: Connection, _ session: WebSocketSession, _ sequence: UInt32, _ shard: ShardID, _ outcome: PublishResult.Outcome) {
    guard let index = session.pending.firstIndex(where: { $0.sequence == sequence }) else { return }
    let reference = session.pending.remove(at: index).reference
    switch outcome {
    case .accepted(let offset, let time), .duplicate(let offset, let time):
      var isDuplicate = false
      if case .duplicate = outcome { isDuplicate = true }
      send(connection) { buffer in
        buffer.append("{\"op\":\"published\"")
        if !reference.isEmpty {
          buffer.append(",\"ref\":")
          buffer.append(reference)
        }
        buffer.append(",\"position\":\"")
        buffer.append(decimal: UInt64(shard.value))
        buffer.append(UInt8(ascii: "."))
        buffer.append(decimal: offset.value)
        buffer.append("\",\"time\":\"")
        buffer.append(timestamp: time)
        buffer.append(isDuplicate ? "\",\"duplicate\":true}" : "\",\"duplicate\":false}")
      }
    case .refused(let refusal):
      let problem = problem(of: refusal)
      sendError(connection, OperationError(code: refusal.code, detail: problem.detail), reference: reference)
    }
  }
}

/// What a WebSocket is asked for.
enum SocketUse {
  case tidings
  case mqtt
  case echo

  var protocols: [StaticString] {
    switch self {
    case .tidings: ["tidings.v1"]
    case .mqtt: ["mqtt", "mqttv3.1"]
    case .echo: []
    }
  }

  /// What is wrong with the subprotocols that were offered, if anything is.
  func problem(offered: Bool, taken: Bool) -> Problem? {
    switch self {
    case .tidings: offered && !taken ? Problem(.badRequest, "This WebSocket speaks the subprotocol tidings.v1; offer it, or none.") : nil
    // [MQTT-6.0.0-3].
    case .mqtt: taken ? nil : Problem(.badRequest, "This WebSocket speaks MQTT; offer the subprotocol mqtt.")
    case .echo: nil
    }
  }
}

extension Refusal {
  /// Whether waiting does not help.
  var isLasting: Bool {
    switch self {
    case .journalFailed, .damaged: true
    default: false
    }
  }

  /// The refusal's name in `tidings.v1`.
  var code: StaticString {
    switch self {
    case .headMoved: "precondition-failed"
    case .diskFull: "disk-full"
    case .journalFailed, .notLeader, .electing, .noQuorum, .unknownOutcome, .sessionLost: "unavailable"
    case .damaged: "damaged"
    case .overloaded: "overloaded"
    case .noSuchConsumer: "no-such-consumer"
    case .consumerDiffers: "consumer-differs"
    }
  }
}
