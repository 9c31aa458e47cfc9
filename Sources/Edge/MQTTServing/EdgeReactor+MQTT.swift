public import Core
internal import Feeds
internal import MQTT
internal import Reactor
internal import Security
internal import WebSocket

/// MQTT connections: bytes to their channels, and what the channels want done.
///
/// ```
///   socket ─▶ receive ─▶ MQTTChannel ─▶ bytes ─▶ socket
///                            │ actions
///                            ├─ publish ─▶ the shard's batch of this turn ─▶ published ─▶ channel ─▶ PUBACK, PUBREC
///                            └─ subscribe ─▶ Reader ─▶ Audience (QoS 0), or parked and written to alone
/// ```
extension EdgeReactor {
  func makeMQTT(_ connection: Connection, framing: MQTTFraming?) {
    let session = MQTTSession(
      settings: settings.mqtt, publisher: UInt32(truncatingIfNeeded: generator.next()) | 1, framing: framing, at: now)
    connection.role = .mqtt(session)
    careForDeadline(connection, session)
  }

  // MARK: Bytes in

  func receive(_ bytes: UnsafeMutableRawBufferPointer, on connection: Connection, _ session: MQTTSession) {
    feed(bytes, to: connection) { bytes in
      session.framing == nil ? take(UnsafeRawBufferPointer(bytes).bytes, connection, session) : unframe(bytes, connection, session)
    }
  }

  /// MQTT bytes, as far as the channel takes them now.
  private func take(_ bytes: RawSpan, _ connection: Connection, _ session: MQTTSession) -> Int {
    var offset = 0
    while offset < bytes.byteCount, !session.channel.isPaused, !session.channel.isClosed {
      let taken = speak(connection, session) { channel, output in
        channel.receive(bytes.extracting(offset..<bytes.byteCount), at: now, into: &output)
      }
      offset += taken
      guard connection.isMQTT else { return bytes.byteCount }
      if taken == 0 { break }
    }
    return offset
  }

  // MARK: The channel

  /// Lets the channel say something, and does what it wants.
  func speak<Outcome>(
    _ connection: Connection, _ session: MQTTSession, _ body: (inout MQTTChannel, inout MQTTChannelOutput) -> Outcome
  ) -> Outcome {
    let isFramed = session.framing != nil
    // What the channel writes is the connection's own; only frames need another copy.
    if !isFramed { swap(&mqttOutput.bytes, &connection.output.own) }
    let before = mqttOutput.bytes.count
    let result = body(&session.channel, &mqttOutput)
    let hasWritten = mqttOutput.bytes.count > before
    if isFramed, hasWritten {
      mqttOutput.bytes.withUnsafeBytes { WebSocketEncoder.append(.binary, $0, into: &connection.output.own) }
      mqttOutput.bytes.removeAll()
    } else if !isFramed {
      swap(&mqttOutput.bytes, &connection.output.own)
    }
    if hasWritten { list(connection) }
    guard !mqttOutput.actions.isEmpty else { return result }
    var actions: [MQTTAction] = []
    swap(&actions, &mqttOutput.actions)
    for action in actions { carryOut(action, connection, session) }
    return result
  }

  private func carryOut(_ action: MQTTAction, _ connection: Connection, _ session: MQTTSession) {
    switch action {
    case .connect(let connect): accept(connect, connection, session)
    case .publish(let request): publish(request, connection, session)
    case .subscribe(let request): subscribe(request, connection, session)
    case .unsubscribe(let request): unsubscribe(request, connection, session)
    case .acknowledged: windowOpens(connection, session)
    // Sessions end with their connections: what they would have to remember is in the channel.
    case .release, .received: break
    case .resend(let token, _, _): preconditionFailure("message \(token) of a session that was never resumed")
    case .will(let will, _): publish(will, session)
    case .close: endMQTT(connection, session)
    }
  }

  // MARK: Coming and going

  private func accept(_ connect: MQTTConnect, _ connection: Connection, _ session: MQTTSession) {
    if isDraining {
      return speak(connection, session) { $0.refuse(.serverUnavailable, "The node is draining. Use another one.", at: now, into: &$1) }
    }
    if settings.isUnborn {
      return speak(connection, session) { $0.refuse(.serverUnavailable, "The node waits for its cluster.", at: now, into: &$1) }
    }
    var acceptance = MQTTAcceptance()
    var identifier = connect.clientIdentifier
    session.arrival = settings.mqttArrivals.next()
    if identifier.isEmpty {
      identifier = Bytes("tidings-\(UInt64(generator.next()).hexadecimal)")
      acceptance.assignedClientIdentifier = identifier
    } else {
      takeOver(identifier, by: session.arrival)
      nodePages.mqttClientCame(identifier, session.arrival, at: edge)
    }
    session.clientIdentifier = identifier
    mqttClients[identifier] = connection.key
    speak(connection, session) { $0.accept(acceptance, at: now, into: &$1) }
    if connection.isMQTT { careForDeadline(connection, session) }
  }

  /// Another connection has come with this identifier, to this edge or to another of the node's ([MQTT-3.1.4-3]).
  public func takeOver(_ identifier: Bytes, by arrival: UInt64) {
    guard let key = mqttClients[identifier], let connection = connections[key], case .mqtt(let session) = connection.role, session.arrival < arrival
    else { return }
    mqttClients[identifier] = nil
    speak(connection, session) { $0.end(.sessionTakenOver, "Another connection has come with this client identifier.", at: now, into: &$1) }
  }

  /// The channel is done: what it wrote last is sent, and the connection closed.
  private func endMQTT(_ connection: Connection, _ session: MQTTSession) {
    guard connection.isMQTT else { return }
    if session.framing != nil { WebSocketEncoder.append(close: .normal, reason: "", into: &connection.output.own) }
    closeWhenSent(connection)
  }

  /// The socket is gone, or is about to be: the will is due unless the client took its leave.
  func loseMQTT(_ connection: Connection, _ session: MQTTSession) {
    if mqttClients[session.clientIdentifier] == connection.key { mqttClients[session.clientIdentifier] = nil }
    session.channel.connectionLost(at: now, into: &mqttOutput)
    var actions: [MQTTAction] = []
    swap(&actions, &mqttOutput.actions)
    mqttOutput.bytes.removeAll()
    for case .will(let will, _) in actions { publish(will, session) }
  }

  // MARK: Time

  func careForDeadline(_ connection: Connection, _ session: MQTTSession) {
    let deadlines = [session.channel.deadline, session.readsAgainAt].compactMap(\.self)
    guard let deadline = deadlines.min() else { return setTimer(connection, after: settings.mqttIdleCare) }
    setTimer(connection, after: max(deadline - now, .milliseconds(1)))
  }

  func mqttTimerFired(_ connection: Connection, _ session: MQTTSession) {
    speak(connection, session) { $0.tick(at: now, into: &$1) }
    guard connection.isMQTT else { return }
    if let due = session.readsAgainAt, now >= due {
      session.readsAgainAt = nil
      makePumpable(connection)
    }
    careForDeadline(connection, session)
  }
}

extension Connection {
  var isMQTT: Bool {
    guard !isClosed, case .mqtt = role else { return false }
    return true
  }
}
