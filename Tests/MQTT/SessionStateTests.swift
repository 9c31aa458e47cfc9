import Core
import MQTT
import Testing

@Suite struct SessionStateTests {
  private static let seeds: [UInt64] = [0x7365_7373, 4, 99]

  private static func encoded(_ session: MQTTSessionState) -> [UInt8] { written { session.encode(into: &$0) } }

  private static func decoded(_ bytes: [UInt8]) throws(MQTTSessionFailure) -> MQTTSessionState {
    try MQTTSessionState(decoding: bytes.span.bytes)
  }

  private static func session(_ chance: inout PacketMaker) -> MQTTSessionState {
    var session = MQTTSessionState()
    for index in 0..<chance.below(5) {
      var subscription = MQTTSubscription(Bytes("\(index)/" + chance.text()), chance.qos())
      subscription.noLocal = chance.flag()
      subscription.retainAsPublished = chance.flag()
      subscription.retainHandling = MQTTRetainHandling.allCases[chance.below(3)]
      session.subscriptions.append(MQTTSessionState.Subscription(subscription, identifier: UInt32(chance.below(268_435_456))))
    }
    session.unreleased = Set((0..<chance.below(6)).map { _ in chance.identifier() }).sorted()
    for identifier in Set((0..<chance.below(6)).map { _ in chance.identifier() }).sorted() {
      let qos: MQTTQoS = chance.flag() ? .atLeastOnce : .exactlyOnce
      let token = UInt64(chance.identifier()) << 40 | UInt64(chance.identifier())
      session.inFlight.append(
        MQTTSessionState.InFlight(packetIdentifier: identifier, token: token, qos: qos, isReceived: qos == .exactlyOnce && chance.flag()))
    }
    session.nextPacketIdentifier = chance.identifier()
    return session
  }

  @Test("The bytes of a session are these")
  func bytes() throws {
    var session = MQTTSessionState()
    session.nextPacketIdentifier = 0x0102
    var subscription = MQTTSubscription(Bytes("a/#"), .atLeastOnce)
    subscription.retainHandling = .never
    session.subscriptions = [MQTTSessionState.Subscription(subscription, identifier: 9)]
    session.unreleased = [5]
    session.inFlight = [
      MQTTSessionState.InFlight(packetIdentifier: 3, token: 7, qos: .atLeastOnce),
      MQTTSessionState.InFlight(packetIdentifier: 4, token: 8, qos: .exactlyOnce, isReceived: true),
    ]
    let bytes =
      wire(1, 2, 1, 1, 0, 0, 0, 9, 0, 0, 0, 0x21, 3, 0, "a/#", 1, 0, 5, 0, 2, 0)
      + wire(3, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 8, 0, 0, 0, 0, 0, 0, 0, 3)
    #expect(SessionStateTests.encoded(session) == bytes)
    #expect(try SessionStateTests.decoded(bytes) == session)
    #expect(SessionStateTests.encoded(MQTTSessionState()) == [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test("Any session is read as it was written, and none that is cut", arguments: seeds)
  func roundTrips(seed: UInt64) throws {
    print("seed \(seed)")
    var chance = PacketMaker(seed: seed)
    for _ in 0..<200 {
      let session = SessionStateTests.session(&chance)
      let bytes = SessionStateTests.encoded(session)
      #expect(try SessionStateTests.decoded(bytes) == session, "seed \(seed)")
      for count in 0..<bytes.count {
        #expect(throws: MQTTSessionFailure.truncated, "seed \(seed) cut to \(count)") { try SessionStateTests.decoded(Array(bytes[..<count])) }
      }
      #expect(throws: MQTTSessionFailure.trailingBytes) { try SessionStateTests.decoded(bytes + [0]) }
    }
  }

  @Test("Damaged bytes are a session that is written the same, or none; they crash nothing", arguments: seeds)
  func damage(seed: UInt64) {
    print("seed \(seed)")
    var chance = PacketMaker(seed: seed)
    var refused = 0
    for _ in 0..<3000 {
      var bytes = SessionStateTests.encoded(SessionStateTests.session(&chance))
      for _ in 0...chance.below(3) { bytes[chance.below(bytes.count)] = UInt8(chance.below(256)) }
      do {
        #expect(SessionStateTests.encoded(try SessionStateTests.decoded(bytes)) == bytes, "seed \(seed)")
      } catch {
        refused += 1
      }
    }
    #expect(refused > 500)
  }

  @Test("What no session has is refused for what it is")
  func impossible() {
    func refusal(_ bytes: [UInt8]) -> MQTTSessionFailure? {
      do {
        _ = try SessionStateTests.decoded(bytes)
        return nil
      } catch {
        return error
      }
    }
    let none: [UInt8] = [0, 0, 0, 0]
    #expect(refusal([2, 1, 0]) == .unknownVersion)
    #expect(refusal([1, 0, 0]) == .impossible)
    // A count of things that are not there.
    #expect(refusal([1, 1, 0, 0xff, 0xff, 0xff, 0xff]) == .truncated)
    #expect(refusal([1, 1, 0] + none + [0xff, 0xff, 1, 0]) == .truncated)
    // Options with QoS 3, an identifier above the largest, two subscriptions with one filter.
    #expect(refusal([1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0x61, 0, 0, 0, 0]) == .impossible)
    #expect(refusal([1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0x10, 0, 1, 0, 0x61, 0, 0, 0, 0]) == .impossible)
    let one: [UInt8] = [0, 0, 0, 0, 0, 1, 0, 0x61]
    #expect(refusal([1, 1, 0, 2, 0, 0, 0] + one + one + none) == .impossible)
    // Unreleased: 0, and not ascending.
    #expect(refusal([1, 1, 0] + none + [1, 0, 0, 0, 0, 0]) == .impossible)
    #expect(refusal([1, 1, 0] + none + [2, 0, 5, 0, 5, 0, 0, 0]) == .impossible)
    // In flight: identifier 0, the same twice, a received message of QoS 1, an unknown flag.
    let token: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0]
    func inFlight(_ messages: [UInt8]) -> [UInt8] { [1, 1, 0] + none + [0, 0, UInt8(messages.count / 11), 0] + messages }
    #expect(refusal(inFlight([1, 0] + token + [3])) == nil)
    #expect(refusal(inFlight([0, 0] + token + [0])) == .impossible)
    #expect(refusal(inFlight([1, 0] + token + [0, 1, 0] + token + [0])) == .impossible)
    #expect(refusal(inFlight([1, 0] + token + [2])) == .impossible)
    #expect(refusal(inFlight([1, 0] + token + [4])) == .impossible)
  }
}
