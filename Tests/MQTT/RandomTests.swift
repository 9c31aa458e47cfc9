import Core
import MQTT
import TestSupport
import Testing

/// Packets that nobody thought of.
@Suite struct RandomTests {
  private static let seeds: [UInt64] = [0x6d71_7474, 5, 311]

  @Test("Any packet that can be made is written in the size that was told and read as it was", arguments: seeds)
  func roundTrips(seed: UInt64) {
    print("seed \(seed)")
    var chance = PacketMaker(seed: seed)
    for round in 0..<1500 {
      let (packet, version, role) = chance.packet()
      let bytes = written(packet, version)
      #expect(packet.owned?.encodedSize(version) ?? bytes.count == bytes.count, "seed \(seed) round \(round): \(packet)")
      let outcomes: [Outcome] =
        if case .connect = packet { receive([bytes], MQTTDecoder(serverWith: .standard)) } else { received(bytes, by: role, version) }
      #expect(outcomes == [.packet(packet)], "seed \(seed) round \(round): \(packet) as \(bytes)")
    }
  }

  @Test("Any message that can be made is read as it was", arguments: seeds)
  func messages(seed: UInt64) {
    print("seed \(seed)")
    var chance = PacketMaker(seed: seed)
    for round in 0..<1500 {
      let version = chance.version()
      let (head, message, properties) = chance.message(version)
      let bytes = written { head.append(version, topic: Bytes(message.topic), payload: Bytes(message.payload), properties: properties, into: &$0) }
      var expected = message
      if head.omitsTopic { expected.topic = "" }
      #expect(clientReceives(bytes, version) == [.publish(expected)], "seed \(seed) round \(round): \(bytes)")
      let told = head.encodedSize(
        version, topicSize: message.topic.utf8.count, sharedPropertySize: properties.encodedSize, payloadSize: message.payload.count)
      #expect(told == bytes.count, "seed \(seed) round \(round)")
    }
  }

  @Test("Cut anywhere or damaged anyhow, no packet crashes the decoder, and none is read beyond its end", arguments: seeds)
  func damage(seed: UInt64) {
    print("seed \(seed)")
    var chance = PacketMaker(seed: seed)
    for _ in 0..<600 {
      let (packet, version, role) = chance.packet()
      var bytes = written(packet, version)
      let before: [UInt8] = if case .connect = packet { [] } else { role == .server ? hello(version) : [] }
      for _ in 0..<chance.below(4) where !bytes.isEmpty { bytes[chance.below(bytes.count)] = UInt8(chance.below(256)) }
      let input = before + bytes.prefix(chance.below(bytes.count + 1))
      let decoder = role == .server ? MQTTDecoder(serverWith: .standard) : MQTTDecoder(client: version)
      let whole = receive([input], decoder)
      let cut = chance.below(input.count + 1)
      #expect(receive([Array(input[..<cut]), Array(input[cut...])], decoder) == whole, "seed \(seed): \(input) cut at \(cut)")
    }
  }

  @Test("Any bytes whatever are a packet, a refusal or not enough", arguments: seeds)
  func noise(seed: UInt64) {
    print("seed \(seed)")
    var chance = PacketMaker(seed: seed)
    var refused = 0
    for _ in 0..<3000 {
      let bytes = chance.bytes(upTo: 40)
      if case .failed? = received(bytes, by: chance.below(2) == 0 ? .server : .client, chance.version()).last { refused += 1 }
    }
    #expect(refused > 1000)
  }
}
