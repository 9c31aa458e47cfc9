internal import Core
internal import Feeds
internal import MQTT
internal import Sessions

/// An edge's MQTT connections: bytes to their channels, and what the channels want done. What production does between its
/// sockets and `MQTTKeeping`, without the sockets.
extension SimulatedCluster {
  var channelSettings: MQTTChannelSettings {
    var settings = MQTTChannelSettings()
    settings.sessionExpiryMaximum = 3600
    settings.maximumInFlight = 12
    settings.receiveMaximum = 32
    return settings
  }

  // Bytes in -----------------------------------------------------------------------------------------------

  func receive(_ bytes: Bytes, _ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    pipe.session.input.append(bytes)
    take(pipe, edge)
  }

  private func take(_ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    let session = pipe.session
    while !session.input.isEmpty, !session.channel.isPaused, pipe.isOpenAtEdge {
      let input = Bytes(copying: session.input.bytes)
      let taken = speak(pipe, edge) { channel, output in channel.receive(input.bytes, at: now, into: &output) } ?? 0
      session.input.removeFirst(min(taken, session.input.count))
      if taken == 0 { break }
    }
  }

  // The channel --------------------------------------------------------------------------------------------

  /// Lets the channel say something, and does what it wants.
  func speak<Outcome>(_ pipe: MQTTPipe, _ edge: SimulatedEdge, _ body: (inout MQTTChannel, inout MQTTChannelOutput) -> Outcome) -> Outcome? {
    guard let own = edge.sessions else { return nil }
    let session = pipe.session
    let result = body(&session.channel, &own.output)
    let mustBeSaved = own.output.actions.contains { $0.mustBeSaved(in: session.keeping) }
    if mustBeSaved { oweSave(pipe, edge) }
    if !own.output.bytes.isEmpty {
      if !session.channel.isClosed, let keeping = session.keeping, keeping.isHolding {
        keeping.hold(own.output.bytes.bytes)
      } else if !session.channel.isClosed || !mustBeSaved {
        write(Bytes(copying: own.output.bytes.bytes), pipe)
      }
    }
    let actions = own.output.actions
    own.output.removeAll()
    for action in actions { carryOut(action, pipe, edge) }
    if session.keeping?.recalls.isEmpty == false, pipe.isOpenAtEdge { goOnRecalling(pipe, edge) }
    return result
  }

  func write(_ bytes: Bytes, _ pipe: MQTTPipe) {
    if pipe.isOpenAtEdge { send(bytes, through: pipe, toEdge: false) }
  }

  private func carryOut(_ action: MQTTAction, _ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    let session = pipe.session
    switch action {
    case .connect(let connect): enter(connect, pipe, edge)
    case .publish(let request): publish(request, pipe, edge)
    case .subscribe(let request): subscribe(request, pipe, edge)
    case .unsubscribe(let request): unsubscribe(request, pipe, edge)
    case .acknowledged:
      noteMove(pipe, edge)
      pump(pipe, edge)
    case .received: noteMove(pipe, edge)
    case .release(let identifier): session.keeping?.released(identifier)
    case .resend(let token, _, _): session.keeping?.recalls.append(MQTTRecall(token: token, wasSent: true))
    case .will: session.hasWillDue = true
    case .close:
      tellEnd(pipe, toEdge: false)
      lose(pipe, edge)
    }
  }

  /// The connection is gone: the will is due unless the client took its leave.
  func lose(_ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    guard pipe.isOpenAtEdge, let own = edge.sessions else { return }
    let session = pipe.session
    if own.clients[session.client] == pipe.number { own.clients[session.client] = nil }
    var output = MQTTChannelOutput()
    session.channel.connectionLost(at: now, into: &output)
    if output.actions.contains(where: { if case .will = $0 { true } else { false } }) { session.hasWillDue = true }
    leave(pipe, edge)
    for leg in session.legs { release(leg, edge) }
    session.legs.removeAll()
    pipe.isOpenAtEdge = false
    own.connections.removeAll { $0 === pipe }
  }

  // What clients publish -----------------------------------------------------------------------------------

  private func publish(_ request: MQTTPublishRequest, _ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    guard let keeping = pipe.session.keeping, keeping.isDurable else { return publish(request, number: nil, pipe, edge) }
    switch keeping.take(request) {
    case .goes(let number): publish(request, number: number, pipe, edge)
    case .waits(let owesSave): if owesSave { oweSave(pipe, edge) }
    }
  }

  func publish(_ request: MQTTPublishRequest, number: UInt64?, _ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    let ticket = nextTicket(of: edge)
    pipe.session.publishes.append(
      EdgeSession.PendingPublish(ticket: ticket, answer: request.ticket, packetIdentifier: number == nil ? 0 : request.packetIdentifier))
    edge.sessions?.publishes[ticket] = pipe.number
    var record = ByteBuffer()
    encode(topic: request.topic, request.qos, key: number.flatMap { pipe.session.keeping?.key($0) }, request.payload, edge, into: &record)
    publish(record, Int(request.topic[1]) - 48, ticket, edge)
  }

  func encode(topic: Bytes, _ qos: MQTTQoS, key: Bytes?, _ payload: Bytes, _ edge: SimulatedEdge, into record: inout ByteBuffer) {
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    let properties: [UInt8] = [1, qos.rawValue]
    func encode(_ key: UnsafeRawBufferPointer) {
      topic.withUnsafeBytes { topic in
        properties.withUnsafeBytes { properties in
          payload.withUnsafeBytes { payload in
            RecordDraft().encode(
              topic: topic, type: nothing, contentType: nothing, key: key, properties: properties, payload: payload, into: &record)
          }
        }
      }
    }
    if let key { key.withUnsafeBytes(encode) } else { edge.retryKey.withNext(encode) }
  }

  func publish(_ record: borrowing ByteBuffer, _ topic: Int, _ ticket: Ticket, _ edge: SimulatedEdge) {
    let batch = PublishBatch(edge: EdgeID(0), capacity: record.count)
    batch.records.append(record.bytes)
    batch.entries.append(PublishEntry(ticket: ticket, length: record.count))
    ask(edge, topic % plan.shards, .publish(batch))
  }

  /// The shard's word on a client's message, or on a will. False if it is neither.
  func takesPublished(_ result: PublishResult, _ edge: SimulatedEdge) -> Bool {
    guard let own = edge.sessions else { return false }
    if MQTTSessionHouse<Int>.owns(result.ticket) {
      willPublished(result, edge)
      return true
    }
    guard let number = own.publishes.removeValue(forKey: result.ticket) else { return false }
    let pipe = pipes[number]
    let session = pipe.session
    guard pipe.isOpenAtEdge, let index = session.publishes.firstIndex(where: { $0.ticket == result.ticket }) else { return true }
    let pending = session.publishes.remove(at: index)
    let outcome: MQTTPublishOutcome
    switch result.outcome {
    case .accepted, .duplicate: outcome = .accepted
    case .refused(let refusal):
      note("client \(pipe.client) is to be refused a message: \(refusal)")
      outcome = .later
      if pending.packetIdentifier != 0, let keeping = session.keeping {
        guard keeping.isForgotten(pending.packetIdentifier, refused: refusal, in: session.channel.version) else {
          _ = speak(pipe, edge) { $0.end(.serverBusy, nil, at: now, into: &$1) }
          return true
        }
        oweSave(pipe, edge)
      }
    }
    _ = speak(pipe, edge) { $0.published(pending.answer, outcome, at: now, into: &$1) }
    take(pipe, edge)
    return true
  }

  func letIn(_ acceptance: MQTTAcceptance, _ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    _ = speak(pipe, edge) { $0.accept(acceptance, at: now, into: &$1) }
    take(pipe, edge)
  }
}
