import Core
import MQTT
import Testing

/// Each bound: what just fits, and what is one too much.
@Suite struct LimitTests {
  /// Whether that is one packet and no refusal.
  private func isTaken(_ outcomes: [Outcome]) -> Bool {
    if case .failed? = outcomes.last { false } else { outcomes.count == 1 }
  }

  @Test("A packet that is too large is refused by its fixed header, its body unseen")
  func packetSize() {
    let limits = MQTTLimits(maximumPacketSize: 200)
    // 3 bytes of header and 197 behind them.
    let fitting = wire(0x30, 0xc5, 1, 0, 1, "a") + [UInt8](repeating: 7, count: 194)
    #expect(fitting.count == 200)
    #expect(isTaken(serverReceives(fitting, .v311, limits)))
    #expect(serverReceives([0x30, 0xc6, 1], .v311, limits) == [.failed(.packetTooLarge)])
    #expect(serverReceives([0x30, 0xc5, 1], .v311, limits).isEmpty)
    #expect(serverReceives([0x30, 0xff, 0xff, 0xff, 0x7f], .v5) == [.failed(.packetTooLarge)])
    #expect(MQTTDecodeFailure.packetTooLarge.reasonCode == .packetTooLarge)
  }

  @Test("The largest packet there is can be let pass")
  func largest() {
    let limits = MQTTLimits(maximumPacketSize: MQTTVariableInteger.maximum + 5)
    #expect(clientReceives([0x30, 0xff, 0xff, 0xff, 0x7f], .v5, limits).isEmpty)
  }

  @Test("A stranger's CONNECT has a bound of its own, and never more than a packet")
  func connectSize() {
    let size = hello(.v5).count
    #expect(isTaken(receive([hello(.v5)], MQTTDecoder(serverWith: MQTTLimits(connectSize: size)))))
    #expect(receive([hello(.v5).prefix(2) + []], MQTTDecoder(serverWith: MQTTLimits(connectSize: size - 1))) == [.failed(.packetTooLarge)])
    #expect(receive([hello(.v5).prefix(2) + []], MQTTDecoder(serverWith: MQTTLimits(maximumPacketSize: size - 1))) == [.failed(.packetTooLarge)])
    // Later packets are not held to it.
    #expect(isTaken(serverReceives(packet(0x30, text("a"), Wire(bytes: [UInt8](repeating: 1, count: 100))), .v311, MQTTLimits(connectSize: size))))
  }

  @Test("Filters in a packet, and codes in its answer, are counted")
  func filters() {
    let limits = MQTTLimits(filters: 3)
    let pair = wire(0, 1, "a", 0)
    let filter = wire(0, 1, "a")
    #expect(isTaken(serverReceives(packet(0x82, [0, 1] + pair + pair + pair), .v311, limits)))
    #expect(serverReceives(packet(0x82, [0, 1] + pair + pair + pair + pair), .v311, limits) == [.failed(.tooManyFilters)])
    #expect(isTaken(serverReceives(packet(0xa2, [0, 1, 0] + filter + filter + filter), .v5, limits)))
    #expect(serverReceives(packet(0xa2, [0, 1, 0] + filter + filter + filter + filter), .v5, limits) == [.failed(.tooManyFilters)])
    #expect(isTaken(clientReceives([0x90, 5, 0, 1, 0, 0, 0], .v311, limits)))
    #expect(clientReceives([0x90, 6, 0, 1, 0, 0, 0, 0], .v311, limits) == [.failed(.tooManyFilters)])
    #expect(clientReceives([0xb0, 7, 0, 1, 0, 0, 0, 0, 0], .v5, limits) == [.failed(.tooManyFilters)])
    #expect(isTaken(clientReceives(wire(0x30, 10, 0, 1, "a", 6, 0x0b, 1, 0x0b, 2, 0x0b, 3), .v5, limits)))
    #expect(clientReceives(wire(0x30, 12, 0, 1, "a", 8, 0x0b, 1, 0x0b, 2, 0x0b, 3, 0x0b, 4), .v5, limits) == [.failed(.tooManyFilters)])
    #expect(MQTTDecodeFailure.tooManyFilters.reasonCode == .quotaExceeded)
  }

  @Test("User properties in a packet are counted, in a message and elsewhere")
  func userProperties() {
    let limits = MQTTLimits(userProperties: 2)
    let property = wire(0x26, 0, 0, 0, 0)
    for (first, before, after) in [(UInt8(0x30), wire(0, 1, "a"), []), (0x40, [0, 1, 0], []), (0x82, [0, 1], wire(0, 1, "a", 0))] {
      #expect(isTaken(serverReceives(packet(first, before + [10] + property + property + after), .v5, limits)))
      #expect(serverReceives(packet(first, before + [15] + property + property + property + after), .v5, limits) == [.failed(.tooManyUserProperties)])
    }
    #expect(MQTTDecodeFailure.tooManyUserProperties.reasonCode == .quotaExceeded)
  }

  @Test("needMore says how much: as much as is asked for is enough for a packet, and less is not")
  func needMore() {
    let body = wire(0, 1, "a") + [UInt8](repeating: 7, count: 300)
    let input = packet(0x30, body)
    for shown in 0..<input.count {
      var decoder = MQTTDecoder(client: .v311)
      var offset = 0
      guard case .needMore(let least) = decoder.next(Array(input[..<shown]).span.bytes, &offset) else {
        Issue.record("\(shown) of \(input.count) bytes were taken for a packet")
        return
      }
      // The length itself takes two bytes here, so that nothing is known before the third.
      #expect(least == (shown < 3 ? max(1, 2 - shown) : input.count - shown), "after \(shown)")
    }
  }

  @Test("A packet leaves out its user properties, then its reason string, for a peer that takes only small ones")
  func fitting() {
    var properties = MQTTProperties()
    properties.reasonString = Bytes("because")
    properties.appendUserProperty(Bytes("key"), Bytes("value"))
    properties.serverReference = Bytes("x")
    let whole = MQTTDisconnect(.serverMoved, properties: properties)
    let size = whole.encodedSize(.v5)
    #expect(size == written(.disconnect(whole), .v5).count)
    #expect(whole.fitted(to: size, .v5) == whole)
    let withoutUser = whole.fitted(to: size - 1, .v5)
    #expect(withoutUser.properties.list.map(\.identifier) == [.reasonString, .serverReference])
    let smaller = withoutUser.encodedSize(.v5)
    #expect(whole.fitted(to: smaller, .v5) == withoutUser)
    #expect(whole.fitted(to: smaller - 1, .v5).properties.list.map(\.identifier) == [.serverReference])
    #expect(whole.fitted(to: 1, .v311) == whole)
    for packet in [MQTTDeliveryAck.Step.acknowledged, .received, .release, .complete].map({ MQTTDeliveryAck($0, 1, .success, properties: PacketTests.reason) }) {
      #expect(written(.deliveryAck(packet.fitted(to: 4, .v5)), .v5) == written(.deliveryAck(MQTTDeliveryAck(packet.step, 1)), .v5))
    }
  }
}
