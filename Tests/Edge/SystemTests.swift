import Core
import Testing

@testable import Edge

@Suite("$SYS") struct SystemTests {
  static func facts(uptime: Int = 12, clients: Int = 3) -> SystemFacts {
    var facts = SystemFacts(version: "1.2.3", node: "here", uptime: .milliseconds(uptime * 1000 + 999), clients: clients, maximumClients: 9)
    facts.cluster.versions = ["1.2.2", "1.2.3"]
    return facts
  }

  func values(_ facts: SystemFacts) -> [String: String] {
    Dictionary(uniqueKeysWithValues: facts.topics.map { ($0.name.text, $0.value.text) })
  }

  @Test("values stand under Mosquitto's names, in its forms")
  func names() {
    var facts = Self.facts()
    facts.subscriptions = 4
    facts.retained = 5
    facts.heapBytes = 6
    facts.traffic.packetsReceived = 10
    facts.traffic.packetsSent = 11
    facts.traffic.publishesReceived = 12
    facts.traffic.publishesSent = 13
    facts.traffic.publishesDropped = 14
    facts.traffic.payloadBytesReceived = 15
    facts.traffic.payloadBytesSent = 16
    facts.traffic.bytesReceived = 17
    facts.traffic.bytesSent = 18
    let values = values(facts).filter { $0.key.hasPrefix("$SYS/broker/") && !$0.key.contains("/load/") }
    #expect(
      values == [
        "$SYS/broker/version": "tidings version 1.2.3", "$SYS/broker/node": "here", "$SYS/broker/uptime": "12 seconds",
        "$SYS/broker/clients/total": "3", "$SYS/broker/clients/connected": "3", "$SYS/broker/clients/active": "3",
        "$SYS/broker/clients/maximum": "9", "$SYS/broker/subscriptions/count": "4", "$SYS/broker/retained messages/count": "5",
        "$SYS/broker/heap/current": "6", "$SYS/broker/messages/received": "10", "$SYS/broker/messages/sent": "11",
        "$SYS/broker/publish/messages/received": "12", "$SYS/broker/publish/messages/sent": "13",
        "$SYS/broker/publish/messages/dropped": "14", "$SYS/broker/publish/bytes/received": "15", "$SYS/broker/publish/bytes/sent": "16",
        "$SYS/broker/bytes/received": "17", "$SYS/broker/bytes/sent": "18",
      ])
    let loads = facts.topics.map(\.name.text).filter { $0.contains("/load/") }
    #expect(loads.count == 27 && loads.contains("$SYS/broker/load/publish/dropped/15min") && loads.contains("$SYS/broker/load/connections/1min"))
  }

  @Test("the cluster has a tree of its own")
  func cluster() {
    var facts = Self.facts()
    facts.cluster.state = "degraded"
    facts.cluster.nodes.total = 5
    facts.cluster.nodes.alive = 4
    facts.cluster.brokers.total = 3
    facts.cluster.edges.alive = 2
    facts.cluster.shards = 16
    facts.cluster.leaderlessShards = 1
    facts.cluster.shortShards = 2
    facts.cluster.clients = 70
    facts.cluster.connections = 80
    #expect(
      values(facts).filter { $0.key.hasPrefix("$SYS/cluster/") } == [
        "$SYS/cluster/state": "degraded", "$SYS/cluster/nodes/total": "5", "$SYS/cluster/nodes/alive": "4", "$SYS/cluster/brokers/total": "3",
        "$SYS/cluster/brokers/alive": "0", "$SYS/cluster/edges/total": "0", "$SYS/cluster/edges/alive": "2", "$SYS/cluster/shards/count": "16",
        "$SYS/cluster/shards/leaderless": "1", "$SYS/cluster/shards/short": "2", "$SYS/cluster/clients/connected": "70",
        "$SYS/cluster/connections": "80", "$SYS/cluster/versions": "1.2.2, 1.2.3",
      ])
  }

  @Test("loads are Mosquitto's: a steady rate is reached from below, fastest over one minute, and fades with the exponential")
  func loads() {
    var load = MQTTLoad()
    var counted = MQTTTraffic()
    func pass(_ packets: Int) {
      let before = counted
      counted.packetsReceived += packets
      load.sample(before, counted, over: .seconds(10))
    }
    // After 10 s of 10 a second, by hand: 600 · (1 − e^(−1/6)), and with −1/30 and −1/90.
    pass(100)
    #expect(abs(load[.packetsReceived, .one] - 92.1109) < 0.001)
    #expect(abs(load[.packetsReceived, .five] - 19.6704) < 0.001)
    #expect(abs(load[.packetsReceived, .fifteen] - 6.6298) < 0.001)
    for _ in 0..<600 { pass(100) }
    for span in MQTTLoad.Span.allCases { #expect(abs(load[.packetsReceived, span] - 600) < 1) }
    pass(0)
    #expect(abs(load[.packetsReceived, .one] - 507.889) < 1)
    #expect(load[.packetsSent, .one] == 0)
    var facts = Self.facts()
    facts.load = load
    #expect(values(facts)["$SYS/broker/load/messages/received/1min"]?.hasPrefix("507.8") == true)
    #expect(values(facts)["$SYS/broker/load/sockets/1min"] == "0.00")
  }

  // MARK: Over a connection

  func topics(_ packets: [[UInt8]]) -> [String: UInt8] {
    var found: [String: UInt8] = [:]
    for packet in packets where packet[0] >> 4 == 3 {
      let start = packet.count > 129 ? 3 : 2
      let length = Int(packet[start + 1])
      found[String(decoding: packet[(start + 2)..<(start + 2 + length)], as: UTF8.self)] = packet[0]
    }
    return found
  }

  @Test("values come as retained at once, then what changed every ten seconds, and nobody is asked while nobody follows")
  func telling() throws {
    let harness = try EdgeHarness(shards: 1)
    let hand = try MQTTHand(harness)
    harness.pass(.seconds(30))
    #expect(harness.pages.systemAsked == 0)
    #expect(hand.subscribe([("$SYS/broker/+", 1)]) == [[0x90, 4, 0, 1, 0, 1]])
    #expect(harness.pages.systemAsked == 1)
    harness.edge.tellSystem(Self.facts())
    #expect(
      hand.packets() == [
        MQTTHand.publish("$SYS/broker/version", retain: true, "tidings version 1.2.3"), MQTTHand.publish("$SYS/broker/node", retain: true, "here"),
        MQTTHand.publish("$SYS/broker/uptime", retain: true, "12 seconds"),
      ])
    harness.pass(.seconds(9))
    #expect(harness.pages.systemAsked == 1)
    harness.pass(.seconds(2))
    #expect(harness.pages.systemAsked == 2)
    harness.edge.tellSystem(Self.facts(uptime: 22, clients: 4))
    #expect(hand.packets() == [MQTTHand.publish("$SYS/broker/uptime", "22 seconds")])
    // Who comes in between is told what was told last, without another question.
    let late = try MQTTHand(harness, "late")
    let said = late.subscribe([("$SYS/broker/clients/connected", 0)])
    #expect(said == [[0x90, 4, 0, 1, 0, 0], MQTTHand.publish("$SYS/broker/clients/connected", retain: true, "4")])
    #expect(harness.pages.systemAsked == 2)
    late.client.close()
    hand.client.send(MQTTHand.packet(0xa2, [0, 9, 0] + MQTTHand.text("$SYS/broker/+")))
    #expect(hand.packets() == [[0xb0, 4, 0, 9, 0, 0]])
    harness.pass(.seconds(11))
    harness.edge.tellSystem(Self.facts(uptime: 32))
    #expect(hand.packets().isEmpty)
    let asked = harness.pages.systemAsked
    harness.pass(.seconds(30))
    #expect(harness.pages.systemAsked == asked)
  }

  @Test("a SUBSCRIBE may have filters of both kinds, and wildcards at the first level are for topics alone")
  func mixed() throws {
    let harness = try EdgeHarness(shards: 2)
    let hand = try MQTTHand(harness)
    let said = hand.subscribe([("#", 0), ("$SYS/broker/node", 2), ("+/broker/version", 0), ("$SYSTEM/x", 1)])
    #expect(said == [[0x90, 7, 0, 1, 0, 0, 2, 0, 1]])
    harness.edge.tellSystem(Self.facts())
    #expect(hand.packets() == [MQTTHand.publish("$SYS/broker/node", retain: true, "here")])
    harness.publish("x/broker/version", "x")
    #expect(topics(hand.packets()) == ["x/broker/version": 0x30])
  }

  @Test("retain handling, retain as published and identifiers are as with any subscription; nothing comes twice")
  func options() throws {
    let harness = try EdgeHarness(shards: 1)
    let first = try MQTTHand(harness, "first")
    // Retain handling 2, retain as published.
    _ = first.subscribe([("$SYS/broker/uptime", 0x28)], properties: [0x0b, 7])
    let second = try MQTTHand(harness, "second")
    _ = second.subscribe([("$SYS/#", 0), ("$SYS/broker/uptime", 0)])
    harness.edge.tellSystem(Self.facts())
    #expect(first.packets().isEmpty)
    let names = second.packets().map { String(decoding: $0, as: UTF8.self) }
    #expect(names.count == Self.facts().topics.count && Set(names).count == names.count)
    // Retain handling 1, and not new.
    #expect(second.subscribe([("$SYS/#", 0x10)], identifier: 2) == [[0x90, 4, 0, 2, 0, 0]])
    harness.pass(.seconds(11))
    harness.edge.tellSystem(Self.facts(uptime: 22))
    #expect(first.packets() == [MQTTHand.publish("$SYS/broker/uptime", properties: [0x0b, 7], retain: true, "22 seconds")])
    #expect(second.packets() == [MQTTHand.publish("$SYS/broker/uptime", "22 seconds")])
  }

  @Test("packets, messages, payloads and bytes are counted, of streams that are shared too")
  func counting() throws {
    let harness = try EdgeHarness(shards: 1)
    let shared = try MQTTHand(harness, "shared")
    let alone = try MQTTHand(harness, "alone")
    _ = shared.subscribe([("t", 0)])
    _ = alone.subscribe([("t", 1)])
    let before = harness.edge.report()
    #expect(before.mqttSubscriptions == 2)
    let publish = MQTTHand.publish("t", identifier: 3, "four")
    shared.client.send(publish)
    let heard = shared.packets() + alone.packets()
    let after = harness.edge.report().mqtt
    #expect(after.packetsReceived - before.mqtt.packetsReceived == 1)
    #expect(after.publishesReceived - before.mqtt.publishesReceived == 1 && after.payloadBytesReceived - before.mqtt.payloadBytesReceived == 4)
    #expect(after.publishesSent - before.mqtt.publishesSent == 2 && after.payloadBytesSent - before.mqtt.payloadBytesSent == 8)
    #expect(after.packetsSent - before.mqtt.packetsSent == 3, "and a PUBACK")
    #expect(after.bytesReceived - before.mqtt.bytesReceived == publish.count)
    #expect(after.bytesSent - before.mqtt.bytesSent == heard.map(\.count).reduce(0, +))
    #expect(after.sockets == 2 && after.connects == 2)
    #expect(harness.edge.settings.mqttCensus.clients == 2)
    alone.client.close()
    harness.settle()
    #expect(harness.edge.settings.mqttCensus.clients == 1 && harness.edge.settings.mqttCensus.maximum == 2)
  }

  @Test("whoever reads nothing is sent nothing meanwhile, and then all of it")
  func slow() throws {
    let harness = try EdgeHarness(shards: 1)
    let hand = try MQTTHand(harness)
    _ = hand.subscribe([("$SYS/broker/node", 0), ("big", 1)])
    harness.edge.tellSystem(Self.facts())
    #expect(hand.packets().count == 1)
    hand.client.isStalled = true
    harness.publish("big", String(repeating: "x", count: 900_000))
    var moved = Self.facts()
    moved.node = "there"
    harness.pass(.seconds(11))
    harness.edge.tellSystem(moved)
    hand.client.isStalled = false
    #expect(!hand.packets().contains { $0[0] >> 4 == 3 && $0.count < 1000 })
    harness.pass(.seconds(11))
    harness.edge.tellSystem(moved)
    #expect(hand.packets() == [MQTTHand.publish("$SYS/broker/node", "there")])
  }
}
