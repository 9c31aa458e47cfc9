import Core
import Testing

@testable import Edge

@Suite("Positions over MQTT")
struct MQTTPositionTests {
  let wish = MQTTHand.userProperty("tidings-position", "1")

  func position(_ cursor: String) -> [UInt8] { MQTTHand.userProperty("tidings-position", cursor) }

  @Test("each message says where it stands, in all shards that are followed")
  func exact() throws {
    let harness = try EdgeHarness(shards: 2)
    let topics = [harness.topic(in: 0, "p/a"), harness.topic(in: 1, "p/b")]
    harness.publish(topics[1], "before")
    let hand = try MQTTHand(harness)
    #expect(hand.subscribe([("p/+", 1)], properties: wish) == [[0x90, 4, 0, 1, 0, 1]])
    harness.publish(topics[0], "one")
    let first = harness.cursor([Position(ShardID(0), Offset(1)), Position(ShardID(1), Offset(1))])
    #expect(hand.packets() == [MQTTHand.publish(topics[0], identifier: 1, properties: position(first), "one")])
    harness.publish(topics[1], "two", type: "seen")
    let second = harness.cursor([Position(ShardID(0), Offset(1)), Position(ShardID(1), Offset(2))])
    #expect(
      hand.packets() == [
        MQTTHand.publish(topics[1], identifier: 2, properties: MQTTHand.userProperty("tidings-event", "seen") + position(second), "two")
      ])
  }

  @Test("what is followed in one shard has a position in that shard alone; nothing seen is no place")
  func oneShard() throws {
    let harness = try EdgeHarness(shards: 4)
    let topic = harness.topic(in: 3)
    let hand = try MQTTHand(harness)
    _ = hand.subscribe([(topic, 0)], properties: wish)
    harness.publish(topic, "x")
    #expect(hand.packets() == [MQTTHand.publish(topic, properties: position(harness.cursor([Position(ShardID(3), Offset(1))])), "x")])
  }

  @Test("current values have none; the first message behind them has")
  func currentValues() throws {
    let harness = try EdgeHarness(shards: 1)
    harness.publish("p/kept", "value", retain: true)
    let hand = try MQTTHand(harness)
    #expect(hand.subscribe([("p/#", 0)], properties: wish).dropFirst() == [MQTTHand.publish("p/kept", retain: true, "value")])
    harness.publish("p/live", "x")
    #expect(hand.packets() == [MQTTHand.publish("p/live", properties: position("v1~0123456789ab~0.2"), "x")])
  }

  @Test("only the subscriptions that asked tell positions, and one that asks again without it tells none")
  func some() throws {
    let harness = try EdgeHarness(shards: 1)
    let hand = try MQTTHand(harness)
    _ = hand.subscribe([("p/asked", 0)], properties: wish)
    _ = hand.subscribe([("p/plain", 0)], identifier: 2)
    harness.publish("p/plain", "1")
    harness.publish("p/asked", "2")
    #expect(
      hand.packets() == [
        MQTTHand.publish("p/plain", "1"), MQTTHand.publish("p/asked", properties: position("v1~0123456789ab~0.2"), "2"),
      ])
    _ = hand.subscribe([("p/asked", 0)], identifier: 3)
    harness.publish("p/asked", "3")
    #expect(hand.packets() == [MQTTHand.publish("p/asked", "3")])
  }

  @Test("who asks for positions is written to alone; others share their stream as before")
  func alone() throws {
    let harness = try EdgeHarness(shards: 1)
    let plain = try MQTTHand(harness, "plain")
    let asked = try MQTTHand(harness, "asked")
    _ = plain.subscribe([("p/#", 0)])
    _ = asked.subscribe([("p/#", 0)], properties: wish)
    harness.publish("p/x", "1")
    #expect(plain.packets() == [MQTTHand.publish("p/x", "1")])
    #expect(asked.packets() == [MQTTHand.publish("p/x", properties: position("v1~0123456789ab~0.1"), "1")])
  }

  @Test("a subscription that catches up beside one at the end tells the earlier place of the two")
  func catchingUp() throws {
    let harness = try EdgeHarness(shards: 1)
    for number in 1...3 { harness.publish("p/a", "\(number)") }
    let hand = try MQTTHand(harness)
    _ = hand.subscribe([("p/live", 0)], properties: wish)
    let cursor = MQTTHand.userProperty("tidings-cursor", "v1~0123456789ab~0.1")
    let said = hand.subscribe([("p/a", 0)], identifier: 2, properties: wish + cursor)
    #expect(
      said == [
        [0x90, 4, 0, 2, 0, 0],
        MQTTHand.publish("p/a", properties: position("v1~0123456789ab~0.2"), "2"),
        MQTTHand.publish("p/a", properties: position("v1~0123456789ab~0.3"), "3"),
      ])
    harness.publish("p/live", "4")
    #expect(hand.packets() == [MQTTHand.publish("p/live", properties: position("v1~0123456789ab~0.4"), "4")])
  }

  @Test("a position of the publisher's is passed on to nobody")
  func forged() throws {
    let harness = try EdgeHarness(shards: 1)
    let hand = try MQTTHand(harness)
    _ = hand.subscribe([("p/x", 0)])
    let writer = try MQTTHand(harness, "writer")
    let other = MQTTHand.userProperty("other", "1")
    writer.client.send(MQTTHand.publish("p/x", properties: position("v1~000000000000~0.9") + other, "x"))
    #expect(hand.packets() == [MQTTHand.publish("p/x", properties: other, "x")])
  }

  @Test("another value is refused, and what there was stays", arguments: ["", "0", "true", "11"])
  func refused(value: String) throws {
    let harness = try EdgeHarness(shards: 1)
    let hand = try MQTTHand(harness)
    _ = hand.subscribe([("p/x", 0)])
    let said = hand.subscribe([("p/x", 1)], identifier: 2, properties: MQTTHand.userProperty("tidings-position", value))
    #expect(said.count == 1 && said[0].first == 0x90 && said[0].last == 0x83)
    harness.publish("p/x", "1")
    #expect(hand.packets() == [MQTTHand.publish("p/x", "1")])
  }
}
