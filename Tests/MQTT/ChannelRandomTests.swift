import Core
import MQTT
import TestSupport
import Testing

/// Clients and shells that do anything at any time.
@Suite struct ChannelRandomTests {
  private static let seeds: [UInt64] = [0x6368_616e, 7, 31, 500]

  /// What a client of `version` might send, some of it wrong.
  private func packets(_ chance: inout PacketMaker, _ version: MQTTVersion) -> [UInt8] {
    func id(_ chance: inout PacketMaker) -> UInt16 { UInt16(1 + chance.below(6)) }
    switch chance.below(12) {
    case 0, 1, 2, 3:
      let qos = chance.qos()
      let topic = ["a", "a/b", "c", "+", ""][chance.below(30) == 0 ? 3 + chance.below(2) : chance.below(3)]
      let alias = version == .v5 && chance.below(3) == 0 ? UInt16(1 + chance.below(3)) : 0
      return publish(
        version, alias != 0 && chance.flag() ? "" : topic, "m", qos: qos, id: qos == .atMostOnce ? 0 : id(&chance), dup: qos != .atMostOnce && chance.flag(),
        alias: alias)
    case 4: return ack(.release, id(&chance))
    case 5: return ack(.acknowledged, id(&chance))
    case 6: return ack(.received, id(&chance), version == .v5 && chance.below(4) == 0 ? 0x80 : nil)
    case 7: return ack(.complete, id(&chance))
    case 8: return subscribe(version, id(&chance), ("a/\(chance.below(4))", UInt8(chance.below(3))), ("b+", 0))
    case 9: return unsubscribe(version, id(&chance), "a/\(chance.below(4))")
    default: return [0xc0, 0]
    }
  }

  @Test("Whatever clients and shells do, a channel keeps its promises", arguments: seeds, MQTTVersion.allCases)
  func anything(seed: UInt64, version: MQTTVersion) throws {
    print("seed \(seed)")
    var chance = PacketMaker(seed: seed &+ UInt64(version.rawValue))
    var ended = 0
    for _ in 0..<120 {
      var session: MQTTSessionState?
      // A few connections of one session.
      for _ in 0..<3 {
        session = try live(&chance, version, session)
        ended += 1
      }
    }
    #expect(ended == 360)
  }

  private func live(_ chance: inout PacketMaker, _ version: MQTTVersion, _ session: MQTTSessionState?) throws -> MQTTSessionState {
    let settings = ChannelScene.settings {
      $0.receiveMaximum = 4
      $0.maximumInFlight = 3
      $0.topicAliasMaximum = 2
      $0.maximumSubscriptions = 3
      $0.maximumUnansweredMessages = 3
      $0.maximumUnansweredRequests = 2
    }
    let maximum = UInt16(1 + chance.below(3))
    let scene = ChannelScene.connected(version, settings, session: session) {
      $0.will = MQTTWill(topic: Bytes("w"), payload: Bytes())
      $0.keepAlive = 10
      if version == .v5 { $0.properties.receiveMaximum = maximum }
    }
    var actions = scene.acceptanceAnswer.actions
    var resends = actions.filter { $0.hasPrefix("resend") }
    var token = UInt64(1000 * (1 + chance.below(1_000_000)))
    for _ in 0..<60 where !scene.isClosed {
      var said: Said
      switch chance.below(10) {
      case 0 where !scene.publishes.isEmpty:
        let outcomes: [MQTTPublishOutcome] = [.accepted, .accepted, .accepted, .acceptedWithoutSubscribers, .refused(.notAuthorized, "no"), .later]
        said = scene.published(outcomes[chance.below(outcomes.count)], after: chance.below(scene.publishes.count))
      case 1 where !scene.subscribes.isEmpty: said = scene.subscribed(.grantedQoS1)
      case 2 where !scene.unsubscribes.isEmpty: said = scene.unsubscribed(.success)
      case 3, 4:
        token += 1
        let qos = chance.qos()
        let isFull = qos != .atMostOnce && scene.window == 0
        said = scene.deliver("t", qos: qos, token: token, expecting: isFull ? .windowFull : .sent)
      case 5 where !resends.isEmpty:
        let asked = try #require(UInt64(resends.removeFirst().split(separator: " ")[1]))
        said = chance.below(4) == 0 ? scene.abandon(asked) : scene.redeliver("t", token: asked)
      default:
        let bytes = packets(&chance, version)
        let cut = chance.below(bytes.count + 1)
        said = scene.receive(Array(bytes[..<cut]))
        let more = scene.receive(Array(bytes[cut...]))
        said.bytes += more.bytes
        said.actions += more.actions
      }
      // Everything said is well formed, as a client would read it.
      for outcome in clientReceives(said.bytes, version) {
        if case .failed(let failure) = outcome { Issue.record("a client cannot read \(said.bytes): \(failure)") }
      }
      actions += said.actions
      resends += said.actions.filter { $0.hasPrefix("resend") }
      // A message that is done is not asked for once more; the shell may still answer for it.
      #expect(scene.window <= Int(version == .v5 ? maximum : 3))
      let session = scene.session
      #expect(Set(session.inFlight.map(\.packetIdentifier)).count == session.inFlight.count)
      #expect(session.subscriptions.count <= 3)
      let kept = written { MQTTSessionState.encode(session.subscriptions, into: &$0) }
      #expect(try MQTTSessionState.subscriptions(decoding: kept.span.bytes) == session.subscriptions)
    }
    if !scene.isClosed { actions += chance.flag() ? scene.lose().actions : scene.wait(milliseconds: 60_000).actions }
    // A paused client is not held for dead.
    if !scene.isClosed { actions += scene.end(.serverShuttingDown).actions }
    #expect(actions.filter { $0.hasPrefix("will") }.count == 1)
    #expect(actions.filter { $0 == "close" }.count <= 1)
    return scene.session
  }

  @Test("Where the bytes are cut changes nothing of what a channel says", arguments: seeds, MQTTVersion.allCases)
  func cuts(seed: UInt64, version: MQTTVersion) {
    print("seed \(seed)")
    var chance = PacketMaker(seed: seed &+ UInt64(version.rawValue))
    for _ in 0..<100 {
      let bytes = (0..<12).flatMap { _ in packets(&chance, version) }
      let settings = ChannelScene.settings { $0.topicAliasMaximum = 2 }
      let whole = ChannelScene.connected(version, settings).receive(bytes)
      let scene = ChannelScene.connected(version, settings)
      var pieces = Said.nothing
      var offset = 0
      while offset < bytes.count {
        let end = min(bytes.count, offset + 1 + chance.below(9))
        let said = scene.receive(Array(bytes[offset..<end]))
        pieces.bytes += said.bytes
        pieces.actions += said.actions
        offset = end
      }
      #expect(pieces == whole, "seed \(seed): \(bytes)")
    }
  }
}
