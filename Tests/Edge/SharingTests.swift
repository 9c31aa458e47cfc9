import Core
import Feeds
import MQTT
import Testing

@testable import Edge

/// A client of MQTT 5.0 that takes two messages at once, byte by byte.
private struct Device {
  let client: TestClient
  private var mid: UInt8 = 0

  init(_ harness: EdgeHarness, _ name: String, isKept: Bool = false) throws {
    client = try harness.connectMQTT()
    let properties: [UInt8] = [0x21, 0, 2] + (isKept ? [0x11, 0, 0, 0, 60] : [])
    let identifier = [0, UInt8(name.utf8.count)] + Array(name.utf8)
    let body = [0, 4] + Array("MQTT".utf8) + [5, 2, 0, 60, UInt8(properties.count)] + properties + identifier
    client.send([0x10, UInt8(body.count)] + body)
    harness.settle()
    #expect(take().map { $0[0] } == [0x20])
  }

  mutating func subscribe(_ filters: [(String, UInt8)], _ harness: EdgeHarness) {
    mid += 1
    var body: [UInt8] = [0, mid, 0]
    for (filter, qos) in filters { body += [0, UInt8(filter.utf8.count)] + Array(filter.utf8) + [qos] }
    client.send([0x82, UInt8(body.count)] + body)
    harness.settle()
  }

  mutating func unsubscribe(_ filter: String, _ harness: EdgeHarness) {
    mid += 1
    client.send([0xa2, UInt8(5 + filter.utf8.count), 0, mid, 0, 0, UInt8(filter.utf8.count)] + Array(filter.utf8))
    harness.settle()
  }

  func acknowledge(_ message: Message, _ harness: EdgeHarness, with packet: UInt8 = 0x40) {
    client.send([packet, 2, UInt8(message.mid >> 8), UInt8(message.mid & 0xff)])
    harness.settle()
  }

  /// Packets, each whole; none here is longer than its length's first byte says.
  func take() -> [[UInt8]] {
    var bytes = client.takeBytes()
    var packets: [[UInt8]] = []
    while bytes.count >= 2 {
      let end = 2 + Int(bytes[1])
      packets.append(Array(bytes[..<end]))
      bytes.removeFirst(end)
    }
    return packets
  }

  struct Message: Equatable {
    var payload: String
    var qos: UInt8
    var mid: UInt16
  }

  func messages() -> [Message] {
    take().filter { $0[0] >> 4 == 3 }.map { packet in
      let topic = Int(packet[3])
      let qos = packet[0] >> 1 & 3
      let properties = 4 + topic + (qos > 0 ? 2 : 0)
      let start = properties + 1 + Int(packet[properties])
      let mid = qos > 0 ? UInt16(packet[4 + topic]) << 8 | UInt16(packet[5 + topic]) : 0
      return Message(payload: String(decoding: packet[start...], as: UTF8.self), qos: qos, mid: mid)
    }
  }
}

@Suite("Shared subscriptions at an edge") struct SharingTests {
  private let filter = "$share/g/a/+"
  private let group = GroupName(name: Bytes("g"), filter: try! Filter("a/+"))

  private func harness() throws -> EdgeHarness { try EdgeHarness(shards: 2) { $0.mqtt.sessionExpiryMaximum = 600 } }

  private func joins(_ shard: ModelShard) -> [GroupMembership] {
    shard.takeGroupRequests().compactMap { if case .join(let membership) = $0.operation { membership } else { nil } }
  }

  /// Gives the edge so many messages of one topic for the group.
  private func give(_ payloads: [String], of topic: String, _ opening: UInt64, _ harness: EdgeHarness) -> [Offset] {
    let shard = harness.shard(of: topic)
    let offsets = payloads.map { harness.publish(topic, $0, settling: false).offset }
    shard.tell(.push(GroupPush(group: group, opening: opening, pieces: offsets.map { shard.log[Int($0.value) - 1] })))
    harness.settle()
    return offsets
  }

  @Test("SUBACK comes when every shard has the member; a shard without room makes it 0x97")
  func subscribes() throws {
    let harness = try harness()
    harness.shards[1].answersGroups = false
    var device = try Device(harness, "one")
    device.subscribe([(filter, 1), ("b", 1)], harness)
    #expect(device.take() == [])
    let request = try #require(harness.shards[1].takeGroupRequests().first)
    guard case .join(let membership) = request.operation else { Issue.record("no join"); return }
    #expect(request.group == group && membership.members == 1 && membership.credit == 2)
    harness.shards[1].tell(.answer(request.ticket, nil))
    harness.shards[1].answersGroups = true
    harness.settle()
    #expect(device.take() == [[0x90, 5, 0, 1, 0, 1, 1]])
    device.subscribe([("$share/h/b", 0), (filter, 0)], harness)
    #expect(device.take() == [[0x90, 5, 0, 2, 0, 0, 0]])
    harness.shards[0].refusal = .overloaded
    harness.shards[1].refusal = .overloaded
    device.subscribe([("$share/full/#", 2), ("$share/+/a", 2)], harness)
    #expect(device.take() == [[0x90, 5, 0, 3, 0, 0x97, 0x8f]])
  }

  @Test("Members take turns as far as their windows are open, and each message is acknowledged to its shard once its client did")
  func turns() throws {
    let harness = try harness()
    var one = try Device(harness, "one")
    var two = try Device(harness, "two")
    one.subscribe([(filter, 1)], harness)
    two.subscribe([(filter, 0)], harness)
    let shard = harness.shard(of: "a/x")
    let joined = joins(shard)
    #expect(joined.map(\.members) == [1, 2] && Set(joined.map(\.opening)).count == 1 && joined[1].credit == 256)
    (_, _) = (one.take(), two.take())
    let offsets = give((1...8).map(String.init), of: "a/x", joined[0].opening, harness)
    let (first, second) = (one.messages(), two.messages())
    #expect(first.count == 2 && first.allSatisfy { $0.qos == 1 } && second.count == 6 && second.allSatisfy { $0.qos == 0 })
    #expect(Set((first + second).map(\.payload)).count == 8)
    func acknowledged() -> Set<Offset> {
      Set(shard.takeGroupRequests().flatMap { request -> [Offset] in if case .acknowledge(let offsets) = request.operation { offsets } else { [] } })
    }
    #expect(acknowledged() == Set(second.map { offsets[Int($0.payload)! - 1] }))
    one.acknowledge(first[0], harness)
    #expect(acknowledged() == [offsets[Int(first[0].payload)! - 1]])
  }

  @Test("What a client had that is gone goes to another here; with the last one it goes back, and the shard hears who left how")
  func leaves() throws {
    let harness = try harness()
    var one = try Device(harness, "one")
    var two = try Device(harness, "two")
    for number in [1, 2] {
      if number == 1 { one.subscribe([(filter, 1)], harness) } else { two.subscribe([(filter, 1)], harness) }
    }
    (_, _) = (one.take(), two.take())
    let shard = harness.shard(of: "a/x")
    let opening = try #require(joins(shard).first?.opening)
    let offsets = give(["1", "2", "3", "4", "5"], of: "a/x", opening, harness)
    let (first, second) = (one.messages(), two.messages())
    #expect(first.count == 2 && second.count == 2)
    one.client.close()
    harness.settle()
    _ = shard.takeGroupRequests()
    two.acknowledge(second[0], harness)
    two.acknowledge(second[1], harness)
    #expect(two.messages().map(\.payload) == first.map(\.payload))
    _ = shard.takeGroupRequests()
    two.unsubscribe(filter, harness)
    #expect(two.take() == [[0xb0, 4, 0, 2, 0, 0]])
    var said = shard.takeGroupRequests().map { "\($0.operation)" }
    #expect(said == ["\(GroupRequest.Operation.release(opening: opening, [offsets[4]]))", "\(GroupRequest.Operation.leave(opening: opening, forGood: true))"])
    // What it had it has to the end, and is given back when it goes.
    two.client.close()
    harness.settle()
    said = shard.takeGroupRequests().map { "\($0.operation)" }
    let had = first.map { offsets[Int($0.payload)! - 1] }
    #expect(said == ["\(GroupRequest.Operation.release(opening: opening, had.reversed()))"])
  }

  @Test("QoS 2: what was sent to a client that is gone is nobody else's, whether it was received or not")
  func exactlyOnce() throws {
    let harness = try harness()
    var one = try Device(harness, "one")
    one.subscribe([(filter, 2)], harness)
    _ = one.take()
    let shard = harness.shard(of: "a/x")
    let opening = try #require(joins(shard).first?.opening)
    let offsets = give(["1", "2", "3"], of: "a/x", opening, harness)
    let sent = one.messages()
    #expect(sent.map(\.qos) == [2, 2])
    one.acknowledge(sent[0], harness, with: 0x50)
    guard case .acknowledge([offsets[0]])? = shard.takeGroupRequests().first?.operation else { Issue.record("not acknowledged"); return }
    one.client.close()
    harness.settle()
    let said = shard.takeGroupRequests().map { "\($0.operation)" }
    #expect(
      said == [
        "\(GroupRequest.Operation.acknowledge([offsets[1]]))", "\(GroupRequest.Operation.release(opening: opening, [offsets[2]]))",
        "\(GroupRequest.Operation.leave(opening: opening, forGood: false))",
      ])
  }

  /// A client whose session is kept, in the group with QoS 2; the shard of `a/x`, and how the edge is known there.
  private func keptMember(_ harness: EdgeHarness) throws -> (client: Device, shard: ModelShard, opening: UInt64) {
    var client = try Device(harness, "one", isKept: true)
    client.subscribe([(filter, 2)], harness)
    _ = client.take()
    let shard = harness.shard(of: "a/x")
    return (client, shard, try #require(joins(shard).first?.opening))
  }

  @Test("QoS 2 of a session that is kept: its own once its shard has it and before it is sent; nobody's but the group's till then")
  func exactlyOnceKept() throws {
    let harness = try harness()
    let (one, shard, opening) = try keptMember(harness)
    func told() -> [String] { shard.takeGroupRequests().map { "\($0.operation)" }.filter { !$0.hasPrefix("join") } }
    for shard in harness.shards { shard.keepsSessionAnswers = true }
    let offsets = give(["1", "2"], of: "a/x", opening, harness)
    #expect(one.messages() == [] && told() == [])
    for shard in harness.shards {
      shard.keepsSessionAnswers = false
      shard.tellKeptAnswers()
    }
    harness.settle()
    #expect(one.messages().map(\.payload) == ["1", "2"])
    #expect(told() == ["\(GroupRequest.Operation.acknowledge(offsets))"])
    one.client.close()
    harness.settle()
    #expect(told() == ["\(GroupRequest.Operation.leave(opening: opening, forGood: false))"])
  }

  @Test("QoS 2 of a session that was lost, or is given back in vain, is another member's; one that is given back keeps it", arguments: [true, false])
  func exactlyOnceLost(comesBack: Bool) throws {
    for isLost in [true, false] {
      let harness = try harness()
      let (one, shard, opening) = try keptMember(harness)
      // No save is answered while the connection is there, if it is to be given back.
      for shard in harness.shards { shard.sessions.refusal = comesBack ? .noQuorum : .sessionLost }
      let offsets = give(["1"], of: "a/x", opening, harness)
      #expect(one.messages() == [])
      one.client.close()
      harness.settle()
      for shard in harness.shards { shard.sessions.refusal = isLost ? .sessionLost : nil }
      harness.pass(.seconds(3))
      let told = shard.takeGroupRequests().map { "\($0.operation)" }
      let isKept = comesBack && !isLost
      #expect(told.contains("\(GroupRequest.Operation.acknowledge(offsets))") == isKept)
      #expect(told.contains("\(GroupRequest.Operation.release(opening: opening, offsets))") == !isKept)
    }
  }

  @Test("With another leader the edge joins anew, says what its clients hold, and takes nothing more of the old one")
  func anotherLeader() throws {
    let harness = try harness()
    var one = try Device(harness, "one")
    one.subscribe([(filter, 1)], harness)
    _ = one.take()
    let shard = harness.shard(of: "a/x")
    let opening = try #require(joins(shard).first?.opening)
    let offsets = give(["1", "2", "3"], of: "a/x", opening, harness)
    let held = one.messages()
    shard.tell(.ended(.notLeader(nil)))
    harness.settle()
    let again = try #require(joins(shard).first)
    #expect(again.opening != opening && again.holding == [offsets[0], offsets[1]] && again.members == 1)
    _ = give(["of the old one"], of: "a/x", opening, harness)
    one.acknowledge(held[0], harness)
    one.acknowledge(held[1], harness)
    #expect(one.messages() == [])
    _ = give(["of the new one"], of: "a/x", again.opening, harness)
    #expect(one.messages().map(\.payload) == ["of the new one"])
  }

  @Test("What nobody here takes goes back after a while, and comes again once somebody does")
  func stuck() throws {
    let harness = try harness()
    var one = try Device(harness, "one")
    one.subscribe([(filter, 1)], harness)
    _ = one.take()
    let shard = harness.shard(of: "a/x")
    let opening = try #require(joins(shard).first?.opening)
    let offsets = give(["1", "2", "3", "4"], of: "a/x", opening, harness)
    let held = one.messages()
    #expect(held.count == 2)
    harness.pass(.seconds(2))
    #expect(shard.takeGroupRequests().isEmpty)
    harness.pass(.seconds(6))
    let said = shard.takeGroupRequests().map { "\($0.operation)" }
    #expect(said.last == "\(GroupRequest.Operation.release(opening: opening, [offsets[2], offsets[3]]))", "\(said)")
    one.acknowledge(held[0], harness)
    _ = give(["5"], of: "a/x", opening, harness)
    #expect(one.messages().map(\.payload) == ["5"])
  }

  @Test("A gap is told to one member, as a message to $tidings/gap")
  func gap() throws {
    let harness = try harness()
    var one = try Device(harness, "one")
    var two = try Device(harness, "two")
    one.subscribe([(filter, 1)], harness)
    two.subscribe([(filter, 1)], harness)
    (_, _) = (one.take(), two.take())
    let shard = harness.shard(of: "a/x")
    let opening = try #require(joins(shard).first?.opening)
    let gap = ReadGap(reason: .expired, from: Offset(3), to: Offset(9), skipped: 6)
    shard.tell(.push(GroupPush(group: group, opening: opening, pieces: [], gap: gap)))
    harness.settle()
    let told = one.messages() + two.messages()
    let (from, to) = (harness.cursor([Position(shard.id, Offset(3))]), harness.cursor([Position(shard.id, Offset(9))]))
    #expect(told.map(\.payload) == ["{\"reason\":\"expired\",\"from\":\"\(from)\",\"to\":\"\(to)\",\"skipped\":6}"])
  }
}
