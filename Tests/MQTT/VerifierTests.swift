import Core
import MQTT
import TestSupport
import Testing

/// Where the bytes are cut must not change what they mean, for good input and for every way of damaging it.
@Suite struct VerifierTests {
  private static func conversation(_ role: MQTTRole, _ version: MQTTVersion) -> [Specimen] {
    PacketTests.all.filter { specimen in
      guard specimen.role == role, specimen.version == version else { return false }
      if case .disconnect = specimen.packet { return false }
      return true
    }
  }

  @Test("What a client sends means the same however it is cut, and damage too", arguments: MQTTVersion.allCases)
  func toServer(version: MQTTVersion) throws {
    let message = written(MQTTPublishHead(qos: .atLeastOnce, packetIdentifier: 3), version, "a/ü", "payload", PublishTests.properties)
    let specimens = VerifierTests.conversation(.server, version)
    let connect = try #require(ConnectTests.specimens.first { $0.version == version })
    let bytes = connect.bytes + message + specimens.flatMap(\.bytes) + [0xe0, 0]
    let outcomes = try CodecVerifier.verify(bytes) { receive($0, MQTTDecoder(serverWith: .standard)) }
    try #require(outcomes.count == specimens.count + 3)
    #expect(outcomes.first == .packet(connect.packet))
    #expect(Array(outcomes[2..<outcomes.count - 1]) == specimens.map { .packet($0.packet) })
    #expect(outcomes.last == .packet(.disconnect(MQTTDisconnect())))
  }

  @Test("What a server sends means the same however it is cut, and damage too", arguments: MQTTVersion.allCases)
  func toClient(version: MQTTVersion) throws {
    var head = MQTTPublishHead(qos: .exactlyOnce, isDuplicate: true, packetIdentifier: 3)
    if version == .v5 {
      head.topicAlias = 2
      head.subscriptionIdentifiers = [1, 300]
    }
    let specimens = VerifierTests.conversation(.client, version)
    let bytes = specimens.flatMap(\.bytes) + written(head, version, "a", "p", PublishTests.properties)
    let outcomes = try CodecVerifier.verify(bytes) { receive($0, MQTTDecoder(client: version)) }
    #expect(Array(outcomes.dropLast()) == specimens.map { .packet($0.packet) })
    for specimen in specimens.prefix(3) {
      try CodecVerifier.verify(specimen.bytes, followedBy: bytes) { receive($0, MQTTDecoder(client: version)) }
    }
  }

  @Test("What is refused is refused alike however it is cut")
  func refusals() throws {
    for offence in RefusalTests.offences {
      for version in offence.versions {
        if offence.role == .client {
          try CodecVerifier.verify(offence.bytes) { receive($0, MQTTDecoder(client: version)) }
        } else {
          try CodecVerifier.verify(hello(version) + offence.bytes) { receive($0, MQTTDecoder(serverWith: .standard)) }
        }
      }
    }
  }
}
