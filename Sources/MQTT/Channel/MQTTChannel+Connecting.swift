public import Core

extension MQTTChannel {
  mutating func take(_ connect: MQTTConnect, into output: inout MQTTChannelOutput) {
    // From here on answers are held to what the client takes.
    clientMaximumPacketSize = connect.properties.maximumPacketSize.map { Int($0) } ?? Int.max
    tellsReasons = connect.properties.requestProblemInformation ?? true
    if let (reason, sentence) = problem(connect) {
      return refuse(reason, Bytes(sentence: sentence), serverReference: nil, into: &output)
    }
    phase = .connecting(connect)
    output.actions.append(.connect(connect))
  }

  /// Why a CONNECT cannot be accepted, whoever sent it.
  private func problem(_ connect: MQTTConnect) -> (MQTTReasonCode, StaticString)? {
    if connect.properties.authenticationMethod != nil {
      return (.badAuthenticationMethod, "Enhanced authentication is not spoken here.")
    }
    if connect.clientIdentifier.count > MQTTChannelSettings.clientIdentifierSize {
      return (.clientIdentifierNotValid, "The client identifier is too long.")
    }
    if connect.clientIdentifier.isEmpty {
      // 3.1 demands one; 3.1.1 lets it be empty for sessions that end with the connection ([MQTT-3.1.3-8] of 3.1.1).
      let mayBeEmpty = connect.version == .v5 || (connect.version == .v311 && connect.isCleanStart)
      if !mayBeEmpty { return (.clientIdentifierNotValid, "A session that is kept needs a client identifier.") }
    }
    guard let will = connect.will else { return nil }
    // [MQTT-3.2.2-12], [MQTT-3.2.2-13], [MQTT-3.1.3-11].
    if will.qos > settings.maximumQoS { return (.qosNotSupported, "The will has a higher QoS than is spoken here.") }
    if will.isRetained, !settings.isRetainAvailable { return (.retainNotSupported, "Nothing is retained here, wills neither.") }
    if will.topic.withUnsafeBytes(Topic.problem) != nil { return (.topicNameInvalid, "The will's topic is not one.") }
    if will.properties.isPayloadText == true, !will.payload.withUnsafeBytes(UTF8Validator.isValid) {
      return (.payloadFormatInvalid, "The will says of its payload that it is UTF-8, and it is not.")
    }
    return nil
  }

  /// The shell lets the client in: CONNACK, and then what a resumed session has to send again. Does nothing once the
  /// connection is gone.
  public mutating func accept(_ acceptance: MQTTAcceptance, at now: Instant, into output: inout MQTTChannelOutput) {
    guard case .connecting(let connect) = phase else { return }
    let needsIdentifier = connect.version == .v5 && connect.clientIdentifier.isEmpty
    precondition(!needsIdentifier || acceptance.assignedClientIdentifier != nil, "no identifier for who must be told one")
    precondition(!connect.isCleanStart || acceptance.session == nil, "a clean start has no session")
    phase = .connected
    lastReceived = now
    if let last = connect.will { will = .some(last) }

    var ack = MQTTConnectAck(.success, isSessionPresent: acceptance.session != nil)
    agree(connect, acceptance, &ack.properties)
    guard send(ack, into: &output) else {
      // Nobody is connected without a CONNACK, and so no will is kept either.
      will = .none
      return close(into: &output)
    }
    if let session = acceptance.session { resume(session, into: &output) }
  }

  /// Settles the terms, and puts into CONNACK those that differ from what the protocol takes for granted, in the order of
  /// section 3.2.2.3.
  private mutating func agree(_ connect: MQTTConnect, _ acceptance: MQTTAcceptance, _ properties: inout MQTTProperties) {
    let asked = connect.properties
    let longest = settings.maximumKeepAlive
    let isOverruled = longest > 0 && (connect.keepAlive == 0 || Int(connect.keepAlive) > longest)
    keepAlive = isOverruled ? longest : Int(connect.keepAlive)
    outgoing.begin(quota: Int(asked.receiveMaximum ?? 0xffff), most: settings.maximumInFlight)
    sessionExpiry = acceptance.sessionExpiry ?? settings.sessionExpiry(for: connect)
    guard connect.version == .v5 else { return }
    requestedSessionExpiry = asked.sessionExpiry ?? 0
    outgoingAliases = MQTTOutgoingAliases(limit: min(Int(asked.topicAliasMaximum ?? 0), settings.topicAliasMaximum))

    if sessionExpiry != requestedSessionExpiry { properties.sessionExpiry = sessionExpiry }
    if settings.receiveMaximum != 0xffff { properties.receiveMaximum = UInt16(settings.receiveMaximum) }
    properties.maximumQoS = settings.maximumQoS
    if !settings.isRetainAvailable { properties.retainAvailable = false }
    if settings.maximumPacketSize < MQTTChannelSettings.largestPacket { properties.maximumPacketSize = UInt32(settings.maximumPacketSize) }
    if connect.clientIdentifier.isEmpty { properties.assignedClientIdentifier = acceptance.assignedClientIdentifier }
    if settings.topicAliasMaximum > 0 { properties.topicAliasMaximum = UInt16(settings.topicAliasMaximum) }
    for property in acceptance.userProperties { properties.appendUserProperty(property.name, property.value) }
    if !settings.isSharedSubscriptionAvailable { properties.sharedSubscriptionAvailable = false }
    // [MQTT-3.2.2-21].
    if isOverruled { properties.serverKeepAlive = UInt16(longest) }
    // [MQTT-3.1.2-28].
    if asked.requestResponseInformation == true { properties.responseInformation = acceptance.responseInformation }
  }

  private mutating func resume(_ session: MQTTSessionState, into output: inout MQTTChannelOutput) {
    for held in session.subscriptions { subscriptions.hold(held.subscription, identifier: held.identifier) }
    incoming.resume(session.unreleased)
    outgoing.resume(session.inFlight, next: session.nextPacketIdentifier)
    // [MQTT-4.4.0-1]; PUBREL at once, PUBLISH when the shell has brought it.
    for index in 0..<outgoing.count where outgoing[index].current == .received {
      send(.release, outgoing[index].identifier, into: &output)
    }
    askForResends(into: &output)
  }

  /// The shell does not let the client in: CONNACK with the reason if the version has one for it, then the close. Does
  /// nothing once the connection is gone.
  public mutating func refuse(
    _ reason: MQTTReasonCode, _ text: String? = nil, serverReference: String? = nil, at now: Instant, into output: inout MQTTChannelOutput
  ) {
    guard case .connecting = phase else { return }
    refuse(reason, Bytes.reason(text), serverReference: serverReference, into: &output)
  }

  mutating func refuse(
    _ reason: MQTTReasonCode, _ text: Bytes?, serverReference: String?, into output: inout MQTTChannelOutput
  ) {
    output.counters.count(reason)
    // CONNACK has no "shutting down"; to a client it is the same.
    var told = reason == .serverShuttingDown ? .serverUnavailable : reason
    if !told.isFailure || !told.isAllowed(in: .connectAck) { told = .unspecifiedError }
    var ack = MQTTConnectAck(told)
    ack.properties.reasonString = text
    ack.properties.serverReference = serverReference.map { Bytes($0) }
    send(ack, into: &output)
    close(into: &output)
  }
}

extension MQTTChannelSettings {
  /// Seconds that the session of who comes so is kept after the connection.
  public func sessionExpiry(for connect: MQTTConnect) -> UInt32 {
    // Before 5.0 a session that is kept is kept for ever, or for as long as may be.
    guard connect.version == .v5 else { return connect.isCleanStart ? 0 : sessionExpiryMaximum }
    return min(connect.properties.sessionExpiry ?? 0, sessionExpiryMaximum)
  }

  /// The largest packet there can be: its first byte, four of length, and as much as they can tell.
  static let largestPacket = 5 + MQTTVariableInteger.maximum
}
