import Core
import MQTT
import Testing

@Suite struct ChannelConnectTests {
  static let accepted: [MQTTVersion: [UInt8]] = [.v31: [0x20, 2, 0, 0], .v311: [0x20, 2, 0, 0], .v5: [0x20, 3, 0, 0, 0]]

  /// A CONNECT of `version`, answered as far as the channel answers alone.
  private func meet(
    _ version: MQTTVersion, _ settings: MQTTChannelSettings = ChannelScene.plain, _ change: (inout MQTTConnect) -> Void
  ) -> (ChannelScene, Said) {
    let scene = ChannelScene(version, settings)
    var connect = MQTTConnect(version, clientIdentifier: Bytes("c"))
    change(&connect)
    return (scene, scene.receive(written { connect.append(into: &$0) }))
  }

  @Test("Nothing is taken between CONNECT and its answer, then all that was sent behind it", arguments: MQTTVersion.allCases)
  func waits(version: MQTTVersion) {
    let scene = ChannelScene(version)
    #expect(scene.receive(hello(version) + [0xc0, 0, 0xc0]) == Said([], "connect c"))
    #expect(scene.isPaused)
    #expect(scene.deadline == nil)
    #expect(scene.rest == [0xc0, 0, 0xc0])
    #expect(scene.receive([]) == .nothing)
    #expect(scene.accept() == Said(ChannelConnectTests.accepted[version, default: []]))
    #expect(scene.receive([]) == Said([0xd0, 0]))
    #expect(scene.receive([0]) == Said([0xd0, 0]))
    // Too late for a second answer.
    #expect(scene.accept() == .nothing)
    #expect(scene.refuse(.notAuthorized) == .nothing)
  }

  @Test("[MQTT-3.1.0-1] What comes first and is no CONNECT is closed upon without a word")
  func stranger() {
    for bytes in [[0xc0, 0], publish(.v311, "a"), Array("GET / HTTP/1.1\r\n".utf8)] {
      let scene = ChannelScene(.v311)
      #expect(scene.receive(bytes) == Said([], "close"))
      #expect(scene.counters.strangers == 1)
      #expect(scene.receive(hello(.v311)) == .nothing)
    }
  }

  @Test("[MQTT-3.1.0-2] A second CONNECT is a protocol error", arguments: MQTTVersion.allCases)
  func second(version: MQTTVersion) {
    let scene = ChannelScene.connected(version)
    #expect(scene.receive(hello(version)) == broken(version, 0x82))
    #expect(scene.counters[.protocolError] == 1)
  }

  @Test("[MQTT-3.1.2-2] An unknown version is told so, in the nearest version that is spoken")
  func unknownVersion() {
    #expect(ChannelScene(.v311).receive(wire(0x10, 13, 0, 4, "MQTT", 2, 2, 0, 0, 0, 1, "c")) == Said([0x20, 2, 0, 1], "close"))
    let sentence = "Only MQTT 3.1, 3.1.1 and 5.0 are spoken here."
    let scene = ChannelScene(.v5)
    let properties = [0x1f] + field(Array(sentence.utf8))
    let refusal = packet(0x20, [0, 0x84] + variable(properties.count) + properties)
    #expect(scene.receive(wire(0x10, 14, 0, 4, "MQTT", 6, 2, 0, 0, 0, 0, 1, "c")) == Said(refusal, "close"))
    #expect(scene.counters[.unsupportedProtocolVersion] == 1)
  }

  @Test("A malformed CONNECT is told so in 5.0, where its version is known; before, it is closed upon")
  func malformed() {
    let said = ChannelScene(.v5).receive(wire(0x10, 14, 0, 4, "MQTT", 5, 3, 0, 0, 0, 0, 1, "c"))
    #expect(said.bytes.prefix(4) == [0x20, UInt8(said.bytes.count - 2), 0, 0x81])
    #expect(said.actions == ["close"])
    #expect(ChannelScene(.v311).receive(wire(0x10, 13, 0, 4, "MQTT", 4, 3, 0, 0, 0, 1, "c")) == Said([], "close"))
  }

  @Test("[MQTT-3.1.3-8 of 3.1.1] An empty client identifier needs a clean session in 3.1.1 and is never right in 3.1")
  func emptyIdentifier() {
    for (version, isClean) in [(MQTTVersion.v31, true), (.v31, false), (.v311, false)] {
      let (scene, said) = meet(version) {
        $0.clientIdentifier = Bytes()
        $0.isCleanStart = isClean
      }
      #expect(said == Said([0x20, 2, 0, 2], "close"), "\(version)")
      #expect(scene.counters[.clientIdentifierNotValid] == 1)
    }
    var acceptance = MQTTAcceptance()
    acceptance.assignedClientIdentifier = Bytes("made-up")
    let (scene, said) = meet(.v311) { $0.clientIdentifier = Bytes() }
    #expect(said == Said([], "connect "))
    #expect(scene.accept(acceptance) == Said([0x20, 2, 0, 0]))
  }

  @Test("[MQTT-3.1.3-6], [MQTT-3.1.3-7] 5.0 is told the client identifier that was made up, with a clean start or without", arguments: [true, false])
  func assigned(isClean: Bool) {
    let (scene, _) = meet(.v5) {
      $0.clientIdentifier = Bytes()
      $0.isCleanStart = isClean
    }
    var acceptance = MQTTAcceptance()
    acceptance.assignedClientIdentifier = Bytes("id")
    #expect(scene.accept(acceptance) == Said(wire(0x20, 8, 0, 0, 5, 0x12, 0, 2, "id")))
    // Who has one is told none.
    let (named, _) = meet(.v5) { $0.isCleanStart = isClean }
    #expect(named.accept(acceptance) == Said([0x20, 3, 0, 0, 0]))
  }

  @Test("A client identifier longer than the bound is refused, one as long is not")
  func longIdentifier() {
    let bound = MQTTChannelSettings.clientIdentifierSize
    #expect(meet(.v311) { $0.clientIdentifier = Bytes(String(repeating: "x", count: bound + 1)) }.1 == Said([0x20, 2, 0, 2], "close"))
    #expect(meet(.v311) { $0.clientIdentifier = Bytes(String(repeating: "x", count: bound)) }.1.actions.count == 1)
  }

  @Test("[MQTT-3.2.2-2], [MQTT-3.2.2-3] A session that is taken up again is told, but in 3.1", arguments: MQTTVersion.allCases)
  func sessionPresent(version: MQTTVersion) {
    let scene = ChannelScene.connected(version, session: MQTTSessionState())
    let expected: [UInt8] =
      switch version {
      case .v31: [0x20, 2, 0, 0]
      case .v311: [0x20, 2, 1, 0]
      case .v5: [0x20, 3, 1, 0, 0]
      }
    #expect(scene.acceptanceAnswer == Said(expected))
  }

  @Test("[MQTT-4.12.0-1] An authentication method is refused: bad authentication method")
  func authentication() {
    let (_, said) = meet(.v5) {
      $0.properties.authenticationMethod = Bytes("SCRAM")
      $0.properties.requestProblemInformation = false
    }
    #expect(said == Said([0x20, 3, 0, 0x8c, 0], "close"))
  }

  @Test("[MQTT-4.12.0-7] AUTH is a protocol error, and before 5.0 no packet at all", arguments: MQTTVersion.allCases)
  func auth(version: MQTTVersion) {
    let auth = wire(0xf0, 6, 0x18, 4, 0x15, 0, 1, "M")
    #expect(ChannelScene.connected(version).receive(auth) == broken(version, 0x82))
  }

  @Test("CONNACK announces what differs from what the protocol takes for granted, in the order of its section")
  func announced() {
    var settings = MQTTChannelSettings()
    settings.maximumKeepAlive = 30
    settings.receiveMaximum = 9
    settings.maximumPacketSize = 0x10000
    settings.maximumQoS = .atLeastOnce
    settings.topicAliasMaximum = 5
    settings.isRetainAvailable = false
    settings.isSharedSubscriptionAvailable = false
    settings.sessionExpiryMaximum = 60
    let (scene, _) = meet(.v5, settings) {
      $0.keepAlive = 31
      $0.properties.sessionExpiry = 61
      $0.properties.requestResponseInformation = true
    }
    var acceptance = MQTTAcceptance()
    acceptance.responseInformation = Bytes("ri")
    acceptance.userProperties = [MQTTUserProperty(Bytes("k"), Bytes("v"))]
    let properties =
      wire(0x11, 0, 0, 0, 60, 0x21, 0, 9, 0x24, 1, 0x25, 0, 0x27, 0, 1, 0, 0, 0x22, 0, 5, 0x26, 0, 1, "k", 0, 1, "v", 0x2a, 0)
      + wire(0x13, 0, 30, 0x1a, 0, 2, "ri")
    #expect(scene.accept(acceptance) == Said(packet(0x20, [0, 0, UInt8(properties.count)] + properties)))
    #expect(scene.sessionExpiry == 60)
  }

  @Test("[MQTT-3.1.2-28] Response information is for who asked for it")
  func responseInformation() {
    let (scene, _) = meet(.v5) { _ in }
    var acceptance = MQTTAcceptance()
    acceptance.responseInformation = Bytes("ri")
    #expect(scene.accept(acceptance) == Said([0x20, 3, 0, 0, 0]))
  }

  @Test("Before 5.0 CONNACK announces nothing, whatever the settings", arguments: [MQTTVersion.v31, .v311])
  func unannounced(version: MQTTVersion) {
    #expect(ChannelScene.connected(version, MQTTChannelSettings()).acceptanceAnswer == Said([0x20, 2, 0, 0]))
  }

  @Test("[MQTT-3.2.2-12], [MQTT-3.2.2-13] A will beyond what is spoken is refused with the reason; before 5.0 there is none to tell")
  func will() {
    let settings = ChannelScene.settings {
      $0.maximumQoS = .atLeastOnce
      $0.isRetainAvailable = false
    }
    let offences: [(UInt8, (inout MQTTWill) -> Void)] = [
      (0x9b, { $0.qos = .exactlyOnce }), (0x9a, { $0.isRetained = true }), (0x90, { $0.topic = Bytes("a/+") }), (0x90, { $0.topic = Bytes() }),
    ]
    for (code, offend) in offences {
      for version in MQTTVersion.allCases {
        let (_, said) = meet(version, settings) {
          var will = MQTTWill(topic: Bytes("w"), payload: Bytes("gone"))
          offend(&will)
          $0.will = will
          if version == .v5 { $0.properties.requestProblemInformation = false }
        }
        #expect(said == Said(version == .v5 ? [0x20, 3, 0, code, 0] : [], "close"))
      }
    }
    let (_, said) = meet(.v5) {
      var will = MQTTWill(topic: Bytes("w"), payload: Bytes([0xff]))
      will.properties.isPayloadText = true
      $0.will = will
      $0.properties.requestProblemInformation = false
    }
    #expect(said == Said([0x20, 3, 0, 0x99, 0], "close"))
  }

  @Test("[MQTT-3.2.2-6] A refusal is told as the version can")
  func refusals() {
    func refused(_ version: MQTTVersion, _ reason: MQTTReasonCode, _ text: String? = nil, reference: String? = nil) -> Said {
      meet(version) { _ in }.0.refuse(reason, text, serverReference: reference)
    }
    #expect(refused(.v311, .badUserNameOrPassword) == Said([0x20, 2, 0, 4], "close"))
    #expect(refused(.v311, .notAuthorized, "no") == Said([0x20, 2, 0, 5], "close"))
    #expect(refused(.v31, .serverShuttingDown) == Said([0x20, 2, 0, 3], "close"))
    #expect(refused(.v311, .quotaExceeded) == Said([], "close"))
    #expect(refused(.v5, .notAuthorized, "no\0!") == Said(wire(0x20, 9, 0, 0x87, 6, 0x1f, 0, 3, "no!"), "close"))
    #expect(refused(.v5, .useAnotherServer, reference: "b:1") == Said(wire(0x20, 9, 0, 0x9c, 6, 0x1c, 0, 3, "b:1"), "close"))
    #expect(refused(.v5, .sessionTakenOver) == Said([0x20, 3, 0, 0x80, 0], "close"))
  }

  @Test("[MQTT-3.1.2-24] A client that takes no packet as large as CONNACK is not connected")
  func tinyPackets() {
    let (scene, _) = meet(.v5) {
      $0.properties.maximumPacketSize = 4
      $0.will = MQTTWill(topic: Bytes("w"), payload: Bytes())
    }
    #expect(scene.accept() == Said([], "close"))
    #expect(scene.counters.answersTooLarge == 1)
    let (fitting, _) = meet(.v5) { $0.properties.maximumPacketSize = 5 }
    var acceptance = MQTTAcceptance()
    // [MQTT-3.2.2-20].
    acceptance.userProperties = [MQTTUserProperty(Bytes("k"), Bytes("v"))]
    #expect(fitting.accept(acceptance) == Said([0x20, 3, 0, 0, 0]))
  }

  @Test("A session's expiry is what the client wishes, within what is kept; before 5.0 it follows from the clean session")
  func expiry() {
    let settings = ChannelScene.settings { $0.sessionExpiryMaximum = 100 }
    #expect(ChannelScene.connected(.v311, settings).sessionExpiry == 0)
    #expect(ChannelScene.connected(.v311, settings) { $0.isCleanStart = false }.sessionExpiry == 100)
    let five = ChannelScene.connected(.v5, settings) { $0.properties.sessionExpiry = 50 }
    #expect(five.sessionExpiry == 50)
    #expect(five.acceptanceAnswer == Said([0x20, 3, 0, 0, 0]))
    #expect(ChannelScene.connected(.v5, settings) { $0.properties.sessionExpiry = 0xffff_ffff }.sessionExpiry == 100)
    #expect(ChannelScene.connected(.v5) { $0.properties.sessionExpiry = 9 }.acceptanceAnswer == Said([0x20, 8, 0, 0, 5, 0x11, 0, 0, 0, 0]))
  }

  @Test("A connection lost while it is asked about sends nothing more, and has no will")
  func lostWhileAsked() {
    let (scene, _) = meet(.v5) { $0.will = MQTTWill(topic: Bytes("w"), payload: Bytes()) }
    #expect(scene.lose() == .nothing)
    #expect(scene.accept() == .nothing)
    #expect(scene.isClosed)
  }
}
