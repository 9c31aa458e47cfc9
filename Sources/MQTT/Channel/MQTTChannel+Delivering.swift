internal import Core

// What clients are sent.

extension MQTTChannel {
  /// How many more messages of QoS 1 and 2 may be sent now: what the client's receive maximum and the settings leave, and
  /// nothing while messages of a resumed session are to be sent again ([MQTT-3.3.4-9], [MQTT-4.6.0-1]).
  public var window: Int { isConnected ? outgoing.window : 0 }

  /// Messages of QoS 1 and 2 that are not acknowledged.
  public var inFlightCount: Int { outgoing.count }

  /// Whether a plain QoS 0 message should come through `deliver` too, since a topic alias makes it smaller.
  public var usesTopicAliases: Bool { outgoingAliases.isAllowed }

  /// Bytes of the largest packet the client takes; for who sends QoS 0 without the channel.
  public var largestPacket: Int { clientMaximumPacketSize }

  /// Sends one message. `rendering` is what was written at the beginning of `bytes`, in this channel's version.
  public mutating func deliver(
    _ delivery: MQTTDelivery, _ rendering: MQTTPublishRendering, of bytes: RawSpan, into output: inout MQTTChannelOutput
  ) -> MQTTDeliveryOutcome {
    let outcome = deliverHead(delivery, rendering, of: bytes, into: &output)
    if outcome == .sent { output.bytes.append(bytes.extracting(rendering.rest)) }
    return outcome
  }

  /// The same, for who sends `rendering.rest` behind it without a copy.
  public mutating func deliverHead(
    _ delivery: MQTTDelivery, _ rendering: MQTTPublishRendering, of bytes: RawSpan, into output: inout MQTTChannelOutput
  ) -> MQTTDeliveryOutcome {
    guard isConnected else { return .notConnected }
    var head = MQTTPublishHead(qos: delivery.qos, isRetained: delivery.isRetained)
    if delivery.qos != .atMostOnce {
      guard outgoing.window > 0 else { return .windowFull }
      head.packetIdentifier = outgoing.freeIdentifier()
    }
    guard append(&head, delivery, rendering, of: bytes, into: &output) else { return .tooLarge }
    if delivery.qos != .atMostOnce { outgoing.send(delivery.qos, token: delivery.token) }
    return .sent
  }

  /// Sends once more what `resend` asked for, in the order it was asked in; `delivery` carries the token. Sends nothing for
  /// a message that the client has acknowledged meanwhile.
  public mutating func redeliver(
    _ delivery: MQTTDelivery, _ rendering: MQTTPublishRendering, of bytes: RawSpan, into output: inout MQTTChannelOutput
  ) -> MQTTDeliveryOutcome {
    guard isConnected else { return .notConnected }
    guard let (index, isNext) = outgoing.asked(delivery.token) else { return .sent }
    precondition(isNext, "messages sent again out of order")
    let entry = outgoing[index]
    var head = MQTTPublishHead(
      qos: entry.isExactlyOnce ? .exactlyOnce : .atLeastOnce, isDuplicate: true, isRetained: delivery.isRetained,
      packetIdentifier: entry.identifier)
    guard append(&head, delivery, rendering, of: bytes, into: &output) else {
      outgoing.remove(at: index)
      askForResends(into: &output)
      return .tooLarge
    }
    output.bytes.append(bytes.extracting(rendering.rest))
    outgoing.set(.sent, at: index)
    return .sent
  }

  /// The message that `resend` asked for is no more; it is forgotten.
  public mutating func abandon(_ token: UInt64, into output: inout MQTTChannelOutput) {
    guard let (index, _) = outgoing.asked(token) else { return }
    outgoing.remove(at: index)
    if isConnected { askForResends(into: &output) }
  }

  mutating func askForResends(into output: inout MQTTChannelOutput) {
    while let entry = outgoing.nextToResend() {
      let qos: MQTTQoS = entry.isExactlyOnce ? .exactlyOnce : .atLeastOnce
      output.actions.append(.resend(token: entry.token, packetIdentifier: entry.identifier, qos: qos))
    }
  }

  /// Puts what is this client's own into the head and appends it. False, and nothing appended, if the packet is too large.
  private mutating func append(
    _ head: inout MQTTPublishHead, _ delivery: MQTTDelivery, _ rendering: MQTTPublishRendering, of bytes: RawSpan,
    into output: inout MQTTChannelOutput
  ) -> Bool {
    precondition((rendering.version == .v5) == speaks5, "a rendering for another version")
    guard speaks5 else {
      // Before 5.0 no client tells how much it takes.
      rendering.append(head, of: bytes, into: &output.bytes)
      return true
    }
    head.subscriptionIdentifiers = delivery.subscriptionIdentifiers
    let topic = bytes.extracting(rendering.topic)
    var choice: MQTTOutgoingAliases.Choice?
    if outgoingAliases.isAllowed, !topic.isEmpty {
      let found = outgoingAliases.choice(topic)
      head.topicAlias = found.alias
      head.omitsTopic = found.isKnown
      choice = found
    }
    if rendering.encodedSize(head) > clientMaximumPacketSize {
      // Telling an alias takes three bytes, which may be those too many.
      head.topicAlias = 0
      head.omitsTopic = false
      choice = nil
      guard rendering.encodedSize(head) <= clientMaximumPacketSize else {
        output.counters.deliveriesTooLarge += 1
        return false
      }
    }
    rendering.append(head, of: bytes, into: &output.bytes)
    if let choice { outgoingAliases.use(choice, topic) }
    return true
  }

  // MARK: what the client says to it

  mutating func take(_ ack: MQTTDeliveryAck, into output: inout MQTTChannelOutput) {
    let identifier = ack.packetIdentifier
    if ack.step == .release { return release(identifier, into: &output) }
    guard let index = outgoing.index(of: identifier) else {
      output.counters.unknownAcknowledgements += 1
      // As after a session that was lost; the client shall not wait for a PUBREL for ever.
      if ack.step == .received, !ack.reasonCode.isFailure {
        send(.release, identifier, speaks5 ? .packetIdentifierNotFound : .success, nil, into: &output)
      }
      return
    }
    let entry = outgoing[index]
    switch (ack.step, entry.isExactlyOnce, entry.current) {
    case (.acknowledged, false, _), (.complete, true, .received): finish(index, into: &output)
    case (.received, true, .received): send(.release, identifier, into: &output)
    // The client does not want it, and knows no more of it (section 4.3.3).
    case (.received, true, _) where ack.reasonCode.isFailure: finish(index, into: &output)
    case (.received, true, _): received(index, into: &output)
    default: fail(.protocolError, "A message was acknowledged as one of another QoS, or in another order, than it has.", into: &output)
    }
  }

  private mutating func received(_ index: Int, into output: inout MQTTChannelOutput) {
    let entry = outgoing[index]
    output.actions.append(.received(token: entry.token))
    outgoing.set(.received, at: index)
    send(.release, entry.identifier, into: &output)
  }

  private mutating func finish(_ index: Int, into output: inout MQTTChannelOutput) {
    output.actions.append(.acknowledged(token: outgoing[index].token))
    outgoing.remove(at: index)
    askForResends(into: &output)
  }
}
