import Core
import MQTT
import Testing

/// A session that goes on over another connection.
@Suite struct ChannelResumeTests {
  private func inFlight(_ id: UInt16, _ token: UInt64, _ qos: MQTTQoS, received: Bool = false) -> MQTTSessionState.InFlight {
    MQTTSessionState.InFlight(packetIdentifier: id, token: token, qos: qos, isReceived: received)
  }

  private let four: MQTTSessionState = {
    var session = MQTTSessionState()
    session.inFlight = [
      MQTTSessionState.InFlight(packetIdentifier: 5, token: 50, qos: .atLeastOnce),
      MQTTSessionState.InFlight(packetIdentifier: 6, token: 60, qos: .exactlyOnce, isReceived: true),
      MQTTSessionState.InFlight(packetIdentifier: 7, token: 70, qos: .exactlyOnce),
      MQTTSessionState.InFlight(packetIdentifier: 9, token: 90, qos: .atLeastOnce),
    ]
    session.nextPacketIdentifier = 10
    return session
  }()

  @Test("[MQTT-4.4.0-1], [MQTT-4.6.0-1], [MQTT-3.3.1-1] What is not acknowledged is sent again in its order, marked so", arguments: MQTTVersion.allCases)
  func resends(version: MQTTVersion) {
    let scene = ChannelScene.connected(version, session: four)
    let hello: [UInt8] = version == .v5 ? [0x20, 3, 1, 0, 0] : [0x20, 2, version == .v31 ? 0 : 1, 0]
    #expect(scene.acceptanceAnswer == Said(hello + [0x62, 2, 0, 6], "resend 50 qos 1 id 5", "resend 70 qos 2 id 7", "resend 90 qos 1 id 9"))
    // New ones wait for the old ones.
    #expect(scene.window == 0)
    #expect(scene.redeliver("a", token: 50) == Said(written(MQTTPublishHead(qos: .atLeastOnce, isDuplicate: true, packetIdentifier: 5), version, "a", "m")))
    #expect(scene.redeliver("b", token: 70) == Said(written(MQTTPublishHead(qos: .exactlyOnce, isDuplicate: true, packetIdentifier: 7), version, "b", "m")))
    #expect(scene.window == 0)
    #expect(scene.redeliver("c", token: 90).bytes.first == 0x3a)
    #expect(scene.window == 1020)
    #expect(scene.deliver("d", qos: .atLeastOnce, token: 1) == Said(written(MQTTPublishHead(qos: .atLeastOnce, packetIdentifier: 10), version, "d", "m")))
    #expect(scene.receive(ack(.complete, 6) + ack(.acknowledged, 5) + ack(.received, 7)) == Said([0x62, 2, 0, 7], "acknowledged 60", "acknowledged 50", "received 70"))
    #expect(scene.session.inFlight.map(\.token) == [70, 90, 1])
  }

  @Test("Nothing is sent again without a resumed session")
  func nothingElse() {
    let scene = ChannelScene.connected(.v311)
    scene.deliver("a", qos: .atLeastOnce, token: 1)
    #expect(scene.wait(milliseconds: 10_000_000) == .nothing)
  }

  @Test("The client's receive maximum of the new connection holds for what is sent again")
  func paced() {
    let scene = ChannelScene.connected(.v5, session: four) { $0.properties.receiveMaximum = 1 }
    #expect(scene.acceptanceAnswer.actions == ["resend 50 qos 1 id 5"])
    #expect(scene.redeliver("a", token: 50).bytes.first == 0x3a)
    // PUBCOMP for what was not sent over this connection gives nothing.
    #expect(scene.receive(ack(.complete, 6)) == Said([], "acknowledged 60"))
    #expect(scene.receive(ack(.acknowledged, 5)) == Said([], "acknowledged 50", "resend 70 qos 2 id 7"))
    _ = scene.redeliver("b", token: 70)
    #expect(scene.receive(ack(.received, 7)) == Said([0x62, 2, 0, 7], "received 70"))
    #expect(scene.receive(ack(.complete, 7)) == Said([], "acknowledged 70", "resend 90 qos 1 id 9"))
    #expect(scene.window == 0)
    _ = scene.redeliver("c", token: 90)
    #expect(scene.window == 0)
    _ = scene.receive(ack(.acknowledged, 9))
    #expect(scene.window == 1)
  }

  @Test("What the client acknowledges before it is sent again is not sent again")
  func acknowledgedMeanwhile() {
    let scene = ChannelScene.connected(.v5, session: four)
    #expect(scene.receive(ack(.acknowledged, 5) + ack(.received, 7)) == Said([0x62, 2, 0, 7], "acknowledged 50", "received 70"))
    #expect(scene.redeliver("a", token: 50) == .nothing)
    #expect(scene.redeliver("b", token: 70) == .nothing)
    #expect(scene.redeliver("c", token: 90).bytes.count == 9)
    #expect(scene.window == 1021)
  }

  @Test("What is no more, or is larger than the client now takes, is forgotten, and the next is asked for")
  func gone() {
    let scene = ChannelScene.connected(.v5, session: four) {
      $0.properties.receiveMaximum = 1
      $0.properties.maximumPacketSize = 10
    }
    #expect(scene.abandon(50) == Said([], "resend 70 qos 2 id 7"))
    #expect(scene.redeliver("a", "too large", token: 70, expecting: .tooLarge) == Said([], "resend 90 qos 1 id 9"))
    #expect(scene.abandon(90) == .nothing)
    #expect(scene.session.inFlight == [inFlight(6, 60, .exactlyOnce, received: true)])
    #expect(scene.window == 1)
    #expect(scene.abandon(1) == .nothing)
  }

  @Test("Many are sent again in order, some of them done or gone meanwhile")
  func many() {
    var session = MQTTSessionState()
    session.inFlight = (1...2000).map { inFlight(UInt16($0), UInt64($0), $0 % 3 == 0 ? .exactlyOnce : .atLeastOnce) }
    let scene = ChannelScene.connected(.v311, ChannelScene.settings { $0.maximumInFlight = 0xffff }, session: session)
    #expect(scene.acceptanceAnswer.actions.count == 2000)
    var sent = 0
    for token in UInt64(1)...2000 {
      switch token % 10 {
      case 1: _ = scene.abandon(token)
      case 3 where token % 3 != 0:
        #expect(scene.receive(ack(.acknowledged, UInt16(token))) == Said([], "acknowledged \(token)"))
        #expect(scene.redeliver("a", token: token) == .nothing)
      default: sent += scene.redeliver("a", token: token).bytes.isEmpty ? 0 : 1
      }
    }
    #expect(sent == scene.session.inFlight.count)
    #expect(scene.window == 0xffff - sent)
  }

  @Test("A session says of itself what it was resumed from, over any number of connections")
  func roundTrip() {
    var session = four
    session.unreleased = [3, 0x1234]
    var subscription = MQTTSubscription(Bytes("a/#"), .exactlyOnce)
    subscription.noLocal = true
    session.subscriptions = [MQTTSessionState.Subscription(subscription, identifier: 12), MQTTSessionState.Subscription(MQTTSubscription(Bytes("b"), .atMostOnce))]
    for version in MQTTVersion.allCases {
      let scene = ChannelScene.connected(version, session: session)
      #expect(scene.session == session)
      _ = scene.lose()
      #expect(scene.session == session)
    }
    let scene = ChannelScene.connected(.v5, session: session)
    #expect(scene.receive(publish(.v5, "x", qos: .exactlyOnce, id: 3, dup: true)) == Said([0x50, 2, 0, 3]))
    #expect(scene.receive(subscribe(.v5, 1, ("a/#", 0))) == Said([], "subscribe a/# 0 known"))
  }
}
