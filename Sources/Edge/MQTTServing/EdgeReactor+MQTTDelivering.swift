internal import Core
internal import Feeds
internal import MQTT
internal import Reactor
internal import Sessions

/// What MQTT clients are sent one by one: all who do not share a stream, and those who catch up with one.
extension EdgeReactor {
  /// False, and nothing sent, while the client's window is closed.
  func deliver(_ record: RecordView, _ shard: ShardID, isCurrent: Bool, to session: MQTTSession, _ connection: Connection) -> Bool {
    guard var delivery = session.delivery(of: record, isCurrent: isCurrent) else { return true }
    // Where a session's last holder died, what is lost by the way may have been delivered.
    if delivery.qos == .atMostOnce, !isCurrent, let keeping = session.keeping, keeping.isDurable, record.time <= keeping.quietUntil { return true }
    if delivery.qos != .atMostOnce { delivery.token = MQTTToken.make(shard, record.offset, isCurrent: isCurrent) }
    return send(delivery, record, shard, session, connection, tellsPosition: !isCurrent && session.wantsPosition(of: record)) != .windowFull
  }

  /// Sends it, if the client takes it now.
  func send(
    _ delivery: MQTTDelivery, _ record: RecordView, _ shard: ShardID, _ session: MQTTSession, _ connection: Connection, tellsPosition: Bool = false
  ) -> MQTTDeliveryOutcome {
    if let keeping = session.keeping, keeping.isDurable, keeping.heldBytes >= RequestLimits.catchUpWindow { return .windowFull }
    if delivery.qos != .atMostOnce {
      guard session.channel.window > 0 else { return .windowFull }
      // Which message its identifier stands for is saved before the client sees it.
      if delivery.qos == .exactlyOnce { oweSave(connection, session) }
      noteMove(connection, session)
    }
    let slot: Int
    if tellsPosition, let reader = connection.reader {
      slot = 2
      renderWithPosition(record, shard, reader)
    } else {
      slot = session.channel.version == .v5 ? 1 : 0
      render(record, shard, slot)
    }
    let rendered = mqttRendered[slot]
    let outcome = speak(connection, session) { channel, output in
      rendered.bytes.withUnsafeBytes { channel.deliver(delivery, rendered.rendering, of: $0.bytes, into: &output) }
    }
    if outcome == .sent {
      if delivery.qos != .atMostOnce { session.keeping?.sent(delivery.token) }
      counters.catchUpEvents[Transport.mqtt.rawValue] += 1
      mqttTraffic.payloadBytesSent += record.payload.count
      // What it waited for since it had everything is what any follower waits.
      if let reader = connection.reader, reader.isAtHome {
        fanout.latencies[Int(EventFormat.mqttAlone.rawValue)].record(milliseconds: loop.wallTime.milliseconds - record.time.milliseconds, times: 1)
      }
    }
    return outcome
  }

  /// Once for all who are sent the same one after another.
  func render(_ record: RecordView, _ shard: ShardID, _ slot: Int) {
    let wall = loop.wallTime
    if let known = mqttRendered[slot].of, known == (shard, record.offset, wall.milliseconds) { return }
    mqttRendered[slot].bytes.removeAll()
    mqttRendered[slot].rendering = fanout.renderer.appendMQTT(record, slot == 1 ? .v5 : .v311, wall: wall, into: &mqttRendered[slot].bytes)
    mqttRendered[slot].of = (shard, record.offset, wall.milliseconds)
  }

  /// A topic's current value, for a subscription that has just begun.
  func deliverCurrent(_ record: RecordView, _ shard: ShardID, to session: MQTTSession, _ connection: Connection) {
    // One that was cleared is no value.
    if record.flags.contains(.clear) { return }
    guard session.backlog.isEmpty, deliver(record, shard, isCurrent: true, to: session, connection) else { return session.backlog.append(record) }
  }

  /// The client has acknowledged something: what waited for that goes on.
  func windowOpens(_ connection: Connection, _ session: MQTTSession) {
    guard let reader = connection.reader, !reader.isParked else { return }
    makePumpable(connection)
  }

  /// Sends what waits in front of everything else. False while there is more.
  func drainBacklog(_ connection: Connection, _ session: MQTTSession) -> Bool {
    while let record = session.backlog.next {
      let isSent = record.withUnsafeBytes { bytes in
        let view = RecordView(trusting: bytes.baseAddress.unsafelyUnwrapped)
        return deliver(view, Topic.shard(of: view.topic, among: settings.shardCount), isCurrent: true, to: session, connection)
      }
      guard isSent, connection.isMQTT else { return false }
      session.backlog.removeFirst()
    }
    return true
  }

  /// A shard cannot be read. A client that were let go would lose its place, having no cursor: so it stays, and is read for
  /// again, unless nothing will come of that.
  func readAgain(_ connection: Connection, _ session: MQTTSession, _ refusal: Refusal) {
    if refusal.isLasting {
      return speak(connection, session) { $0.end(.unspecifiedError, "What is followed cannot be read.", at: now, into: &$1) }
    }
    session.readsAgainAt = now + settings.mqttReadAgain
    careForDeadline(connection, session)
  }

  /// A stretch of one shard is missing.
  func tellMQTT(_ gap: ReadGap, of shard: ShardID, _ connection: Connection, _ session: MQTTSession) {
    counters.gaps += 1
    keep(gap, of: shard, connection, session)
    func cursor(_ offset: Offset) -> String { Cursor(cluster: settings.cluster, positions: [Position(shard, offset)]).description }
    tellMQTT(Gap(reason: GapReason(gap.reason), from: cursor(gap.from), to: cursor(gap.to), skipped: gap.skipped), connection, session)
  }

  /// A connection that breaks now takes what it was told along: it is told again over the next.
  func keep(_ gap: ReadGap, of shard: ShardID, _ connection: Connection, _ session: MQTTSession) {
    session.keeping?.told(gap, of: shard)
    noteMove(connection, session)
  }

  /// Messages are missing: told as a message of its own, never silently.
  func tellMQTT(_ gap: Gap, _ connection: Connection, _ session: MQTTSession) {
    // A client that takes only short packets is told why, or at least that there is one ([MQTT-3.1.2-24]).
    let room = session.channel.largestPacket - MQTTRendered.gapOverhead
    guard room >= 0 else {
      mqttOutput.counters.deliveriesTooLarge += 1
      return
    }
    scratch.removeAll()
    fanout.renderer.appendGap(gap, operation: false, into: &scratch)
    if scratch.count > room {
      scratch.removeAll()
      scratch.append("{\"reason\":\"")
      scratch.append(text: gap.reason.rawValue)
      scratch.append("\"}")
    }
    if scratch.count > room { scratch.removeAll() }
    let version = session.channel.version ?? .v311
    mqttTraffic.publishesSent += 1
    speak(connection, session) { _, output in
      scratch.withUnsafeBytes { text in
        let topic = Bytes(static: EventRenderer.gapTopic)
        let properties = Bytes()
        _ = MQTTPublishRendering.append(version, topic: topic.bytes, properties: properties.bytes, payload: text.bytes, into: &output.bytes)
      }
    }
  }
}

/// One message as it was rendered last for clients that are written to alone.
final class MQTTRendered {
  /// Everything of a message to `$tidings/gap` but its payload, at most.
  static let gapOverhead = 5 + 2 + EventRenderer.gapTopic.utf8CodeUnitCount + 1

  var of: (shard: ShardID, offset: Offset, milliseconds: Int64)?
  var bytes: ByteBuffer
  var rendering: MQTTPublishRendering

  init(_ version: MQTTVersion) {
    let nothing = Bytes()
    var bytes = ByteBuffer()
    rendering = MQTTPublishRendering.append(version, topic: nothing.bytes, properties: nothing.bytes, payload: nothing.bytes, into: &bytes)
    self.bytes = bytes
  }
}
