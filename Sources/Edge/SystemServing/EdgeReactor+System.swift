internal import Core
internal import MQTT
internal import Reactor

/// `$SYS/…`: how the node and its cluster are, for MQTT clients that ask. The edge makes these messages itself; no shard
/// knows of them, and they have no place in any log.
///
/// ```
///   SUBSCRIBE ─▶ SystemDesk ─ every 10 s, while somebody follows ─▶ NodePages.system ─▶ all reactors
///                    ▲                                                                     │
///   PUBLISH, QoS 0 ◀─┴── values that changed ◀──────── tellSystem(SystemFacts) ◀───────────┘
/// ```
extension EdgeReactor {
  /// Of these subscriptions, which are on `$SYS` all of them, retained values are wanted.
  func followSystem(_ filters: [Filter], _ connection: Connection, _ session: MQTTSession) {
    guard connection.isMQTT else { return }
    system.add(connection.key)
    guard !filters.isEmpty else { return }
    guard !system.told.isEmpty else {
      if system.wait(connection.key, for: filters) { nodePages.system(at: edge) }
      return
    }
    for topic in system.told {
      if isWanted(topic, filters) { deliver(topic, isCurrent: true, connection, session) }
      guard connection.isMQTT else { return }
    }
  }

  /// Once a second.
  func careForSystem() {
    if system.isLoadDue(at: now) { system.takeLoad(mqttTotals, at: now) }
    if system.isDue(at: now) { nodePages.system(at: edge) }
  }

  /// The node's answer.
  public func tellSystem(_ facts: SystemFacts) {
    let changes = system.take(facts.topics, at: now)
    var followers: [SlotKey] = []
    var late: [SlotKey] = []
    for key in system.followers {
      guard let connection = connections[key], case .mqtt(let session) = connection.role,
        session.subscriptions.contains(where: \.filter.namesSystem)
      else { continue }
      followers.append(key)
      // Whoever takes nothing now is told all of it when it does: nothing keeps for it what changed meanwhile.
      guard connection.output.pendingBytes < RequestLimits.catchUpWindow else {
        late.append(key)
        continue
      }
      let fresh = system.waiting.filter { $0.key == key }.map(\.filter)
      tell(system.late.contains(key) ? system.told : changes, fresh, connection, session)
    }
    system.keep(followers, late: late)
  }

  /// What changed, and whatever a new subscription wants, which comes as retained.
  private func tell(_ changes: [SystemTopic], _ fresh: [Filter], _ connection: Connection, _ session: MQTTSession) {
    for topic in fresh.isEmpty ? changes : system.told {
      let isFresh = isWanted(topic, fresh)
      guard isFresh || fresh.isEmpty || changes.contains(topic) else { continue }
      deliver(topic, isCurrent: isFresh, connection, session)
      guard connection.isMQTT else { return }
    }
  }

  private func isWanted(_ topic: SystemTopic, _ filters: [Filter]) -> Bool {
    topic.name.withUnsafeBytes { name in filters.contains { $0.matches(name) } }
  }

  /// With QoS 0, whatever was granted: the next value takes the place of one that was lost.
  private func deliver(_ topic: SystemTopic, isCurrent: Bool, _ connection: Connection, _ session: MQTTSession) {
    var delivery = MQTTDelivery(.atMostOnce)
    var isWanted = false
    for subscription in session.subscriptions where subscription.filter.namesSystem {
      guard topic.name.withUnsafeBytes({ subscription.filter.matches($0) }) else { continue }
      isWanted = true
      if subscription.wish.retainAsPublished { delivery.isRetained = true }
      if let identifier = subscription.identifier { delivery.subscriptionIdentifiers.append(identifier) }
    }
    guard isWanted, let version = session.channel.version else { return }
    if isCurrent { delivery.isRetained = true }
    var bytes = ByteBuffer()
    let properties = Bytes()
    let rendering = MQTTPublishRendering.append(
      version, topic: topic.name.bytes, properties: properties.bytes, payload: topic.value.bytes, into: &bytes)
    let outcome = speak(connection, session) { channel, output in
      bytes.withUnsafeBytes { channel.deliver(delivery, rendering, of: $0.bytes, into: &output) }
    }
    if outcome == .sent {
      mqttTraffic.publishesSent += 1
      mqttTraffic.payloadBytesSent += topic.value.count
    }
  }
}

extension Filter {
  /// Whether it is about what the server tells of itself.
  var namesSystem: Bool {
    let name: StaticString = "$SYS"
    return bytes.withUnsafeBytes { bytes in
      bytes.starts(with: UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        && (bytes.count == name.utf8CodeUnitCount || bytes[name.utf8CodeUnitCount] == UInt8(ascii: "/"))
    }
  }
}
