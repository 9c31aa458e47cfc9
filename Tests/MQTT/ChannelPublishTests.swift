import Core
import MQTT
import Testing

/// What clients publish.
@Suite struct ChannelPublishTests {
  @Test("[MQTT-4.3.2-4] QoS 1 is acknowledged when it is published, and not before", arguments: MQTTVersion.allCases)
  func atLeastOnce(version: MQTTVersion) {
    let scene = ChannelScene.connected(version)
    #expect(scene.receive(publish(version, "a/b", "hi", qos: .atLeastOnce, id: 0x0102, retain: true)) == Said([], "publish a/b hi qos 1 id 258 retain"))
    #expect(scene.receive([]) == .nothing)
    #expect(scene.published() == Said([0x40, 2, 1, 2]))
    // Its identifier is free again.
    #expect(scene.receive(publish(version, "a", qos: .atLeastOnce, id: 0x0102, dup: true)) == Said([], "publish a m qos 1 id 258 dup"))
  }

  @Test("QoS 0 is answered with nothing, but counts until the shell has answered", arguments: MQTTVersion.allCases)
  func atMostOnce(version: MQTTVersion) {
    let scene = ChannelScene.connected(version, ChannelScene.settings { $0.maximumUnansweredMessages = 2 })
    let three = publish(version, "a", "1") + publish(version, "a", "2") + publish(version, "a", "3")
    #expect(scene.receive(three) == Said([], "publish a 1 qos 0", "publish a 2 qos 0"))
    #expect(scene.isPaused)
    #expect(scene.published(.refused(.notAuthorized, "no")) == .nothing)
    #expect(scene.counters[.notAuthorized] == 1)
    #expect(scene.receive([]) == Said([], "publish a 3 qos 0"))
  }

  @Test("[MQTT-4.3.3-8], [MQTT-4.3.3-11] QoS 2 goes its four steps", arguments: MQTTVersion.allCases)
  func exactlyOnce(version: MQTTVersion) {
    let scene = ChannelScene.connected(version)
    #expect(scene.receive(publish(version, "a", qos: .exactlyOnce, id: 7)) == Said([], "publish a m qos 2 id 7"))
    #expect(scene.published() == Said([0x50, 2, 0, 7]))
    #expect(scene.session.unreleased == [7])
    #expect(scene.receive(ack(.release, 7)) == Said([0x70, 2, 0, 7], "release 7"))
    #expect(scene.session.unreleased == [])
    // [MQTT-4.3.3-12].
    #expect(scene.receive(publish(version, "a", qos: .exactlyOnce, id: 7)) == Said([], "publish a m qos 2 id 7"))
  }

  @Test("[MQTT-4.3.3-10] A message of QoS 2 that comes again is acknowledged again and published once", arguments: MQTTVersion.allCases, [true, false])
  func exactlyOnceAgain(version: MQTTVersion, dup: Bool) {
    let scene = ChannelScene.connected(version)
    let message = publish(version, "a", qos: .exactlyOnce, id: 7)
    let again = publish(version, "a", qos: .exactlyOnce, id: 7, dup: dup)
    #expect(scene.receive(message + again) == Said([], "publish a m qos 2 id 7"))
    #expect(scene.published() == Said([0x50, 2, 0, 7]))
    #expect(scene.receive(again + again) == Said([0x50, 2, 0, 7, 0x50, 2, 0, 7]))
    #expect(scene.receive(ack(.release, 7)) == Said([0x70, 2, 0, 7], "release 7"))
  }

  @Test("PUBREL for what is not known: 0x92 in 5.0, and PUBCOMP in every version")
  func unknownRelease() {
    #expect(ChannelScene.connected(.v5).receive(ack(.release, 9)) == Said([0x70, 3, 0, 9, 0x92], "release 9"))
    #expect(ChannelScene.connected(.v311).receive(ack(.release, 9)) == Said([0x70, 2, 0, 9], "release 9"))
    // Not released before it was received.
    let scene = ChannelScene.connected(.v5)
    #expect(scene.receive(publish(.v5, "a", qos: .exactlyOnce, id: 9) + ack(.release, 9)) == Said([0x70, 3, 0, 9, 0x92], "publish a m qos 2 id 9"))
    #expect(scene.published() == Said([0x50, 2, 0, 9]))
  }

  @Test("[MQTT-4.6.0-2], [MQTT-4.6.0-3] Acknowledgements are in the order of the messages, however they were published", arguments: MQTTVersion.allCases)
  func order(version: MQTTVersion) {
    let scene = ChannelScene.connected(version)
    let messages =
      publish(version, "a", qos: .atLeastOnce, id: 1) + publish(version, "a", qos: .exactlyOnce, id: 2) + publish(version, "a", qos: .atLeastOnce, id: 3)
    #expect(scene.receive(messages).actions.count == 3)
    #expect(scene.published(after: 2) == .nothing)
    #expect(scene.published(after: 1) == .nothing)
    #expect(scene.published() == Said([0x40, 2, 0, 1, 0x50, 2, 0, 2, 0x40, 2, 0, 3]))
  }

  @Test("What became of a message is told in 5.0")
  func outcomes() {
    let scene = ChannelScene.connected(.v5) { $0.properties.requestProblemInformation = nil }
    func answer(_ qos: MQTTQoS, _ outcome: MQTTPublishOutcome) -> [UInt8] {
      _ = scene.receive(publish(.v5, "a", qos: qos, id: 1))
      return scene.published(outcome).bytes
    }
    #expect(answer(.atLeastOnce, .acceptedWithoutSubscribers) == [0x40, 3, 0, 1, 0x10])
    #expect(answer(.atLeastOnce, .refused(.notAuthorized, nil)) == [0x40, 3, 0, 1, 0x87])
    #expect(answer(.atLeastOnce, .refused(.quotaExceeded, "no")) == wire(0x40, 9, 0, 1, 0x97, 5, 0x1f, 0, 2, "no"))
    // Not a code that PUBACK has.
    #expect(answer(.atLeastOnce, .refused(.serverBusy, nil)) == [0x40, 3, 0, 1, 0x80])
    #expect(answer(.atLeastOnce, .later).prefix(5) == [0x40, 60, 0, 1, 0x83])
    // [MQTT-4.3.3-9]: refused, QoS 2 is over with PUBREC.
    #expect(answer(.exactlyOnce, .refused(.notAuthorized, nil)) == [0x50, 3, 0, 1, 0x87])
    #expect(scene.session.unreleased == [])
    #expect(answer(.exactlyOnce, .acceptedWithoutSubscribers) == [0x50, 3, 0, 1, 0x10])
    #expect(scene.session.unreleased == [1])
    #expect(scene.counters[.notAuthorized] == 2)
    #expect(scene.counters[.implementationSpecificError] == 1)
  }

  @Test("[MQTT-3.3.5-2 of 3.1.1] Before 5.0 a refused message closes the connection in its turn, unacknowledged", arguments: [MQTTVersion.v31, .v311])
  func refusedBefore5(version: MQTTVersion) {
    for outcome in [MQTTPublishOutcome.refused(.notAuthorized, "no"), .later] {
      let scene = ChannelScene.connected(version)
      _ = scene.receive(publish(version, "a", qos: .atLeastOnce, id: 1) + publish(version, "a", qos: .exactlyOnce, id: 2) + publish(version, "a", qos: .atLeastOnce, id: 3))
      #expect(scene.published(outcome, after: 1) == .nothing)
      #expect(scene.published() == Said([0x40, 2, 0, 1], "close"))
      #expect(scene.published() == .nothing)
      #expect(scene.session.unreleased == [])
    }
  }

  @Test("[MQTT-3.3.4-7] One message more than the receive maximum is answered 0x93", arguments: [MQTTQoS.atLeastOnce, .exactlyOnce])
  func receiveMaximum(qos: MQTTQoS) {
    let settings = ChannelScene.settings { $0.receiveMaximum = 2 }
    let scene = ChannelScene.connected(.v5, settings)
    #expect(scene.receive(publish(.v5, "a", qos: qos, id: 1) + publish(.v5, "a", qos: qos, id: 2)).actions.count == 2)
    #expect(scene.published().bytes.count == 4)
    // QoS 2 is only acknowledged with PUBCOMP.
    if qos == .exactlyOnce { #expect(scene.receive(ack(.release, 1)).bytes == [0x70, 2, 0, 1]) }
    #expect(scene.receive(publish(.v5, "a", qos: qos, id: 3)).actions.count == 1)
    // QoS 0 does not count, and neither does what was there already.
    #expect(scene.receive(publish(.v5, "a")).actions.count == 1)
    if qos == .exactlyOnce { #expect(scene.receive(publish(.v5, "a", qos: qos, id: 2, dup: true)) == .nothing) }
    #expect(scene.receive(publish(.v5, "a", qos: qos, id: 4)) == broken(.v5, 0x93))
    #expect(scene.counters[.receiveMaximumExceeded] == 1)
    let old = ChannelScene.connected(.v311, settings)
    #expect(old.receive((1...3).flatMap { publish(.v311, "a", qos: qos, id: $0) }).actions.count == 3)
  }

  @Test("Section 4.9: messages of an earlier connection do not count in the receive maximum until they come again")
  func receiveMaximumResumed() {
    var session = MQTTSessionState()
    session.unreleased = [8, 9]
    let scene = ChannelScene.connected(.v5, ChannelScene.settings { $0.receiveMaximum = 2 }, session: session)
    #expect(scene.receive(publish(.v5, "a", qos: .exactlyOnce, id: 9, dup: true)) == Said([0x50, 2, 0, 9]))
    #expect(scene.receive(publish(.v5, "a", qos: .exactlyOnce, id: 1)).actions.count == 1)
    // Never counted, so that nothing is given back for it.
    #expect(scene.receive(ack(.release, 8)).bytes == [0x70, 2, 0, 8])
    #expect(scene.receive(publish(.v5, "a", qos: .exactlyOnce, id: 2)) == broken(.v5, 0x93))
  }

  @Test("Past the bound of unanswered bytes nothing is taken until there are answers, in every version", arguments: MQTTVersion.allCases)
  func unansweredBytes(version: MQTTVersion) {
    let scene = ChannelScene.connected(version, ChannelScene.settings { $0.maximumUnansweredBytes = 100 })
    let long = String(repeating: "x", count: 60)
    #expect(scene.receive((1...3).flatMap { publish(version, "a", long, qos: .atLeastOnce, id: $0) }).actions.count == 2)
    #expect(scene.isPaused)
    #expect(scene.published() == Said([0x40, 2, 0, 1]))
    #expect(!scene.isPaused)
    #expect(scene.receive([]).actions.count == 1)
  }

  @Test("[MQTT-3.3.2-2] A wildcard in a topic ends the connection: 0x90", arguments: MQTTVersion.allCases, ["a/+", "#", "a#b"])
  func wildcard(version: MQTTVersion, topic: String) {
    for qos in MQTTQoS.allCases {
      #expect(ChannelScene.connected(version).receive(publish(version, topic, qos: qos, id: qos == .atMostOnce ? 0 : 1)) == broken(version, 0x90))
    }
  }

  @Test("A topic that is well written and not taken is refused in the acknowledgement, where there is one to say so")
  func unacceptableTopic() {
    let long = String(repeating: "t", count: Topic.maximumLength + 1)
    for topic in [long, "a\u{1}b"] {
      let scene = ChannelScene.connected(.v5)
      #expect(scene.receive(publish(.v5, topic, qos: .atLeastOnce, id: 1)) == Said([0x40, 3, 0, 1, 0x90]))
      #expect(scene.receive(publish(.v5, topic, qos: .exactlyOnce, id: 2)) == Said([0x50, 3, 0, 2, 0x90]))
      #expect(scene.counters[.topicNameInvalid] == 2)
      #expect(scene.receive(publish(.v5, topic)) == broken(.v5, 0x90))
      #expect(ChannelScene.connected(.v311).receive(publish(.v311, topic, qos: .atLeastOnce, id: 1)) == broken(.v311, 0x90))
    }
    // In its turn.
    let scene = ChannelScene.connected(.v5)
    _ = scene.receive(publish(.v5, "a", qos: .atLeastOnce, id: 1) + publish(.v5, long, qos: .atLeastOnce, id: 2))
    #expect(scene.published() == Said([0x40, 2, 0, 1, 0x40, 3, 0, 2, 0x90]))
  }

  @Test("[MQTT-4.7.3-1] An empty topic ends the connection; in 5.0 it needs an alias")
  func emptyTopic() {
    #expect(ChannelScene.connected(.v311).receive(publish(.v311, "")) == broken(.v311, 0x90))
    #expect(ChannelScene.connected(.v5).receive(publish(.v5, "")) == broken(.v5, 0x82))
  }

  @Test("[MQTT-3.3.2-12] Topic aliases stand for the topic they were given last")
  func aliases() {
    let scene = ChannelScene.connected(.v5, ChannelScene.settings { $0.topicAliasMaximum = 2 })
    #expect(scene.receive(publish(.v5, "a", alias: 2) + publish(.v5, "", "n", alias: 2)) == Said([], "publish a m qos 0", "publish a n qos 0"))
    #expect(scene.receive(publish(.v5, "b", qos: .atLeastOnce, id: 1, alias: 2) + publish(.v5, "", alias: 2)) == Said([], "publish b m qos 1 id 1", "publish b m qos 0"))
    // Defined by a message that came twice, too.
    #expect(scene.receive(publish(.v5, "c", qos: .exactlyOnce, id: 2) + publish(.v5, "c", qos: .exactlyOnce, id: 2, alias: 1) + publish(.v5, "", alias: 1)).actions.last == "publish c m qos 0")
    #expect(scene.receive(publish(.v5, "a", alias: 3)) == broken(.v5, 0x94))
  }

  @Test("A topic alias that stands for nothing, or is 0, ends the connection")
  func wrongAliases() {
    let settings = ChannelScene.settings { $0.topicAliasMaximum = 2 }
    #expect(ChannelScene.connected(.v5, settings).receive(publish(.v5, "", alias: 1)) == broken(.v5, 0x82))
    #expect(ChannelScene.connected(.v5, settings).receive(publish(.v5, "a", alias: 2) + publish(.v5, "", alias: 1)) == broken(.v5, 0x82, then: "publish a m qos 0"))
    #expect(ChannelScene.connected(.v5, settings).receive(wire(0x30, 7, 0, 1, "a", 3, 0x23, 0, 0)) == broken(.v5, 0x94))
    #expect(ChannelScene.connected(.v5).receive(publish(.v5, "a", alias: 1)) == broken(.v5, 0x94))
  }

  @Test("[MQTT-3.2.2-11], [MQTT-3.2.2-14] QoS and retain beyond what is spoken end the connection", arguments: MQTTVersion.allCases)
  func unspoken(version: MQTTVersion) {
    let settings = ChannelScene.settings {
      $0.maximumQoS = .atMostOnce
      $0.isRetainAvailable = false
    }
    #expect(ChannelScene.connected(version, settings).receive(publish(version, "a", qos: .atLeastOnce, id: 1)) == broken(version, 0x9b))
    #expect(ChannelScene.connected(version, settings).receive(publish(version, "a", retain: true)) == broken(version, 0x9a))
    #expect(ChannelScene.connected(version, settings).receive(publish(version, "a")).actions == ["publish a m qos 0"])
  }

  @Test("A payload that is said to be UTF-8 and is not is refused: 0x99")
  func payloadFormat() {
    let scene = ChannelScene.connected(.v5)
    #expect(scene.receive(wire(0x32, 9, 0, 1, "a", 0, 1, 2, 1, 1, 0xff)) == Said([0x40, 3, 0, 1, 0x99]))
    #expect(scene.receive(wire(0x34, 9, 0, 1, "a", 0, 2, 2, 1, 1, 0xff)) == Said([0x50, 3, 0, 2, 0x99]))
    #expect(scene.receive(wire(0x30, 7, 0, 1, "a", 2, 1, 0, 0xff)).actions.count == 1)
    #expect(scene.receive(wire(0x30, 7, 0, 1, "a", 2, 1, 1, "m")) == Said([], "publish a m qos 0"))
    #expect(scene.receive(wire(0x30, 7, 0, 1, "a", 2, 1, 1, 0xff)) == broken(.v5, 0x99))
  }

  @Test("[MQTT-2.2.1-3] A packet identifier that is in use is refused with 0x91, or ends the connection before 5.0")
  func identifierInUse() {
    let scene = ChannelScene.connected(.v5)
    #expect(scene.receive(publish(.v5, "a", qos: .atLeastOnce, id: 1) + publish(.v5, "b", qos: .atLeastOnce, id: 1)).actions.count == 1)
    #expect(scene.published() == Said([0x40, 2, 0, 1, 0x40, 3, 0, 1, 0x91]))
    _ = scene.receive(publish(.v5, "a", qos: .exactlyOnce, id: 2))
    _ = scene.published()
    #expect(scene.receive(publish(.v5, "b", qos: .atLeastOnce, id: 2)) == Said([0x40, 3, 0, 2, 0x91]))
    #expect(scene.session.unreleased == [2])
    _ = scene.receive(subscribe(.v5, 3, ("f", 0)))
    #expect(scene.receive(publish(.v5, "b", qos: .exactlyOnce, id: 3)) == Said([0x50, 3, 0, 3, 0x91]))

    let old = ChannelScene.connected(.v311)
    _ = old.receive(publish(.v311, "a", qos: .exactlyOnce, id: 2))
    #expect(old.receive(publish(.v311, "a", qos: .atLeastOnce, id: 2)) == broken(.v311, 0x91))
  }

  @Test("Before 5.0 a message of QoS 1 that is sent again unacknowledged is published once and acknowledged once", arguments: [MQTTVersion.v31, .v311])
  func sentAgain(version: MQTTVersion) {
    let scene = ChannelScene.connected(version)
    let message = publish(version, "a", qos: .atLeastOnce, id: 1)
    #expect(scene.receive(message + publish(version, "a", qos: .atLeastOnce, id: 1, dup: true)) == Said([], "publish a m qos 1 id 1"))
    #expect(scene.published() == Said([0x40, 2, 0, 1]))
  }

  @Test("A message has all its properties, and owns them")
  func properties() throws {
    let scene = ChannelScene.connected(.v5, ChannelScene.settings { $0.topicAliasMaximum = 1 })
    _ = scene.receive(publish(.v5, "t", alias: 1) + publish(.v5, "", "hi", qos: .atLeastOnce, id: 1, alias: 1, PublishTests.properties))
    let request = try #require(scene.publishes.last)
    #expect(request.topic.text == "t" && request.payload.text == "hi")
    #expect(request.isPayloadText && request.messageExpiry == 60)
    #expect(request.contentType?.text == "t/p" && request.responseTopic?.text == "r" && request.correlationData?.array == [0, 9])
    #expect(request.userProperties == [MQTTUserProperty(Bytes("k"), Bytes("1")), MQTTUserProperty(Bytes("k"), Bytes("2"))])
    let plain = try #require(scene.publishes.first)
    #expect(plain.contentType == nil && plain.responseTopic == nil && plain.correlationData == nil && plain.messageExpiry == nil)
    #expect(plain.userProperties.isEmpty && !plain.isPayloadText && plain.packetIdentifier == 0)
  }

  @Test("Answers that come after the end still change what the session says", arguments: MQTTVersion.allCases)
  func lateAnswers(version: MQTTVersion) {
    let scene = ChannelScene.connected(version)
    _ = scene.receive(publish(version, "a", qos: .exactlyOnce, id: 5) + subscribe(version, 6, ("f", 1)))
    #expect(scene.lose() == .nothing)
    #expect(scene.published() == .nothing)
    #expect(scene.subscribed(.grantedQoS1) == .nothing)
    #expect(scene.session.unreleased == [5])
    #expect(scene.session.subscriptions.map(\.subscription) == [MQTTSubscription(Bytes("f"), .atLeastOnce)])
  }
}
