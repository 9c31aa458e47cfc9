public import Core

// What clients publish.

extension MQTTChannel {
  mutating func take(_ publish: MQTTPublish, of input: RawSpan, into output: inout MQTTChannelOutput) {
    // [MQTT-3.2.2-11], [MQTT-3.2.2-14].
    guard publish.qos <= settings.maximumQoS else {
      return fail(.qosNotSupported, "The message has a higher QoS than is spoken here.", into: &output)
    }
    guard !publish.isRetained || settings.isRetainAvailable else {
      return fail(.retainNotSupported, "Nothing is retained here.", into: &output)
    }
    let problem = topicProblem(input.extracting(publish.topic))
    if problem == .wildcard || (problem == .other && (publish.qos == .atMostOnce || !speaks5)) {
      // A wildcard is against the protocol ([MQTT-3.3.2-2]); for the rest only a PUBACK or PUBREC of 5.0 could say so gently.
      return fail(.topicNameInvalid, "A message was published to what is not a topic.", into: &output)
    }
    var topic: Bytes?
    if publish.topicAlias != 0 {
      // [MQTT-3.3.2-9].
      guard publish.topicAlias <= settings.topicAliasMaximum else {
        return fail(.topicAliasInvalid, "The topic alias is above the maximum.", into: &output)
      }
      if publish.topic.isEmpty {
        topic = incomingAliases.topic(publish.topicAlias)
        guard topic != nil else { return fail(.protocolError, "The topic alias stands for nothing.", into: &output) }
      } else if problem == nil {
        topic = incomingAliases.define(publish.topicAlias, input.extracting(publish.topic))
      }
    } else if publish.topic.isEmpty {
      // Before 5.0; there the decoder has said so.
      return fail(.topicNameInvalid, "A message was published to what is not a topic.", into: &output)
    }
    guard publish.qos == .atMostOnce || isNew(publish, into: &output) else { return }
    if problem != nil {
      return refuse(publish, .topicNameInvalid, "Topics have at most 1,024 bytes and no control characters.", into: &output)
    }
    if publish.isPayloadText, !input.extracting(publish.payload).withUnsafeBytes(UTF8Validator.isValid) {
      return refuse(publish, .payloadFormatInvalid, "The payload was said to be UTF-8, and it is not.", into: &output)
    }
    let size = publish.payload.upperBound - publish.topic.lowerBound
    let ticket = incoming.begin(publish.qos, publish.packetIdentifier, size: size)
    output.actions.append(.publish(MQTTPublishRequest(ticket, publish, in: input, topic: topic)))
  }

  private enum TopicProblem {
    case wildcard
    case other
  }

  /// Nil for a topic, and for nothing where a topic alias may stand.
  private func topicProblem(_ topic: RawSpan) -> TopicProblem? {
    guard topic.byteCount > 0 else { return nil }
    return topic.withUnsafeBytes { name in
      guard Topic.problem(name) != nil else { return nil }
      return name.contains { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") } ? .wildcard : .other
    }
  }

  /// Whether a message of QoS 1 or 2 is one that was not seen, and may come now.
  private mutating func isNew(_ publish: MQTTPublish, into output: inout MQTTChannelOutput) -> Bool {
    let identifier = publish.packetIdentifier
    let isExactlyOnce = publish.qos == .exactlyOnce
    if isExactlyOnce, incoming.isUnreleased(identifier) {
      // The same message, whatever its DUP flag says ([MQTT-4.3.3-10]).
      incoming.comeAgain(identifier)
      send(.received, identifier, into: &output)
      return false
    }
    if isExactlyOnce, incoming.isReceiving(identifier) { return false }
    if incoming.isInUse(identifier) || requests.isInUse(identifier) {
      // Before 5.0 clients may send a message again while it is not acknowledged: one PUBACK will do for both.
      if !speaks5, !isExactlyOnce, incoming.isAcknowledging(identifier) { return false }
      guard speaks5 else {
        fail(.packetIdentifierInUse, "The packet identifier is in use.", into: &output)
        return false
      }
      refuse(publish, .packetIdentifierInUse, "The packet identifier is in use.", into: &output)
      return false
    }
    // [MQTT-3.3.4-7]; before 5.0 there is no such maximum.
    guard !speaks5 || incoming.unacknowledgedCount < settings.receiveMaximum else {
      fail(.receiveMaximumExceeded, "More messages were sent without acknowledgement than the receive maximum.", into: &output)
      return false
    }
    return true
  }

  /// Refuses a message without asking anybody: QoS 1 and 2 of 5.0 in its acknowledgement, all others by closing.
  private mutating func refuse(
    _ publish: MQTTPublish, _ reason: MQTTReasonCode, _ sentence: StaticString, into output: inout MQTTChannelOutput
  ) {
    guard publish.qos != .atMostOnce, speaks5 else { return fail(reason, sentence, into: &output) }
    output.counters.count(reason)
    incoming.refuse(publish.qos, publish.packetIdentifier, reason, Bytes(sentence: sentence))
    acknowledge(into: &output)
  }

  /// What became of a message that was handed out. Acknowledgements go out in the order of the messages.
  public mutating func published(
    _ ticket: MQTTTicket, _ outcome: MQTTPublishOutcome, at now: Instant, into output: inout MQTTChannelOutput
  ) {
    let wasPaused = isPaused
    switch outcome {
    case .accepted: incoming.answer(ticket, .success, nil)
    case .acceptedWithoutSubscribers: incoming.answer(ticket, .noMatchingSubscribers, nil)
    case .refused(let reason, let text):
      output.counters.count(reason)
      let isTold = reason.isFailure && reason.isAllowed(in: .publishAck)
      incoming.answer(ticket, isTold ? reason : .unspecifiedError, Bytes.reason(text))
    case .later:
      // 5.0 has no code for "not now". This is the one for a valid message that the server is not willing to take; 0x97,
      // quota exceeded, would blame the client.
      output.counters.count(.implementationSpecificError)
      incoming.answer(ticket, .implementationSpecificError, Bytes(sentence: "The message cannot be taken now. Send it again later."))
    }
    acknowledge(into: &output)
    listenAgain(wasPaused, at: now)
  }

  /// Sends what is answered, up to the first message that is not.
  private mutating func acknowledge(into output: inout MQTTChannelOutput) {
    while let (entry, reason) = incoming.nextAnswered() {
      guard let code = MQTTReasonCode(rawValue: entry.code) else { preconditionFailure("an answer that is no reason code") }
      incoming.end(entry, isFailure: code.isFailure)
      guard isConnected else { continue }
      if speaks5 {
        send(entry.isExactlyOnce ? .received : .acknowledged, entry.identifier, code, reason, into: &output)
      } else if code.isFailure {
        // 3.1.1 cannot refuse a message: it is acknowledged as if it were taken, or the connection is closed
        // ([MQTT-3.3.5-2] of 3.1.1). An acknowledgement would be a lie, and a device that loses what it sends would never
        // show it; a device that is cut off does, and what could not be taken now it sends again.
        close(into: &output)
      } else {
        send(entry.isExactlyOnce ? .received : .acknowledged, entry.identifier, into: &output)
      }
    }
  }

  /// PUBREL: the client will not send the message again.
  mutating func release(_ identifier: UInt16, into output: inout MQTTChannelOutput) {
    guard incoming.isUnreleased(identifier) else {
      // A session whose last holder died may know of the message what this connection was not told.
      if !incoming.isReceiving(identifier) { output.actions.append(.release(packetIdentifier: identifier)) }
      if speaks5 { output.counters.count(.packetIdentifierNotFound) }
      // As after a PUBCOMP that was lost. 3.1.1 has no way to say that nothing is known of it.
      return send(.complete, identifier, speaks5 ? .packetIdentifierNotFound : .success, nil, into: &output)
    }
    output.actions.append(.release(packetIdentifier: identifier))
    _ = incoming.release(identifier)
    send(.complete, identifier, into: &output)
  }
}
