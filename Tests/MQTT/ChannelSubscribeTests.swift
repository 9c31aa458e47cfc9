import Core
import MQTT
import Testing

@Suite struct ChannelSubscribeTests {
  /// SUBACK.
  private func suback(_ version: MQTTVersion, _ id: UInt8, _ codes: UInt8...) -> [UInt8] {
    packet(0x90, [0, id] + (version == .v5 ? [0] : []) + codes)
  }

  private func unsuback(_ version: MQTTVersion, _ id: UInt8, _ codes: UInt8...) -> [UInt8] {
    packet(0xb0, [0, id] + (version == .v5 ? [0] + codes : []))
  }

  @Test("[MQTT-3.8.4-1], [MQTT-3.8.4-6], [MQTT-3.9.3-1] SUBACK has a code for each filter in their order", arguments: MQTTVersion.allCases)
  func subscribes(version: MQTTVersion) {
    let scene = ChannelScene.connected(version)
    #expect(scene.receive(subscribe(version, 1, ("a/+", 0), ("b/#", 1), ("c", 2))) == Said([], "subscribe a/+ 0, b/# 1, c 2"))
    #expect(scene.subscribed(.success, .notAuthorized, .grantedQoS1) == Said(suback(version, 1, 0, version == .v5 ? 0x87 : 0x80, 1)))
    #expect(scene.session.subscriptions.map(\.subscription) == [MQTTSubscription(Bytes("a/+"), .atMostOnce), MQTTSubscription(Bytes("c"), .atLeastOnce)])
    #expect(scene.counters[.notAuthorized] == 1)
  }

  @Test("Invalid filters are refused each for itself, and others asked about without them", arguments: MQTTVersion.allCases)
  func invalid(version: MQTTVersion) {
    let scene = ChannelScene.connected(version)
    let code: UInt8 = version == .v5 ? 0x8f : 0x80
    #expect(scene.receive(subscribe(version, 1, ("a/#/b", 0), ("ok", 1), ("x+", 0), ("$share//f", 0))) == Said([], "subscribe ok 1"))
    #expect(scene.subscribed(.grantedQoS1) == Said(suback(version, 1, code, 1, code, code)))
    #expect(scene.receive(subscribe(version, 2, ("#a", 0))) == Said(suback(version, 2, code)))
    #expect(scene.counters[.topicFilterInvalid] == 4)
    let long = String(repeating: "f", count: Topic.maximumLength + 1)
    #expect(scene.receive(subscribe(version, 3, (long, 0))) == Said(suback(version, 3, code)))
  }

  @Test("[MQTT-4.7.3-1] An empty filter is malformed", arguments: MQTTVersion.allCases)
  func empty(version: MQTTVersion) {
    #expect(ChannelScene.connected(version).receive(subscribe(version, 1, ("a", 0), ("", 0))) == broken(version, 0x81))
    #expect(ChannelScene.connected(version).receive(unsubscribe(version, 1, "")) == broken(version, 0x81))
  }

  @Test("[MQTT-3.8.3-2], [MQTT-3.10.3-2] SUBSCRIBE and UNSUBSCRIBE of nothing are protocol errors", arguments: MQTTVersion.allCases)
  func nothing(version: MQTTVersion) {
    #expect(ChannelScene.connected(version).receive(subscribe(version, 1)) == broken(version, 0x82))
    #expect(ChannelScene.connected(version).receive(unsubscribe(version, 1)) == broken(version, 0x82))
  }

  @Test("[MQTT-3.2.2-10] More QoS than is spoken is asked for in vain, not refused", arguments: MQTTVersion.allCases)
  func maximumQoS(version: MQTTVersion) {
    let scene = ChannelScene.connected(version, ChannelScene.settings { $0.maximumQoS = .atLeastOnce })
    #expect(scene.receive(subscribe(version, 1, ("a", 2), ("b", 0))) == Said([], "subscribe a 1, b 0"))
  }

  @Test("What is held is what was asked for last, in whatever order the answers come")
  func held() {
    let scene = ChannelScene.connected(.v5)
    _ = scene.receive(subscribe(.v5, 1, ("a", 0), ("b", 0)) + unsubscribe(.v5, 2, "a"))
    #expect(scene.unsubscribed(.success) == .nothing)
    #expect(scene.session.subscriptions.isEmpty)
    #expect(scene.subscribed(.success, .success) == Said(suback(.v5, 1, 0, 0) + unsuback(.v5, 2, 0)))
    #expect(scene.session.subscriptions.map(\.subscription.filter) == [Bytes("b")])
  }

  @Test("Answers go out in the order of the requests")
  func order() {
    let scene = ChannelScene.connected(.v5)
    _ = scene.receive(subscribe(.v5, 1, ("a", 0)) + unsubscribe(.v5, 2, "b") + subscribe(.v5, 3, ("c", 0)) + subscribe(.v5, 4, ("+d", 0)))
    #expect(scene.subscribed(.success, after: 1) == .nothing)
    #expect(scene.unsubscribed(.noSubscriptionExisted) == .nothing)
    #expect(scene.subscribed(.success) == Said(suback(.v5, 1, 0) + unsuback(.v5, 2, 0x11) + suback(.v5, 3, 0) + suback(.v5, 4, 0x8f)))
  }

  @Test("[MQTT-3.10.4-4], [MQTT-3.10.4-5], [MQTT-3.11.3-1] UNSUBACK is sent, with a code for each filter in 5.0", arguments: MQTTVersion.allCases)
  func unsubscribes(version: MQTTVersion) {
    let scene = ChannelScene.connected(version)
    _ = scene.receive(subscribe(version, 1, ("a", 0), ("b", 0)))
    _ = scene.subscribed(.success, .success)
    #expect(scene.receive(unsubscribe(version, 2, "a", "x", "b/#/c")) == Said([], "unsubscribe a, x"))
    #expect(scene.unsubscribed(.success, .noSubscriptionExisted) == Said(unsuback(version, 2, 0, 0x11, 0x8f)))
    #expect(scene.session.subscriptions.map(\.subscription.filter.text) == ["b"])
  }

  @Test("[MQTT-3.8.4-3] The same filter again replaces the subscription, and the shell is told that it was there")
  func replaces() {
    let scene = ChannelScene.connected(.v5)
    _ = scene.receive(subscribe(.v5, 1, ("a", 0), identifier: 7))
    _ = scene.subscribed(.success)
    #expect(scene.receive(subscribe(.v5, 2, ("a", 0x2d), ("b", 0), identifier: 8)) == Said([], "subscribe a 1 known, b 0 as 8"))
    _ = scene.subscribed(.grantedQoS1, .notAuthorized)
    var again = MQTTSubscription(Bytes("a"), .atLeastOnce)
    again.noLocal = true
    again.retainAsPublished = true
    again.retainHandling = .never
    #expect(scene.session.subscriptions == [MQTTSessionState.Subscription(again, identifier: 8)])
    // One that is refused leaves what was there.
    _ = scene.receive(subscribe(.v5, 3, ("a", 0)))
    _ = scene.subscribed(.notAuthorized)
    #expect(scene.session.subscriptions == [MQTTSessionState.Subscription(again, identifier: 8)])
  }

  @Test("Past the most subscriptions of a session: 0x97, and those asked about count")
  func maximum() {
    let scene = ChannelScene.connected(.v5, ChannelScene.settings { $0.maximumSubscriptions = 2 })
    #expect(scene.receive(subscribe(.v5, 1, ("a", 0))) == Said([], "subscribe a 0"))
    #expect(scene.receive(subscribe(.v5, 2, ("b", 0), ("c", 0))) == Said([], "subscribe b 0"))
    #expect(scene.subscribed(.success) == Said(suback(.v5, 1, 0)))
    #expect(scene.subscribed(.success) == Said(suback(.v5, 2, 0, 0x97)))
    #expect(scene.receive(subscribe(.v5, 3, ("a", 1))) == Said([], "subscribe a 1 known"))
    _ = scene.subscribed(.notAuthorized)
    _ = scene.receive(unsubscribe(.v5, 4, "a"))
    _ = scene.unsubscribed(.success)
    #expect(scene.receive(subscribe(.v5, 5, ("c", 0))) == Said([], "subscribe c 0"))
    // What was refused takes no room.
    _ = scene.subscribed(.notAuthorized)
    #expect(scene.receive(subscribe(.v5, 6, ("c", 0))) == Said([], "subscribe c 0"))
  }

  @Test("[MQTT-4.8.2-1], [MQTT-4.8.2-2] Shared subscriptions are taken apart, and refused with 0x9E where there are none")
  func shared() throws {
    let scene = ChannelScene.connected(.v5)
    #expect(scene.receive(subscribe(.v5, 1, ("$share/g/a/+", 1), ("$share/g", 0), ("$share/g+/a", 0), ("$share/g/a#", 0), ("$shared/g/a", 0)))
      == Said([], "subscribe $share/g/a/+ 1, $shared/g/a 0"))
    #expect(scene.subscribed(.grantedQoS1, .success) == Said(suback(.v5, 1, 1, 0x8f, 0x8f, 0x8f, 0)))
    let filter = try #require(MQTTSharedFilter(Bytes("$share/g/a/+")))
    #expect(filter.group.text == "g" && filter.filter.text == "a/+")
    for text in ["$share/g/", "$share/", "share/g/a", "$share//a", "$share/#/a"] { #expect(MQTTSharedFilter(Bytes(text)) == nil, "\(text)") }

    let without = ChannelScene.settings { $0.isSharedSubscriptionAvailable = false }
    for version in [MQTTVersion.v311, .v5] {
      let alone = ChannelScene.connected(version, without)
      #expect(alone.receive(subscribe(version, 1, ("$share/g/a", 0))) == Said(suback(version, 1, version == .v5 ? 0x9e : 0x80)))
      #expect(alone.receive(unsubscribe(version, 2, "$share/g/a")) == Said(unsuback(version, 2, 0x11)))
    }
  }

  @Test("[MQTT-3.8.3-4] No local on a shared subscription is a protocol error")
  func sharedNoLocal() {
    #expect(ChannelScene.connected(.v5).receive(subscribe(.v5, 1, ("$share/g/a", 4))) == broken(.v5, 0x82))
    #expect(ChannelScene.connected(.v5).receive(subscribe(.v5, 1, ("a", 4))).actions == ["subscribe a 0"])
  }

  @Test("[MQTT-2.2.1-3] An identifier in use is refused with 0x91; before 5.0 it ends the connection, but 3.1 may ask again")
  func identifierInUse() {
    let scene = ChannelScene.connected(.v5)
    _ = scene.receive(subscribe(.v5, 1, ("a", 0)) + publish(.v5, "a", qos: .atLeastOnce, id: 2))
    #expect(scene.receive(subscribe(.v5, 2, ("b", 0), ("c", 0)) + unsubscribe(.v5, 1, "a")) == .nothing)
    #expect(scene.subscribed(.success) == Said(suback(.v5, 1, 0) + suback(.v5, 2, 0x91, 0x91) + unsuback(.v5, 1, 0x91)))
    #expect(scene.session.subscriptions.count == 1)

    let old = ChannelScene.connected(.v311)
    _ = old.receive(subscribe(.v311, 1, ("a", 0)))
    #expect(old.receive(subscribe(.v311, 1, ("a", 0))) == broken(.v311, 0x91))
    let oldest = ChannelScene.connected(.v31)
    #expect(oldest.receive(subscribe(.v31, 1, ("a", 0)) + [0x8a] + subscribe(.v31, 1, ("a", 0)).dropFirst()) == Said([], "subscribe a 0", "subscribe a 0"))
    #expect(oldest.subscribed(.success) == Said(suback(.v31, 1, 0)))
    #expect(oldest.subscribed(.success) == Said(suback(.v31, 1, 0)))
  }

  @Test("A reason is told in 5.0 to who wants reasons")
  func reason() {
    let scene = ChannelScene.connected(.v5) { $0.properties.requestProblemInformation = nil }
    _ = scene.receive(subscribe(.v5, 1, ("a", 0)))
    #expect(scene.subscribed(.quotaExceeded, text: "no") == Said(wire(0x90, 9, 0, 1, 5, 0x1f, 0, 2, "no", 0x97)))
    let quiet = ChannelScene.connected(.v5)
    _ = quiet.receive(subscribe(.v5, 1, ("a", 0)))
    #expect(quiet.subscribed(.quotaExceeded, text: "no") == Said(suback(.v5, 1, 0x97)))
  }

  @Test("Past the most unanswered requests nothing is taken until there are answers")
  func unanswered() {
    let scene = ChannelScene.connected(.v311, ChannelScene.settings { $0.maximumUnansweredRequests = 1 })
    #expect(scene.receive(subscribe(.v311, 1, ("a", 0)) + [0xc0, 0]) == Said([], "subscribe a 0"))
    #expect(scene.isPaused)
    #expect(scene.subscribed(.success) == Said(suback(.v311, 1, 0)))
    #expect(scene.receive([]) == Said([0xd0, 0]))
  }
}
