internal import Core
internal import MQTT

/// What MQTT clients do of themselves.
extension SimulatedCluster {
  static func clients(_ plan: SimulationPlan) -> [SimulatedMQTTClient] {
    (0..<plan.clients).map { index in
      let isDurable = index != 3
      let followsAll = index == 1
      let granted: MQTTQoS = index == 2 ? .atLeastOnce : .exactlyOnce
      let client = SimulatedMQTTClient(
        index: index, version: index % 2 == 0 ? .v5 : .v311, isDurable: isDurable, followsAll: followsAll, granted: granted)
      let topics = followsAll ? Array(0..<plan.topics) : [index % plan.topics, (index + 2) % plan.topics]
      client.watches = topics.map { TopicWatch(topic: $0, granted: granted) }
      return client
    }
  }

  func payload(_ message: UInt32) -> Bytes {
    var bytes = ByteBuffer()
    bytes.append(littleEndian: message)
    bytes.append(padding)
    return bytes.freeze()
  }

  func act(_ client: SimulatedMQTTClient) {
    guard !client.isGone else { return }
    queue.add(.client, at: now + .milliseconds(1 + sessionRandom.below(2 * plan.clientMilliseconds)), target: client.index)
    switch client.phase {
    case .away: if now >= client.connectsAt { connect(client) }
    case .connecting:
      // Who is not answered tries again, elsewhere.
      if now - client.since > .seconds(15) { drop(client) }
    case .connected:
      client.acknowledge(self)
      if !isHealing, sessionRandom.below(1000) < plan.clientRestlessness { return goAway(client) }
      subscribe(client)
      if !client.isStopped, client.outgoing.count < SimulatedMQTTClient.outgoingMost, sessionRandom.below(3) > 0 {
        let message = nextMessage
        nextMessage += 1
        let qos: MQTTQoS = sessionRandom.below(3) == 0 ? .atLeastOnce : .exactlyOnce
        client.add(message, topic: sessionRandom.below(plan.topics - 1), qos, self)
      }
    }
  }

  private func connect(_ client: SimulatedMQTTClient) {
    let up = edges.filter(\.isUp)
    guard !up.isEmpty else { return }
    let edge = up[sessionRandom.below(up.count)]
    let session = EdgeSession(settings: channelSettings, at: now)
    let pipe = MQTTPipe(number: pipes.count, client: client.index, edge: edge.index, incarnation: edge.incarnation, session: session)
    pipes.append(pipe)
    edge.sessions?.connections.append(pipe)
    let isClean = !client.isDurable || client.mustBeClean || (client.version == .v5 && sessionRandom.below(20) == 0 && !isHealing)
    note("client \(client.index) connects to edge \(edge.index)\(isClean ? ", clean" : "")")
    client.connects(through: pipe, clean: isClean, self)
    var connect = MQTTConnect(client.version, clientIdentifier: client.name)
    connect.isCleanStart = isClean
    if client.version == .v5 {
      connect.properties.receiveMaximum = client.index == 0 ? 3 : 9
      if client.isDurable { connect.properties.sessionExpiry = 3600 }
    }
    if sessionRandom.below(4) > 0 {
      let message = nextMessage
      nextMessage += 1
      var will = MQTTWill(topic: Bytes("t\(sessionRandom.below(plan.topics - 1))"), payload: payload(message))
      will.qos = sessionRandom.below(2) == 0 ? .atLeastOnce : .exactlyOnce
      if client.version == .v5 { will.properties.willDelay = [0, 2, SessionJudge.longDelay][sessionRandom.below(3)] }
      connect.will = will
    }
    client.send(connect, self)
  }

  private func goAway(_ client: SimulatedMQTTClient) {
    if sessionRandom.below(3) == 0 {
      note("client \(client.index) takes its leave")
      client.send(MQTTDisconnect(), self)
      guard let pipe = client.pipe else { return }
      client.isCutOff(self)
      tellEnd(pipe, toEdge: true)
    } else {
      drop(client)
    }
  }

  /// The connection breaks, and the edge may notice only much later: the client may be back before that.
  func drop(_ client: SimulatedMQTTClient) {
    guard let pipe = client.pipe else { return }
    note("client \(client.index) loses its connection")
    pipe.isCut = true
    client.isCutOff(self)
    tellEnd(pipe, toEdge: true, after: .milliseconds([20, 1000, 8000][sessionRandom.below(3)]))
  }

  private func subscribe(_ client: SimulatedMQTTClient) {
    guard client.request == nil else { return }
    let missing = client.watches.filter { !$0.isPromised }.map(\.topic)
    let identifier = UInt16(100 + sessionRandom.below(50))
    if !missing.isEmpty {
      let topics = client.followsAll ? client.watches.map(\.topic) : missing
      let filters = client.followsAll ? ["#"] : topics.map { "t\($0)" }
      client.request = (identifier, topics, true)
      let wishes = filters.map { filter in
        var wish = MQTTSubscription(Bytes(filter), client.granted)
        wish.retainHandling = .never
        return wish
      }
      client.send(MQTTSubscribe(identifier, wishes), self)
    } else if !isHealing, !client.followsAll, sessionRandom.below(60) == 0 {
      let topic = client.watches[sessionRandom.below(client.watches.count)].topic
      client.endWatching(topic)
      client.request = (identifier, [topic], false)
      client.send(MQTTUnsubscribe(identifier, [Bytes("t\(topic)")]), self)
    }
  }

  // The end ------------------------------------------------------------------------------------------------

  /// The faults are over: one client never comes back, the others stay.
  func healClients() {
    if clients.count > 1, let client = clients.last {
      client.isGone = true
      drop(client)
    }
  }

  func clientAilment() -> String? {
    for client in clients where !client.isGone {
      guard client.phase == .connected else { return "client \(client.index) is not connected" }
      if let message = client.outgoing.first { return "client \(client.index) waits for message \(message.message) to be done, which is \(message.stage)" }
      for watch in client.watches {
        guard watch.isPromised else { return "client \(client.index) has no subscription to topic \(watch.topic)" }
        if let message = watch.missing(ledger.topics) { return "client \(client.index) lacks message \(message) of topic \(watch.topic)" }
      }
    }
    return ledger.judge.missingWill.map { "the will \($0) is not published" }
  }
}
