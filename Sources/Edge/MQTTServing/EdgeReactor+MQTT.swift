internal import Core
internal import Feeds
internal import MQTT
internal import Reactor
internal import Security
internal import Sessions
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
    mqttTraffic.sockets += 1
    careForDeadline(connection, session)
  }

  // MARK: Bytes in

  func receive(_ bytes: UnsafeMutableRawBufferPointer, on connection: Connection, _ session: MQTTSession) {
    mqttTraffic.bytesReceived += bytes.count
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
    guard session.framing == nil, session.keeping?.isDurable != true else { return speakWithCare(connection, session, body) }
    // What the channel writes is the connection's own.
    swap(&mqttOutput.bytes, &connection.output.own)
    let before = mqttOutput.bytes.count
    let result = body(&session.channel, &mqttOutput)
    let hasWritten = mqttOutput.bytes.count > before
    mqttTraffic.bytesSent += mqttOutput.bytes.count - before
    swap(&mqttOutput.bytes, &connection.output.own)
    if hasWritten { list(connection) }
    carryOutActions(connection, session)
    return result
  }

  /// The same where what is written must be put into frames, or may have to wait until what it says is saved.
  private func speakWithCare<Outcome>(
    _ connection: Connection, _ session: MQTTSession, _ body: (inout MQTTChannel, inout MQTTChannelOutput) -> Outcome
  ) -> Outcome {
    let result = body(&session.channel, &mqttOutput)
    let mustBeSaved = mqttOutput.actions.contains { $0.mustBeSaved(in: session.keeping) }
    if mustBeSaved { oweSave(connection, session) }
    if !mqttOutput.bytes.isEmpty {
      var bytes = ByteBuffer()
      swap(&bytes, &mqttOutput.bytes)
      if !session.channel.isClosed, let keeping = session.keeping, keeping.isHolding {
        keeping.hold(bytes.bytes)
      } else if !session.channel.isClosed || !mustBeSaved {
        // A channel that has ended waits for nothing; what it said of steps that are not saved it does not say.
        write(bytes.bytes, connection, session)
      }
      bytes.removeAll()
      swap(&bytes, &mqttOutput.bytes)
    }
    carryOutActions(connection, session)
    return result
  }

  func write(_ bytes: RawSpan, _ connection: Connection, _ session: MQTTSession) {
    guard bytes.byteCount > 0 else { return }
    mqttTraffic.bytesSent += bytes.byteCount
    if session.framing == nil {
      connection.output.own.append(bytes)
    } else {
      bytes.withUnsafeBytes { WebSocketEncoder.append(.binary, $0, into: &connection.output.own) }
    }
    list(connection)
  }

  private func carryOutActions(_ connection: Connection, _ session: MQTTSession) {
    guard !mqttOutput.actions.isEmpty else { return }
    var actions: [MQTTAction] = []
    swap(&actions, &mqttOutput.actions)
    for action in actions { carryOut(action, connection, session) }
    if session.keeping?.recalls.isEmpty == false, connection.isMQTT { goOnRecalling(connection, session) }
  }

  private func carryOut(_ action: MQTTAction, _ connection: Connection, _ session: MQTTSession) {
    switch action {
    case .connect(let connect): accept(connect, connection, session)
    case .publish(let request):
      mqttTraffic.publishesReceived += 1
      mqttTraffic.payloadBytesReceived += request.payload.count
      publish(request, connection, session)
    case .subscribe(let request): subscribe(request, connection, session)
    case .unsubscribe(let request): unsubscribe(request, connection, session)
    case .acknowledged(let token):
      session.keeping?.acknowledged(token)
      noteMove(connection, session)
      settleShare(token, session)
      windowOpens(connection, session)
    case .received(let token):
      session.keeping?.acknowledged(token)
      noteMove(connection, session)
      settleShare(token, session)
    case .release(let identifier): session.keeping?.released(identifier)
    case .resend(let token, _, _): session.keeping?.recalls.append(MQTTRecall(token: token, wasSent: true))
    // Told to the shard with the end of the connection, which it comes with.
    case .will: session.hasWillDue = true
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
    enter(connect, connection, session)
  }

  /// The channel is done: what it wrote last is sent, and the connection closed.
  private func endMQTT(_ connection: Connection, _ session: MQTTSession) {
    guard connection.isMQTT else { return }
    if session.framing != nil { WebSocketEncoder.append(close: .normal, reason: "", into: &connection.output.own) }
    closeWhenSent(connection)
  }

  /// The socket is gone, or is about to be: the will is due unless the client took its leave.
  func loseMQTT(_ connection: Connection, _ session: MQTTSession) {
    if session.isCounted { settings.mqttCensus.went() }
    session.isCounted = false
    if mqttClients[session.clientIdentifier] == connection.key { mqttClients[session.clientIdentifier] = nil }
    session.channel.connectionLost(at: now, into: &mqttOutput)
    if mqttOutput.actions.contains(where: { if case .will = $0 { true } else { false } }) { session.hasWillDue = true }
    mqttOutput.removeAll()
    leave(connection, session)
    leaveShares(connection, session)
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
      goOnRecalling(connection, session)
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
