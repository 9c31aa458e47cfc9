internal import Core
internal import Feeds
internal import HTTP
internal import MQTT
internal import Reactor
internal import Security
internal import Sessions

/// What MQTT clients publish.
extension EdgeReactor {
  func publish(_ request: MQTTPublishRequest, _ connection: Connection, _ session: MQTTSession) {
    let facts = MQTTPublishFacts(request.userProperties)
    if let (reason, text) = refusal(of: request, facts) {
      counters.publishErrors += 1
      // Before 5.0 nobody can be told, and closing would keep out whoever says something of the kind each time it comes, as bridges
      // do: it is acknowledged, and nobody's ([MQTT-3.3.5-2] of 3.1.1).
      let isIgnored = reason == .topicNameInvalid && session.channel.version != .v5
      return answer(request.ticket, isIgnored ? .accepted : .refused(reason, text), connection, session)
    }
    guard let keeping = session.keeping, keeping.isDurable else { return send(request, facts, number: nil, connection, session) }
    switch keeping.take(request) {
    case .goes(let number): send(request, facts, number: number, connection, session)
    case .waits(let owesSave): if owesSave { oweSave(connection, session) }
    }
  }

  /// What was held until its number was saved.
  func send(_ held: MQTTKeeping.HeldPublish, _ connection: Connection, _ session: MQTTSession) {
    send(held.request, MQTTPublishFacts(held.request.userProperties), number: held.number, connection, session)
  }

  private func send(
    _ request: MQTTPublishRequest, _ facts: MQTTPublishFacts, number: UInt64?, _ connection: Connection, _ session: MQTTSession
  ) {
    var draft = RecordDraft()
    draft.publisher = session.publisher
    if let seconds = request.messageExpiry { draft.timeToLiveMilliseconds = milliseconds(seconds) }
    mark(&draft, isRetained: request.isRetained, request.payload, request.contentType)
    var properties = facts.properties
    if request.isPayloadText { properties.isPayloadText = true }
    properties.responseTopic = request.responseTopic
    properties.correlationData = request.correlationData
    let sequence = nextSequence()
    let packetIdentifier = number == nil ? 0 : request.packetIdentifier
    session.pendingPublishes.append(
      MQTTSession.PendingPublish(sequence: sequence, ticket: request.ticket, packetIdentifier: packetIdentifier))
    var key = facts.key
    if key.isEmpty, let number, let keeping = session.keeping { key = keeping.key(number) }
    enqueue(
      draft, topic: request.topic, type: facts.type, contentType: request.contentType ?? Bytes(), key: key, qos: request.qos, properties,
      payload: request.payload, PublishEntry(ticket: TicketParts.make(connection.key, sequence), length: 0))
  }

  /// Why a client cannot have this will; nil if it can, and for one of the system's topics, which is nobody's like any message there.
  func refusal(of will: MQTTWill) -> (MQTTReasonCode, String)? {
    if will.topic.withUnsafeBytes(Topic.isSystem) { return nil }
    let properties = will.properties
    return refusal(
      of: will.topic, will.payload, properties.contentType, properties.responseTopic, properties.correlationData, MQTTPublishFacts(properties))
  }

  /// A client's will as the record that it will be; nil if it is one of the system's topics.
  func encoded(_ will: MQTTWill, _ session: MQTTSession) -> SessionWill? {
    if will.topic.withUnsafeBytes(Topic.isSystem) {
      counters.publishErrors += 1
      return nil
    }
    var facts = MQTTPublishFacts(will.properties)
    var draft = RecordDraft()
    draft.publisher = session.publisher
    if let seconds = will.properties.messageExpiry { draft.timeToLiveMilliseconds = milliseconds(seconds) }
    mark(&draft, isRetained: will.isRetained, will.payload, will.properties.contentType)
    facts.properties.isPayloadText = will.properties.isPayloadText
    facts.properties.responseTopic = will.properties.responseTopic
    facts.properties.correlationData = will.properties.correlationData
    // However often it is handed out, it is published once.
    let key = facts.key.isEmpty ? Bytes("\(generator.next().hexadecimal)\(generator.next().hexadecimal)") : facts.key
    var record = ByteBuffer(capacity: 256 + will.payload.count)
    withParts(
      topic: will.topic, type: facts.type, contentType: will.properties.contentType ?? Bytes(), key: key, qos: will.qos, facts.properties,
      payload: will.payload
    ) { parts in
      draft.encode(
        topic: parts.topic, type: parts.type, contentType: parts.contentType, key: parts.key, properties: parts.properties,
        payload: parts.payload, into: &record)
    }
    return SessionWill(record: record.freeze(), delay: will.properties.willDelay ?? 0)
  }

  private func mark(_ draft: inout RecordDraft, isRetained: Bool, _ payload: Bytes, _ contentType: Bytes?) {
    // An empty message that is retained clears the topic's current value ([MQTT-3.3.1-6]).
    if isRetained { draft.flags.insert(payload.isEmpty ? .clear : .retain) }
    let isJSON = contentType.map { MediaType.isJSON(0..<$0.count, in: $0.bytes) } ?? false
    draft.flags.formUnion(payloadFlags(payload.bytes, isJSON: isJSON))
  }

  /// A message that is to be there for no time at all is gone before anybody looks.
  private func milliseconds(_ seconds: UInt32) -> UInt32 {
    seconds == 0 ? 1 : UInt32(clamping: min(UInt64(seconds) * 1000, UInt64(UInt32.max)))
  }

  private func enqueue(
    _ draft: RecordDraft, topic: Bytes, type: Bytes, contentType: Bytes, key: Bytes, qos: MQTTQoS, _ properties: MQTTProperties, payload: Bytes,
    _ entry: PublishEntry
  ) {
    withParts(topic: topic, type: type, contentType: contentType, key: key, qos: qos, properties, payload: payload) { parts in
      enqueue(
        draft, topic: parts.topic, type: parts.type, contentType: parts.contentType, key: parts.key, properties: parts.properties,
        payload: parts.payload, entry)
    }
  }

  /// The parts of a record where they lie.
  private struct RecordParts {
    var topic, type, contentType, key, properties, payload: UnsafeRawBufferPointer
  }

  private func withParts(
    topic: Bytes, type: Bytes, contentType: Bytes, key: Bytes, qos: MQTTQoS, _ properties: MQTTProperties, payload: Bytes,
    _ body: (RecordParts) -> Void
  ) {
    scratch.removeAll()
    MQTTRecordProperties.begin(qos, into: &scratch)
    properties.append(into: &scratch)
    scratch.withUnsafeBytes { properties in
      topic.withUnsafeBytes { topic in
        type.withUnsafeBytes { type in
          contentType.withUnsafeBytes { contentType in
            key.withUnsafeBytes { key in
              payload.withUnsafeBytes { payload in
                body(RecordParts(topic: topic, type: type, contentType: contentType, key: key, properties: properties, payload: payload))
              }
            }
          }
        }
      }
    }
  }

  private func refusal(of request: MQTTPublishRequest, _ facts: MQTTPublishFacts) -> (MQTTReasonCode, String)? {
    refusal(of: request.topic, request.payload, request.contentType, request.responseTopic, request.correlationData, facts)
  }

  private func refusal(
    of topic: Bytes, _ payload: Bytes, _ contentType: Bytes?, _ responseTopic: Bytes?, _ correlationData: Bytes?, _ facts: MQTTPublishFacts
  ) -> (MQTTReasonCode, String)? {
    if topic.withUnsafeBytes(Topic.isSystem) {
      return (.topicNameInvalid, "Topics that begin with '$' belong to the system; publish under another name.")
    }
    guard topic.withUnsafeBytes({ settings.permissions.allows(.publish, $0) }) else {
      return (.notAuthorized, "You may not publish to this topic.")
    }
    if payload.count > settings.maximumMessage {
      return (.quotaExceeded, "A message has at most \(settings.maximumMessage) bytes.")
    }
    if let problem = facts.type.withUnsafeBytes(EventType.problem) { return (.implementationSpecificError, "tidings-event: \(problem)") }
    if facts.key.count > RequestLimits.keyLength {
      return (.implementationSpecificError, "tidings-key has at most \(RequestLimits.keyLength) bytes.")
    }
    if let contentType, contentType.count > RequestLimits.contentTypeLength || !contentType.withUnsafeBytes(EventType.isOneLine) {
      return (.implementationSpecificError, "A content type is text on one line of at most \(RequestLimits.contentTypeLength) bytes.")
    }
    let size = facts.properties.encodedSize + (responseTopic?.count ?? 0) + (correlationData?.count ?? 0)
    guard size + 16 <= MQTTRecordProperties.longest else {
      return (.quotaExceeded, "The properties of a message have at most 65,519 bytes together.")
    }
    return nil
  }

  // MARK: Answers

  /// The shard's word on one of the client's messages.
  func answerPublish(_ connection: Connection, _ session: MQTTSession, _ sequence: UInt32, _ outcome: PublishResult.Outcome) {
    guard let index = session.pendingPublishes.firstIndex(where: { $0.sequence == sequence }) else { return }
    let pending = session.pendingPublishes.remove(at: index)
    if pending.packetIdentifier != 0, case .refused(let refusal) = outcome, let keeping = session.keeping {
      guard keeping.isForgotten(pending.packetIdentifier, refused: refusal, in: session.channel.version) else {
        return speak(connection, session) { $0.end(.serverBusy, "Whether a message was kept is not known. Send it again.", at: now, into: &$1) }
      }
      oweSave(connection, session)
    }
    answer(pending.ticket, MQTTPublishOutcome(outcome), connection, session)
  }

  private func answer(_ ticket: MQTTTicket, _ outcome: MQTTPublishOutcome, _ connection: Connection, _ session: MQTTSession) {
    let wasPaused = session.channel.isPaused
    speak(connection, session) { $0.published(ticket, outcome, at: now, into: &$1) }
    guard wasPaused, connection.isMQTT, !session.channel.isPaused else { return }
    // It has not been listened to, and so has no deadline yet.
    careForDeadline(connection, session)
    goOnTaking(connection, session)
  }
}

extension MQTTPublishOutcome {
  init(_ outcome: PublishResult.Outcome) {
    switch outcome {
    case .accepted, .duplicate: self = .accepted
    case .refused(let refusal):
      switch refusal {
      case .diskFull: self = .refused(.quotaExceeded, "The disk is full.")
      case .damaged, .headMoved, .noSuchConsumer, .consumerDiffers, .sessionLost: self = .refused(.unspecifiedError, "The message could not be kept.")
      case .notLeader, .electing, .noQuorum, .unknownOutcome, .journalFailed, .overloaded: self = .later
      }
    }
  }
}
