import Core
import MQTT
import Testing

/// What clients are sent.
@Suite struct ChannelDeliveryTests {
  @Test("[MQTT-4.3.1-1], [MQTT-4.3.2-1] Messages of QoS 0 and 1, and what is told of their acknowledgement", arguments: MQTTVersion.allCases)
  func atLeastOnce(version: MQTTVersion) {
    let scene = ChannelScene.connected(version)
    #expect(scene.deliver("a", "hi") == Said(written(MQTTPublishHead(), version, "a", "hi")))
    #expect(scene.deliver("a", "hi", qos: .atLeastOnce, token: 70) { $0.isRetained = true }
      == Said(written(MQTTPublishHead(qos: .atLeastOnce, isRetained: true, packetIdentifier: 1), version, "a", "hi")))
    #expect(scene.deliver("b", qos: .atLeastOnce, token: 71) == Said(written(MQTTPublishHead(qos: .atLeastOnce, packetIdentifier: 2), version, "b", "m")))
    #expect(scene.session.inFlight.map(\.token) == [70, 71])
    #expect(scene.receive(ack(.acknowledged, 2) + ack(.acknowledged, 1)) == Said([], "acknowledged 71", "acknowledged 70"))
    #expect(scene.session.inFlight == [])
    #expect(scene.receive(ack(.acknowledged, 1)) == .nothing)
    #expect(scene.counters.unknownAcknowledgements == 1)
  }

  @Test("[MQTT-4.3.3-2] to [MQTT-4.3.3-7] QoS 2 goes its four steps", arguments: MQTTVersion.allCases)
  func exactlyOnce(version: MQTTVersion) {
    let scene = ChannelScene.connected(version)
    #expect(scene.deliver("a", qos: .exactlyOnce, token: 9) == Said(written(MQTTPublishHead(qos: .exactlyOnce, packetIdentifier: 1), version, "a", "m")))
    #expect(scene.receive(ack(.received, 1)) == Said([0x62, 2, 0, 1], "received 9"))
    #expect(scene.session.inFlight == [MQTTSessionState.InFlight(packetIdentifier: 1, token: 9, qos: .exactlyOnce, isReceived: true)])
    #expect(scene.receive(ack(.received, 1)) == Said([0x62, 2, 0, 1]))
    #expect(scene.receive(ack(.complete, 1)) == Said([], "acknowledged 9"))
    #expect(scene.receive(ack(.complete, 1)) == .nothing)
  }

  @Test("[MQTT-4.4.0-2] A PUBREC with a failure ends the message; so do failures in PUBACK and PUBCOMP")
  func refusedByClient() {
    let scene = ChannelScene.connected(.v5)
    for token in 1...3 { scene.deliver("a", qos: token == 2 ? .atLeastOnce : .exactlyOnce, token: UInt64(token)) }
    #expect(scene.receive(ack(.received, 1, 0x97)) == Said([], "acknowledged 1"))
    #expect(scene.receive(ack(.acknowledged, 2, 0x80)) == Said([], "acknowledged 2"))
    #expect(scene.receive(ack(.received, 3, 0x10)) == Said([0x62, 2, 0, 3], "received 3"))
    #expect(scene.receive(ack(.complete, 3, 0x92)) == Said([], "acknowledged 3"))
  }

  @Test("PUBREC for what is not known is answered PUBREL: with 0x92 in 5.0, unless it was a failure")
  func unknown() {
    let scene = ChannelScene.connected(.v5)
    #expect(scene.receive(ack(.received, 5)) == Said([0x62, 3, 0, 5, 0x92]))
    #expect(scene.receive(ack(.received, 5, 0x80)) == .nothing)
    #expect(scene.counters.unknownAcknowledgements == 2)
    #expect(ChannelScene.connected(.v311).receive(ack(.received, 5)) == Said([0x62, 2, 0, 5]))
  }

  @Test("An acknowledgement of another QoS, or in another order, is a protocol error", arguments: MQTTVersion.allCases)
  func wrongAcknowledgement(version: MQTTVersion) {
    let wrong: [(MQTTQoS, MQTTDeliveryAck.Step)] = [
      (.atLeastOnce, .received), (.atLeastOnce, .complete), (.exactlyOnce, .acknowledged), (.exactlyOnce, .complete),
    ]
    for (qos, step) in wrong {
      let scene = ChannelScene.connected(version)
      scene.deliver("a", qos: qos, token: 1)
      #expect(scene.receive(ack(step, 1)) == broken(version, 0x82))
      #expect(scene.session.inFlight.count == 1)
    }
  }

  @Test("[MQTT-3.3.4-9], [MQTT-4.9.0-2] The window is the client's receive maximum or ours, whichever is less")
  func window() {
    let scene = ChannelScene.connected(.v5) { $0.properties.receiveMaximum = 2 }
    #expect(scene.window == 2)
    scene.deliver("a", qos: .atLeastOnce, token: 1)
    scene.deliver("a", qos: .exactlyOnce, token: 2)
    #expect(scene.window == 0)
    #expect(scene.deliver("a", qos: .atLeastOnce, token: 3, expecting: .windowFull) == .nothing)
    // QoS 0 goes on ([MQTT-3.3.4-10]); PUBREC gives nothing back yet.
    #expect(scene.deliver("a").bytes.count == 7)
    _ = scene.receive(ack(.received, 2))
    #expect(scene.window == 0)
    _ = scene.receive(ack(.complete, 2))
    #expect(scene.window == 1)
    _ = scene.receive(ack(.acknowledged, 1))
    #expect(scene.window == 2)
    #expect(ChannelScene.connected(.v5, ChannelScene.settings { $0.maximumInFlight = 3 }).window == 3)
    #expect(ChannelScene.connected(.v311, ChannelScene.settings { $0.maximumInFlight = 3 }).window == 3)
  }

  @Test("[MQTT-2.2.1-4] Packet identifiers in flight are passed over, and 0 is none")
  func identifiers() {
    var session = MQTTSessionState()
    session.nextPacketIdentifier = 0xfffe
    session.inFlight = [
      MQTTSessionState.InFlight(packetIdentifier: 0xffff, token: 1, qos: .exactlyOnce, isReceived: true),
      MQTTSessionState.InFlight(packetIdentifier: 2, token: 2, qos: .exactlyOnce, isReceived: true),
    ]
    let scene = ChannelScene.connected(.v311, session: session)
    let identifiers = (0..<4).map { _ in
      let bytes = scene.deliver("a", qos: .atLeastOnce, token: 5).bytes
      return Int(bytes[5]) << 8 | Int(bytes[6])
    }
    #expect(identifiers == [0xfffe, 1, 3, 4])
    #expect(scene.session.nextPacketIdentifier == 5)
    #expect(scene.receive(ack(.complete, 2) + ack(.acknowledged, 3)).actions == ["acknowledged 2", "acknowledged 5"])
  }

  @Test("Every identifier can be in flight at once, and any of them is found")
  func allIdentifiers() {
    let scene = ChannelScene.connected(.v311, ChannelScene.settings { $0.maximumInFlight = 0xffff })
    for token in 1...0xffff { scene.deliver("a", qos: .atLeastOnce, token: UInt64(token)) }
    #expect(scene.window == 0)
    #expect(scene.receive(ack(.acknowledged, 0xffff) + ack(.acknowledged, 3)) == Said([], "acknowledged 65535", "acknowledged 3"))
    scene.deliver("a", qos: .atLeastOnce, token: 70_000)
    #expect(scene.session.inFlight.last?.packetIdentifier == 3)
    #expect(scene.receive(ack(.acknowledged, 3)) == Said([], "acknowledged 70000"))
  }

  @Test("[MQTT-3.1.2-24], [MQTT-3.1.2-25] A message larger than the client takes is not sent, and takes nothing of the window")
  func tooLarge() {
    let scene = ChannelScene.connected(.v5) { $0.properties.maximumPacketSize = 20 }
    #expect(scene.deliver("a", "12345678901234", qos: .atMostOnce).bytes.count == 20)
    #expect(scene.deliver("a", "123456789012345", expecting: .tooLarge) == .nothing)
    #expect(scene.deliver("a", "1234567890123", qos: .atLeastOnce, token: 1, expecting: .tooLarge) == .nothing)
    #expect(scene.deliver("a", "123456789012", qos: .atLeastOnce, token: 1).bytes.count == 20)
    #expect(scene.session.inFlight.map(\.packetIdentifier) == [1])
    #expect(scene.counters.deliveriesTooLarge == 2)
  }

  @Test("[MQTT-3.3.4-3], [MQTT-3.3.4-4] Subscription identifiers and shared properties are in the packet")
  func properties() {
    let scene = ChannelScene.connected(.v5)
    let said = scene.deliver("a/b", "hi", qos: .exactlyOnce, token: 1, properties: PublishTests.properties) { $0.subscriptionIdentifiers = [1, 200] }
    let bytes = wire(0x34, 51, 0, 3, "a/b", 0, 1, 41, 0x0b, 1, 0x0b, 0xc8, 1) + PublishTests.propertyBytes + wire("hi")
    #expect(said == Said(bytes))
    // Before 5.0 there are none.
    let old = ChannelScene.connected(.v311)
    #expect(old.deliver("a/b", "hi", properties: PublishTests.properties) { $0.subscriptionIdentifiers = [1] } == Said(wire(0x30, 7, 0, 3, "a/b", "hi")))
  }

  private func allowing(_ aliases: UInt16, size: UInt32? = nil) -> ChannelScene {
    ChannelScene.connected(.v5, ChannelScene.settings { $0.topicAliasMaximum = 100 }) {
      $0.properties.topicAliasMaximum = aliases
      $0.properties.maximumPacketSize = size
    }
  }

  @Test("[MQTT-3.1.2-26] A topic is sent once with its alias, then the alias alone; the longest unused is replaced")
  func aliases() {
    let scene = allowing(2)
    func used(_ alias: UInt8) -> Said { Said([0x30, 7, 0, 0, 3, 0x23, 0, alias, 0x6d]) }
    #expect(scene.deliver("one") == Said(wire(0x30, 10, 0, 3, "one", 3, 0x23, 0, 1, "m")))
    #expect(scene.deliver("two") == Said(wire(0x30, 10, 0, 3, "two", 3, 0x23, 0, 2, "m")))
    #expect(scene.deliver("one") == used(1))
    #expect(scene.deliver("three") == Said(wire(0x30, 12, 0, 5, "three", 3, 0x23, 0, 2, "m")))
    #expect(scene.deliver("three") == used(2))
    #expect(scene.deliver("one") == used(1))
    #expect(scene.deliver("two") == Said(wire(0x30, 10, 0, 3, "two", 3, 0x23, 0, 2, "m")))
    #expect(scene.deliver("two", qos: .atLeastOnce, token: 1) == Said([0x32, 9, 0, 0, 0, 1, 3, 0x23, 0, 2, 0x6d]))
  }

  @Test("[MQTT-3.1.2-27] No alias without the client's leave or ours")
  func noAliases() {
    #expect(allowing(0).deliver("one") == Said(wire(0x30, 7, 0, 3, "one", 0, "m")))
    let ours = ChannelScene.connected(.v5) { $0.properties.topicAliasMaximum = 5 }
    #expect(ours.deliver("one") == Said(wire(0x30, 7, 0, 3, "one", 0, "m")))
  }

  @Test("An alias is not told where it would make the packet too large, and helps where the topic would")
  func aliasAndSize() {
    let scene = allowing(5, size: 12)
    #expect(scene.deliver("one", "123") == Said(wire(0x30, 9, 0, 3, "one", 0, "123")))
    #expect(scene.deliver("one", "m").bytes.count == 12)
    #expect(scene.deliver("one", "1234") == Said(wire(0x30, 10, 0, 0, 3, 0x23, 0, 1, "1234")))
    #expect(scene.deliver("one", "123456", expecting: .tooLarge) == .nothing)
    #expect(scene.deliver("two", "123456", expecting: .tooLarge) == .nothing)
  }

  @Test("Many topics share few aliases, and the client resolves every message to its topic")
  func manyTopics() {
    let scene = allowing(80)
    var known: [UInt16: String] = [:]
    var seen: Set<UInt16> = []
    for round in 0..<400 {
      let topic = "t/\(round * round % 97)"
      guard case .publish(let message)? = clientReceives(scene.deliver(topic).bytes, .v5).first else {
        Issue.record("no message")
        return
      }
      if !message.topic.isEmpty { known[message.topicAlias] = message.topic }
      seen.insert(message.topicAlias)
      #expect(known[message.topicAlias] == topic)
    }
    #expect(seen.count > 40 && seen.count <= 64)
  }

  @Test("Nothing is delivered to who is not connected")
  func notConnected() {
    #expect(ChannelScene(.v5).deliver("a", expecting: .notConnected) == .nothing)
    let scene = ChannelScene.connected(.v5)
    _ = scene.lose()
    #expect(scene.deliver("a", qos: .atLeastOnce, expecting: .notConnected) == .nothing)
    #expect(scene.window == 0)
  }
}
