public import Core

// SUBSCRIBE and UNSUBSCRIBE.

extension MQTTChannel {
  mutating func take(_ packet: MQTTSubscribe, into output: inout MQTTChannelOutput) {
    for subscription in packet.subscriptions {
      // [MQTT-4.7.3-1].
      guard !subscription.filter.isEmpty else { return fail(.malformedPacket, "A filter is empty.", into: &output) }
      guard !subscription.noLocal || !MQTTSharedFilter.isShared(subscription.filter) else {
        return fail(.protocolError, "A shared subscription cannot leave out the client's own messages.", into: &output)  // [MQTT-3.8.3-4]
      }
    }
    guard let isFree = isFree(packet.packetIdentifier, into: &output) else { return }
    var request = MQTTIncomingRequests.Request(.subscribe, packet.packetIdentifier)
    request.identifier = packet.properties.subscriptionIdentifier ?? 0
    let taken = subscriptions.count + requests.additions
    var isKnown: [Bool] = []
    for var subscription in packet.subscriptions {
      let isHeld = subscriptions.has(subscription.filter)
      var refusal = isFree ? problem(subscription.filter) : .packetIdentifierInUse
      if refusal == nil, !isHeld, taken + request.additions >= settings.maximumSubscriptions { refusal = .quotaExceeded }
      request.codes.append(refusal)
      if let refusal {
        output.counters.count(refusal)
        continue
      }
      if !isHeld { request.additions += 1 }
      // More may be asked for than is spoken, and then less is granted ([MQTT-3.2.2-10]).
      subscription.qos = min(subscription.qos, settings.maximumQoS)
      request.subscriptions.append(subscription)
      isKnown.append(isHeld)
    }
    request.isAnswered = request.isDecided
    let ticket = requests.begin(request)
    guard !request.isAnswered else { return answerRequests(into: &output) }
    output.actions.append(
      .subscribe(
        MQTTSubscribeRequest(
          ticket: ticket, subscriptions: request.subscriptions, isKnown: isKnown, identifier: packet.properties.subscriptionIdentifier,
          properties: packet.properties)))
  }

  mutating func take(_ packet: MQTTUnsubscribe, into output: inout MQTTChannelOutput) {
    // [MQTT-4.7.3-1].
    guard !packet.filters.contains(where: \.isEmpty) else { return fail(.malformedPacket, "A filter is empty.", into: &output) }
    guard let isFree = isFree(packet.packetIdentifier, into: &output) else { return }
    var request = MQTTIncomingRequests.Request(.unsubscribe, packet.packetIdentifier)
    for filter in packet.filters {
      var refusal = isFree ? problem(filter) : .packetIdentifierInUse
      // Such a subscription never was, and nothing is asked for but that there be none.
      if refusal == .sharedSubscriptionsNotSupported { refusal = .noSubscriptionExisted }
      request.codes.append(refusal)
      if let refusal, refusal.isFailure { output.counters.count(refusal) }
      if refusal == nil { request.filters.append(filter) }
    }
    request.isAnswered = request.isDecided
    let ticket = requests.begin(request)
    guard !request.isAnswered else { return answerRequests(into: &output) }
    output.actions.append(.unsubscribe(MQTTUnsubscribeRequest(ticket: ticket, filters: request.filters, properties: packet.properties)))
  }

  /// Whether a request may have the identifier; false is to be told in the answer, nil was answered by closing.
  private mutating func isFree(_ identifier: UInt16, into output: inout MQTTChannelOutput) -> Bool? {
    let isRequested = requests.isInUse(identifier)
    guard isRequested || incoming.isInUse(identifier) else { return true }
    if speaks5 { return false }
    // 3.1 sends a request again that is not answered; once more does no harm, and each is answered.
    if version == .v31, isRequested { return true }
    fail(.packetIdentifierInUse, "The packet identifier is in use.", into: &output)
    return nil
  }

  /// Why a filter cannot be subscribed to, whoever asks.
  private func problem(_ filter: Bytes) -> MQTTReasonCode? {
    guard MQTTSharedFilter.isShared(filter) else {
      return filter.withUnsafeBytes(Filter.problem) == nil ? nil : .topicFilterInvalid
    }
    guard MQTTSharedFilter(filter) != nil else { return .topicFilterInvalid }
    return settings.isSharedSubscriptionAvailable ? nil : .sharedSubscriptionsNotSupported
  }

  /// The shell's reason code for each subscription that it was asked about.
  public mutating func subscribed(
    _ ticket: MQTTTicket, _ codes: [MQTTReasonCode], _ text: String? = nil, at now: Instant, into output: inout MQTTChannelOutput
  ) {
    let wasPaused = isPaused
    let told = codes.map { $0.isAllowed(in: .subscribeAck) ? $0 : .unspecifiedError }
    requests.answer(ticket, .subscribe, told, Bytes.reason(text))
    for code in told where code.isFailure { output.counters.count(code) }
    answerRequests(into: &output)
    listenAgain(wasPaused, at: now)
  }

  /// The shell's reason code for each filter that it was asked about.
  public mutating func unsubscribed(
    _ ticket: MQTTTicket, _ codes: [MQTTReasonCode], _ text: String? = nil, at now: Instant, into output: inout MQTTChannelOutput
  ) {
    let wasPaused = isPaused
    let told = codes.map { $0.isAllowed(in: .unsubscribeAck) ? $0 : .unspecifiedError }
    requests.answer(ticket, .unsubscribe, told, Bytes.reason(text))
    for code in told where code.isFailure { output.counters.count(code) }
    answerRequests(into: &output)
    listenAgain(wasPaused, at: now)
  }

  /// What is held changes in the order of the requests, not in that of the shell's answers: who subscribes and unsubscribes
  /// in one breath holds nothing.
  private mutating func settle(_ request: MQTTIncomingRequests.Request) {
    for (code, asked) in zip(request.decided, request.subscriptions) {
      guard let granted = MQTTQoS(rawValue: code.rawValue) else { continue }
      var subscription = asked
      subscription.qos = granted
      subscriptions.hold(subscription, identifier: request.identifier)
    }
    for (code, filter) in zip(request.decided, request.filters) where !code.isFailure { subscriptions.remove(filter) }
  }

  private mutating func answerRequests(into output: inout MQTTChannelOutput) {
    while let request = requests.nextAnswered() {
      settle(request)
      guard isConnected else { continue }
      let codes = request.codes.compactMap(\.self)
      var properties = MQTTProperties()
      if speaks5 { properties.reasonString = request.reason }
      if request.kind == .subscribe {
        send(MQTTSubscribeAck(request.packetIdentifier, codes, properties: properties), into: &output)
      } else {
        send(MQTTUnsubscribeAck(request.packetIdentifier, codes, properties: properties), into: &output)
      }
    }
  }
}
