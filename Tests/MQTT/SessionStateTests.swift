import Core
import MQTT
import Testing

/// The two parts of a session as they are kept: its subscriptions, and how far it has come.
@Suite struct SessionStateTests {
  private static let seeds: [UInt64] = [0x7365_7373, 4, 99]
  private typealias Subscription = MQTTSessionState.Subscription

  private static func encoded(_ subscriptions: [Subscription]) -> [UInt8] { written { MQTTSessionState.encode(subscriptions, into: &$0) } }
  private static func encoded(_ progress: MQTTSessionProgress) -> [UInt8] { written { progress.encode(into: &$0) } }

  private static func subscriptions(_ bytes: [UInt8]) throws(MQTTSessionFailure) -> [Subscription] {
    try MQTTSessionState.subscriptions(decoding: bytes.span.bytes)
  }

  private static func progress(_ bytes: [UInt8]) throws(MQTTSessionFailure) -> MQTTSessionProgress {
    try MQTTSessionProgress(decoding: bytes.span.bytes)
  }

  private static func refusal<Value>(_ body: () throws(MQTTSessionFailure) -> Value) -> MQTTSessionFailure? {
    do {
      _ = try body()
      return nil
    } catch { return error }
  }

  private static func subscriptions(_ chance: inout PacketMaker) -> [Subscription] {
    (0..<chance.below(5)).map { index in
      var subscription = MQTTSubscription(Bytes("\(index)/" + chance.text()), chance.qos())
      subscription.noLocal = chance.flag()
      subscription.retainAsPublished = chance.flag()
      subscription.retainHandling = MQTTRetainHandling.allCases[chance.below(3)]
      return Subscription(subscription, identifier: UInt32(chance.below(268_435_456)))
    }
  }

  private static func token(_ chance: inout PacketMaker) -> UInt64 { UInt64(chance.identifier()) << 40 | UInt64(chance.identifier()) }

  private static func progress(_ chance: inout PacketMaker) -> MQTTSessionProgress {
    var progress = MQTTSessionProgress()
    progress.nextPacketIdentifier = chance.identifier()
    progress.lastNumber = token(&chance)
    for identifier in Set((0..<chance.below(6)).map { _ in chance.identifier() }).sorted() {
      progress.unreleased.append(
        MQTTSessionProgress.Unreleased(packetIdentifier: identifier, number: token(&chance), isAccepted: chance.flag()))
    }
    for identifier in Set((0..<chance.below(6)).map { _ in chance.identifier() }).sorted() {
      let qos: MQTTQoS = chance.flag() ? .atLeastOnce : .exactlyOnce
      progress.inFlight.append(
        MQTTSessionState.InFlight(
          packetIdentifier: identifier, token: token(&chance), qos: qos, isReceived: qos == .exactlyOnce && chance.flag()))
    }
    for _ in 0..<chance.below(3) { progress.backlog.append(token(&chance)) }
    for _ in 0..<chance.below(3) {
      let shards = Set((0..<chance.below(4)).map { _ in UInt16(chance.below(256)) }).sorted()
      let places = shards.map { shard in
        let began = UInt64(chance.identifier())
        return MQTTSessionProgress.Place(shard: shard, began: began, offset: began + token(&chance), owesCurrent: chance.flag())
      }
      progress.legs.append(MQTTSessionProgress.Leg(subscriptions: (0..<chance.below(4)).map { _ in chance.below(300) }, places: places))
    }
    for _ in 0..<chance.below(3) {
      let skipped = chance.flag() ? UInt64(chance.identifier()) : nil
      progress.gaps.append(
        MQTTSessionProgress.Gap(
          reason: UInt8(chance.below(3)), shard: UInt16(chance.below(256)), from: token(&chance), to: token(&chance), skipped: skipped))
    }
    return progress
  }

  @Test("The bytes of a session are these")
  func bytes() throws {
    var subscription = MQTTSubscription(Bytes("a/#"), .atLeastOnce)
    subscription.retainHandling = .never
    let held = [Subscription(subscription, identifier: 9)]
    let bytes = wire(1, 1, 0, 0, 0, 9, 0, 0, 0, 0x21, 3, 0, "a/#")
    #expect(SessionStateTests.encoded(held) == bytes)
    #expect(try SessionStateTests.subscriptions(bytes) == held)

    var progress = MQTTSessionProgress()
    #expect(SessionStateTests.encoded(progress) == [1, 1, 0, 0, 0, 0, 0, 0])
    progress.nextPacketIdentifier = 0x0102
    progress.lastNumber = 300
    progress.unreleased = [MQTTSessionProgress.Unreleased(packetIdentifier: 5, number: 299, isAccepted: true)]
    progress.inFlight = [MQTTSessionState.InFlight(packetIdentifier: 4, token: 8, qos: .exactlyOnce, isReceived: true)]
    progress.backlog = [6]
    let place = MQTTSessionProgress.Place(shard: 3, began: 128, offset: 129, owesCurrent: true)
    progress.legs = [MQTTSessionProgress.Leg(subscriptions: [0], places: [place])]
    let more = wire(
      1, 2, 1, 0xac, 2, 1, 5, 0, 1, 0xab, 2, 1, 4, 0, 3, 8, 0, 0, 0, 0, 0, 0, 0, 1, 6, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 7, 0x80, 1, 1)
    #expect(SessionStateTests.encoded(progress) == more)
    #expect(try SessionStateTests.progress(more) == progress)
    progress.gaps = [MQTTSessionProgress.Gap(reason: 1, shard: 2, from: 130, to: 4, skipped: 9)]
    let most = [2] + more[1...] + [1, 1, 2, 0x82, 1, 4, 10]
    #expect(SessionStateTests.encoded(progress) == most)
    #expect(try SessionStateTests.progress(most) == progress)
  }

  @Test("Any session is read as it was written, and none that is cut", arguments: seeds)
  func roundTrips(seed: UInt64) throws {
    print("seed \(seed)")
    var chance = PacketMaker(seed: seed)
    for _ in 0..<200 {
      let subscriptions = SessionStateTests.subscriptions(&chance)
      let progress = SessionStateTests.progress(&chance)
      let first = SessionStateTests.encoded(subscriptions)
      let second = SessionStateTests.encoded(progress)
      #expect(try SessionStateTests.subscriptions(first) == subscriptions, "seed \(seed)")
      #expect(try SessionStateTests.progress(second) == progress, "seed \(seed)")
      for count in 0..<first.count {
        #expect(SessionStateTests.refusal { () throws(MQTTSessionFailure) in try SessionStateTests.subscriptions(Array(first[..<count])) } != nil)
      }
      for count in 0..<second.count {
        #expect(SessionStateTests.refusal { () throws(MQTTSessionFailure) in try SessionStateTests.progress(Array(second[..<count])) } != nil)
      }
      #expect(SessionStateTests.refusal { () throws(MQTTSessionFailure) in try SessionStateTests.subscriptions(first + [0]) } == .trailingBytes)
      #expect(SessionStateTests.refusal { () throws(MQTTSessionFailure) in try SessionStateTests.progress(second + [0]) } == .trailingBytes)
    }
  }

  @Test("Damaged bytes are a session that is written the same, or none; they crash nothing", arguments: seeds)
  func damage(seed: UInt64) {
    print("seed \(seed)")
    var chance = PacketMaker(seed: seed)
    var refused = 0
    for _ in 0..<3000 {
      var first = SessionStateTests.encoded(SessionStateTests.subscriptions(&chance))
      var second = SessionStateTests.encoded(SessionStateTests.progress(&chance))
      for _ in 0...chance.below(3) {
        first[chance.below(first.count)] = UInt8(chance.below(256))
        second[chance.below(second.count)] = UInt8(chance.below(256))
      }
      do {
        #expect(SessionStateTests.encoded(try SessionStateTests.subscriptions(first)) == first, "seed \(seed)")
      } catch { refused += 1 }
      do {
        #expect(SessionStateTests.encoded(try SessionStateTests.progress(second)) == second, "seed \(seed)")
      } catch { refused += 1 }
    }
    #expect(refused > 500)
  }

  @Test("Subscriptions that none has are refused for what they are")
  func impossibleSubscriptions() {
    func refusal(_ bytes: [UInt8]) -> MQTTSessionFailure? {
      SessionStateTests.refusal { () throws(MQTTSessionFailure) in try SessionStateTests.subscriptions(bytes) }
    }
    #expect(refusal([2, 0, 0, 0, 0]) == .unknownVersion)
    // A count of things that are not there.
    #expect(refusal([1, 0xff, 0xff, 0xff, 0xff]) == .truncated)
    // Options with QoS 3, an identifier above the largest, two subscriptions with one filter.
    #expect(refusal([1, 1, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0x61]) == .impossible)
    #expect(refusal([1, 1, 0, 0, 0, 0, 0, 0, 0x10, 0, 1, 0, 0x61]) == .impossible)
    let one: [UInt8] = [0, 0, 0, 0, 0, 1, 0, 0x61]
    #expect(refusal([1, 2, 0, 0, 0] + one + one) == .impossible)
  }

  @Test("A progress that no session has is refused for what it is")
  func impossibleProgress() {
    func refusal(_ bytes: [UInt8]) -> MQTTSessionFailure? {
      SessionStateTests.refusal { () throws(MQTTSessionFailure) in try SessionStateTests.progress(bytes) }
    }
    #expect(refusal([3, 1, 0, 0, 0, 0, 0, 0]) == .unknownVersion)
    // That there are gaps is said only where there are any.
    #expect(refusal([2, 1, 0, 0, 0, 0, 0, 0, 0]) == .impossible)
    #expect(refusal([1, 0, 0, 0, 0, 0, 0, 0]) == .impossible)
    // A number that is not in its shortest form, and one of more than 64 bits.
    #expect(refusal([1, 1, 0, 0x80, 0, 0, 0, 0, 0]) == .impossible)
    #expect(refusal([1, 1, 0] + [UInt8](repeating: 0xff, count: 9) + [2, 0, 0, 0, 0]) == .impossible)
    #expect(refusal([1, 1, 0, 0, 0xff, 1, 0, 0, 0]) == .truncated)
    // Unreleased: 0, not ascending, and neither accepted nor not.
    #expect(refusal([1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]) == .impossible)
    #expect(refusal([1, 1, 0, 0, 2, 5, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0]) == .impossible)
    #expect(refusal([1, 1, 0, 0, 1, 5, 0, 2, 0, 0, 0, 0]) == .impossible)
    // In flight: identifier 0, the same twice, a received message of QoS 1, an unknown flag.
    let token: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0]
    func inFlight(_ messages: [UInt8]) -> [UInt8] { [1, 1, 0, 0, 0, UInt8(messages.count / 11)] + messages + [0, 0] }
    #expect(refusal(inFlight([1, 0, 3] + token)) == nil)
    #expect(refusal(inFlight([0, 0, 0] + token)) == .impossible)
    #expect(refusal(inFlight([1, 0, 0] + token + [1, 0, 0] + token)) == .impossible)
    #expect(refusal(inFlight([1, 0, 2] + token)) == .impossible)
    #expect(refusal(inFlight([1, 0, 4] + token)) == .impossible)
    // Places: not in the order of their shards, of a shard above all, past the largest offset.
    #expect(refusal([1, 1, 0, 0, 0, 0, 0, 1, 0, 2, 2, 0, 0, 2, 0, 0]) == .impossible)
    #expect(refusal([1, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0x80, 0x80, 8, 0, 0]) == .impossible)
    #expect(refusal([1, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0] + [UInt8](repeating: 0xff, count: 9) + [1, 1]) == .impossible)
  }
}
