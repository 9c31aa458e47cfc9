public import Core

// The ways in which a connection ends. Each leads through `close` or `lose`, so that a will is told once.

extension MQTTChannel {
  /// Time has passed. Does nothing before `deadline`.
  public mutating func tick(at now: Instant, into output: inout MQTTChannelOutput) {
    guard let deadline, now >= deadline else { return }
    if isConnected {
      breakOff(.keepAliveTimeout, "Nothing came for 1.5 times the keep-alive.", into: &output)
    } else {
      output.counters.connectTimeouts += 1
      close(into: &output)
    }
  }

  /// The shell ends the connection. A client of 5.0 is told why, and where else to go; before, there is nothing to tell it
  /// with. The will is due: a shell that shuts down may keep it back, since its clients are about to go elsewhere.
  public mutating func end(
    _ reason: MQTTReasonCode, _ text: String? = nil, serverReference: String? = nil, at now: Instant, into output: inout MQTTChannelOutput
  ) {
    switch phase {
    case .closed: return
    case .awaitingConnect: close(into: &output)
    case .connecting: refuse(reason, text, serverReference: serverReference, at: now, into: &output)
    case .connected: disconnect(reason, Bytes.reason(text), serverReference: serverReference, into: &output)
    }
  }

  /// The connection is gone without a word; the will is due. Does nothing once `close` was told.
  public mutating func connectionLost(at now: Instant, into output: inout MQTTChannelOutput) {
    if !isClosed { lose(into: &output) }
  }

  mutating func take(_ packet: MQTTDisconnect, into output: inout MQTTChannelOutput) {
    if let expiry = packet.properties.sessionExpiry {
      // Section 3.14.2.2.2; what is wrong is no DISCONNECT, so the will is due.
      guard expiry == 0 || requestedSessionExpiry != 0 else {
        return fail(.protocolError, "A session that was to end with its connection cannot be kept after all.", into: &output)
      }
      sessionExpiry = min(expiry, settings.sessionExpiryMaximum)
    }
    // [MQTT-3.14.4-3]; with any other reason the will is due.
    if packet.reasonCode == .success { will = .none }
    hasTakenLeave = true
    close(into: &output)
  }

  mutating func fail(_ failure: MQTTDecodeFailure, into output: inout MQTTChannelOutput) {
    output.counters.violations += 1
    switch phase {
    case .connected: breakOff(failure.reasonCode, failure.sentence, into: &output)
    case .awaitingConnect where version == nil:
      // [MQTT-3.1.0-1]: not even its version is known, if it speaks MQTT at all.
      output.counters.strangers += 1
      close(into: &output)
    default: refuse(failure.reasonCode, Bytes(sentence: failure.sentence), serverReference: nil, into: &output)
    }
  }

  /// The client broke the protocol (section 4.13): it is told in 5.0, and the connection is closed.
  mutating func fail(_ reason: MQTTReasonCode, _ sentence: StaticString, into output: inout MQTTChannelOutput) {
    output.counters.violations += 1
    breakOff(reason, sentence, into: &output)
  }

  private mutating func breakOff(_ reason: MQTTReasonCode, _ sentence: StaticString, into output: inout MQTTChannelOutput) {
    output.counters.count(reason)
    disconnect(reason, Bytes(sentence: sentence), serverReference: nil, into: &output)
  }

  private mutating func disconnect(
    _ reason: MQTTReasonCode, _ text: Bytes?, serverReference: String?, into output: inout MQTTChannelOutput
  ) {
    guard !isClosed else { return }
    // Before 5.0 only clients send DISCONNECT.
    if speaks5 {
      var packet = MQTTDisconnect(reason.isAllowed(in: .disconnect) ? reason : .unspecifiedError)
      packet.properties.reasonString = text
      packet.properties.serverReference = serverReference.map { Bytes($0) }
      send(packet, into: &output)
    }
    close(into: &output)
  }

  mutating func close(into output: inout MQTTChannelOutput) {
    lose(into: &output)
    output.actions.append(.close)
  }

  private mutating func lose(into output: inout MQTTChannelOutput) {
    phase = .closed
    guard case .some(let last) = will else { return }
    will = .none
    // The earlier of delay and session end (section 3.1.3.2.2).
    output.actions.append(.will(last, delay: min(last.properties.willDelay ?? 0, sessionExpiry)))
  }
}
