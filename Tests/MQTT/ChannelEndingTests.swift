import Core
import MQTT
import Testing

@Suite struct ChannelEndingTests {
  private func withWill(
    _ version: MQTTVersion, keepAlive: UInt16 = 0, delay: UInt32? = nil, expiry: UInt32? = nil, _ settings: MQTTChannelSettings = ChannelScene.plain
  ) -> ChannelScene {
    ChannelScene.connected(version, settings) {
      var will = MQTTWill(topic: Bytes("w"), payload: Bytes("gone"))
      will.properties.willDelay = delay
      $0.will = will
      $0.keepAlive = keepAlive
      $0.properties.sessionExpiry = expiry
    }
  }

  @Test("[MQTT-3.1.2-8] A connection that is lost leaves its will", arguments: MQTTVersion.allCases)
  func lost(version: MQTTVersion) {
    let scene = withWill(version)
    #expect(scene.lose() == Said([], "will w in 0"))
    #expect(scene.lose() == .nothing)
    #expect(scene.end(.serverShuttingDown) == .nothing)
    #expect(scene.wills.first?.payload.text == "gone")
  }

  @Test("[MQTT-3.14.4-3], [MQTT-3.1.2-10] DISCONNECT takes the will away", arguments: MQTTVersion.allCases)
  func disconnected(version: MQTTVersion) {
    let scene = withWill(version)
    #expect(scene.receive([0xe0, 0] + publish(version, "a")) == Said([], "close"))
    #expect(scene.lose() == .nothing)
    #expect(scene.deadline == nil)
  }

  @Test("DISCONNECT with any other reason leaves the will")
  func disconnectedWithWill() {
    #expect(withWill(.v5).receive([0xe0, 1, 0x04]) == Said([], "will w in 0", "close"))
    #expect(withWill(.v5).receive([0xe0, 1, 0x80]) == Said([], "will w in 0", "close"))
    #expect(withWill(.v5).receive([0xe0, 1, 0x00]) == Said([], "close"))
  }

  @Test("Section 3.1.3.2.2: a will waits for its delay or the end of the session, whichever is first")
  func delay() {
    let settings = ChannelScene.settings { $0.sessionExpiryMaximum = 100 }
    #expect(withWill(.v5, delay: 20, expiry: 50, settings).lose() == Said([], "will w in 20"))
    #expect(withWill(.v5, delay: 60, expiry: 50, settings).lose() == Said([], "will w in 50"))
    #expect(withWill(.v5, delay: 0xffff_ffff, expiry: 0xffff_ffff, settings).lose() == Said([], "will w in 100"))
    #expect(withWill(.v5, delay: 20, settings).lose() == Said([], "will w in 0"))
    // The session expiry of the DISCONNECT counts.
    #expect(withWill(.v5, delay: 20, expiry: 50, settings).receive([0xe0, 7, 4, 5, 0x11, 0, 0, 0, 9]) == Said([], "will w in 9", "close"))
  }

  @Test("Section 3.14.2.2.2 DISCONNECT may change the session's expiry, but not keep a session that was to end")
  func expiry() {
    let settings = ChannelScene.settings { $0.sessionExpiryMaximum = 100 }
    func disconnect(_ expiry: UInt8) -> [UInt8] { [0xe0, 7, 0, 5, 0x11, 0, 0, 0, expiry] }
    let scene = withWill(.v5, expiry: 50, settings)
    #expect(scene.receive(disconnect(200)) == Said([], "close"))
    #expect(scene.sessionExpiry == 100)
    let ended = withWill(.v5, expiry: 50, settings)
    #expect(ended.receive(disconnect(0)) == Said([], "close"))
    #expect(ended.sessionExpiry == 0)
    #expect(withWill(.v5, settings).receive(disconnect(0)) == Said([], "close"))
    let wrong = withWill(.v5, settings)
    #expect(wrong.receive(disconnect(1)) == broken(.v5, 0x82, then: "will w in 0"))
    #expect(wrong.sessionExpiry == 0)
  }

  @Test("[MQTT-3.1.2-22] 1.5 times the keep-alive without a packet ends the connection, and the will is due", arguments: MQTTVersion.allCases)
  func keepAlive(version: MQTTVersion) {
    let scene = withWill(version, keepAlive: 10)
    #expect(scene.wait(milliseconds: 14_999) == .nothing)
    #expect(scene.receive([0xc0, 0]) == Said([0xd0, 0]))
    #expect(scene.deadline == scene.now + .seconds(15))
    // Bytes that are no packet yet do not count.
    #expect(scene.wait(milliseconds: 10_000) == .nothing)
    #expect(scene.receive([0xc0]) == .nothing)
    #expect(scene.wait(milliseconds: 4_999) == .nothing)
    #expect(scene.wait(milliseconds: 1) == broken(version, 0x8d, then: "will w in 0"))
    #expect(scene.counters[.keepAliveTimeout] == 1)
    #expect(scene.wait(milliseconds: 100_000) == .nothing)
  }

  @Test("[MQTT-3.2.2-21] A server keep-alive is what counts; before 5.0 it bounds how long is waited; 0 is never")
  func serverKeepAlive() {
    let settings = ChannelScene.settings { $0.maximumKeepAlive = 20 }
    for asked: UInt16 in [0, 21, 0xffff] {
      let scene = withWill(.v5, keepAlive: asked, settings)
      #expect(scene.acceptanceAnswer == Said([0x20, 6, 0, 0, 3, 0x13, 0, 20]))
      #expect(scene.deadline == scene.now + .seconds(30))
      #expect(withWill(.v311, keepAlive: asked, settings).deadline == scene.now + .seconds(30))
    }
    let short = withWill(.v5, keepAlive: 20, settings)
    #expect(short.acceptanceAnswer == Said([0x20, 3, 0, 0, 0]))
    #expect(withWill(.v5, keepAlive: 0).deadline == nil)
    #expect(withWill(.v5, keepAlive: 1).deadline == Instant.zero + .milliseconds(1500))
  }

  @Test("A client that is not listened to is not held for dead")
  func keepAliveWhilePaused() {
    let scene = ChannelScene.connected(.v311, ChannelScene.settings { $0.maximumUnansweredMessages = 1 }) { $0.keepAlive = 10 }
    #expect(scene.receive(publish(.v311, "a", qos: .atLeastOnce, id: 1)).actions.count == 1)
    #expect(scene.deadline == nil)
    #expect(scene.wait(milliseconds: 60_000) == .nothing)
    #expect(scene.published() == Said([0x40, 2, 0, 1]))
    #expect(scene.deadline == scene.now + .seconds(15))
    #expect(scene.wait(milliseconds: 14_999) == .nothing)
  }

  @Test("Who sends no CONNECT in time is closed upon, and so is who sends one too slowly")
  func connectTimeout() {
    for start in [[], Array(hello(.v5).dropLast())] {
      let scene = ChannelScene(.v5, ChannelScene.settings { $0.connectTimeout = .seconds(5) })
      #expect(scene.wait(milliseconds: 4_000) == .nothing)
      #expect(scene.receive(start) == .nothing)
      #expect(scene.wait(milliseconds: 999) == .nothing)
      #expect(scene.wait(milliseconds: 1) == Said([], "close"))
      #expect(scene.counters.connectTimeouts == 1)
    }
  }

  @Test("The shell ends a connection with a reason and another place to go, where the version has them")
  func ended() {
    let reference = wire(0xe0, 11, 0x9d, 9, 0x1c, 0, 6, "b:1883")
    #expect(ChannelScene.connected(.v5).end(.serverMoved, "drained", serverReference: "b:1883") == Said(reference, "close"))
    let talking = ChannelScene.connected(.v5) { $0.properties.requestProblemInformation = nil }
    #expect(talking.end(.sessionTakenOver, "new") == Said(wire(0xe0, 8, 0x8e, 6, 0x1f, 0, 3, "new"), "close"))
    #expect(withWill(.v311).end(.serverShuttingDown, "drained") == Said([], "will w in 0", "close"))
    // Not a code that DISCONNECT has.
    #expect(ChannelScene.connected(.v5).end(.packetIdentifierInUse) == Said([0xe0, 1, 0x80], "close"))
    // Before CONNECT there is nobody to tell, before CONNACK there is CONNACK.
    #expect(ChannelScene(.v5).end(.serverShuttingDown) == Said([], "close"))
    let asked = ChannelScene(.v5)
    _ = asked.receive(hello(.v5))
    #expect(asked.end(.serverShuttingDown) == Said([0x20, 3, 0, 0x88, 0], "close"))
    let old = ChannelScene(.v311)
    _ = old.receive(hello(.v311))
    #expect(old.end(.serverShuttingDown) == Said([0x20, 2, 0, 3], "close"))
  }

  @Test("[MQTT-4.13.1-1] Every refusal of the decoder is told in 5.0 with its code, and closes in every version")
  func decodeFailures() {
    var codes: Set<UInt8> = []
    for offence in RefusalTests.offences where offence.role == .server {
      for version in offence.versions {
        let scene = withWill(version)
        let said = scene.receive(offence.bytes)
        let code = offence.failure.reasonCode.rawValue
        #expect(said == broken(version, code, then: "will w in 0"), "\(offence.failure)")
        #expect(scene.counters[offence.failure.reasonCode] == 1)
        codes.insert(code)
      }
    }
    #expect(codes.isSuperset(of: [0x81, 0x82]))
  }

  @Test("[MQTT-3.2.2-15] A packet larger than was announced: 0x95", arguments: MQTTVersion.allCases)
  func tooLarge(version: MQTTVersion) {
    let scene = ChannelScene.connected(version, ChannelScene.settings { $0.maximumPacketSize = 50 })
    #expect(scene.receive(publish(version, "a", String(repeating: "x", count: 44))).actions.count == 1)
    #expect(scene.receive([0x30, 49]) == broken(version, 0x95))
  }

  @Test("[MQTT-3.1.2-29] Who wants no problem information gets no reason strings, all others do")
  func reasons() {
    let talking = ChannelScene.connected(.v5) { $0.properties.requestProblemInformation = true }
    let sentence = "CONNECT was sent twice."
    let properties = [0x1f] + field(Array(sentence.utf8))
    let told = packet(0xe0, [0x82] + variable(properties.count) + properties)
    #expect(talking.receive(hello(.v5)) == Said(told, "close"))
    // One that is too large for the client is left out.
    let small = ChannelScene.connected(.v5) {
      $0.properties.requestProblemInformation = nil
      $0.properties.maximumPacketSize = UInt32(told.count - 1)
    }
    #expect(small.receive(hello(.v5)) == Said([0xe0, 1, 0x82], "close"))
  }

  @Test("[MQTT-3.14.4-1] Nothing is taken or answered after the end", arguments: MQTTVersion.allCases)
  func afterwards(version: MQTTVersion) {
    let scene = ChannelScene.connected(version)
    scene.deliver("a", qos: .exactlyOnce, token: 3)
    _ = scene.receive(publish(version, "a", qos: .atLeastOnce, id: 1) + subscribe(version, 2, ("f", 0)) + unsubscribe(version, 3, "f"))
    _ = scene.end(.administrativeAction)
    #expect(scene.receive(hello(version) + [0xc0, 0]) == .nothing)
    #expect(scene.rest == [])
    #expect(scene.published() == .nothing)
    #expect(scene.subscribed(.success) == .nothing)
    #expect(scene.unsubscribed(.success) == .nothing)
    #expect(scene.redeliver("a", token: 3, expecting: .notConnected) == .nothing)
    #expect(scene.abandon(3) == .nothing)
    #expect(!scene.isPaused)
  }
}
