import Core
import MQTT
import Testing

@Suite struct PublishTests {
  static let properties: MQTTProperties = {
    var properties = MQTTProperties()
    properties.isPayloadText = true
    properties.messageExpiry = 60
    properties.contentType = Bytes("t/p")
    properties.responseTopic = Bytes("r")
    properties.correlationData = Bytes([0, 9])
    properties.appendUserProperty(Bytes("k"), Bytes("1"))
    properties.appendUserProperty(Bytes("k"), Bytes("2"))
    return properties
  }()
  static let propertyBytes = wire(
    0x01, 1, 0x02, 0, 0, 0, 60, 0x03, 0, 3, "t/p", 0x08, 0, 1, "r", 0x09, 0, 2, 0, 9, 0x26, 0, 1, "k", 0, 1, "1", 0x26, 0, 1, "k", 0, 1, "2")

  static let rich: Message = {
    var message = Message("a/b", "hi")
    message.isPayloadText = true
    message.messageExpiry = 60
    message.contentType = "t/p"
    message.responseTopic = "r"
    message.correlationData = [0, 9]
    message.userProperties = [["k", "1"], ["k", "2"]]
    return message
  }()

  @Test("3.1.1: exact bytes of every QoS, with and without flags", arguments: [MQTTVersion.v31, .v311], [MQTTRole.server, .client])
  func old(version: MQTTVersion, role: MQTTRole) {
    #expect(written(MQTTPublishHead(), version, "a/b", "hi") == wire(0x30, 7, 0, 3, "a/b", "hi"))
    #expect(received(wire(0x30, 7, 0, 3, "a/b", "hi"), by: role, version) == [.publish(Message("a/b", "hi"))])
    var message = Message("a/b", "", qos: .atLeastOnce, id: 0x0102)
    message.isRetained = true
    #expect(written(MQTTPublishHead(qos: .atLeastOnce, isRetained: true, packetIdentifier: 0x0102), version, "a/b", "") == wire(0x33, 7, 0, 3, "a/b", 1, 2))
    #expect(received(wire(0x33, 7, 0, 3, "a/b", 1, 2), by: role, version) == [.publish(message)])
    message = Message("a/b", "x", qos: .exactlyOnce, id: 0xffff)
    message.isDuplicate = true
    #expect(written(MQTTPublishHead(qos: .exactlyOnce, isDuplicate: true, packetIdentifier: 0xffff), version, "a/b", "x") == wire(0x3c, 8, 0, 3, "a/b", 0xff, 0xff, "x"))
    #expect(received(wire(0x3c, 8, 0, 3, "a/b", 0xff, 0xff, "x"), by: role, version) == [.publish(message)])
    // Its properties stay behind.
    #expect(written(MQTTPublishHead(), version, "a/b", "hi", PublishTests.properties) == wire(0x30, 7, 0, 3, "a/b", "hi"))
  }

  @Test("5.0: exact bytes with no property and with all", arguments: [MQTTRole.server, .client])
  func new(role: MQTTRole) {
    #expect(written(MQTTPublishHead(), .v5, "a/b", "hi") == wire(0x30, 8, 0, 3, "a/b", 0, "hi"))
    #expect(received(wire(0x30, 8, 0, 3, "a/b", 0, "hi"), by: role, .v5) == [.publish(Message("a/b", "hi"))])
    let bytes = wire(0x30, 44, 0, 3, "a/b", 36) + PublishTests.propertyBytes + wire("hi")
    #expect(PublishTests.propertyBytes.count == 36)
    #expect(written(MQTTPublishHead(), .v5, "a/b", "hi", PublishTests.properties) == bytes)
    #expect(received(bytes, by: role, .v5) == [.publish(PublishTests.rich)])
  }

  @Test("5.0: alias and subscription identifiers go before what is shared")
  func own() {
    var head = MQTTPublishHead(qos: .exactlyOnce, packetIdentifier: 1)
    head.topicAlias = 0x0203
    head.subscriptionIdentifiers = [1, 128, 268_435_455]
    let own = wire(0x23, 2, 3, 0x0b, 1, 0x0b, 0x80, 1, 0x0b, 0xff, 0xff, 0xff, 0x7f)
    let bytes = wire(0x34, 59, 0, 3, "a/b", 0, 1, 49) + own + PublishTests.propertyBytes + wire("hi")
    #expect(written(head, .v5, "a/b", "hi", PublishTests.properties) == bytes)
    var message = PublishTests.rich
    message.qos = .exactlyOnce
    message.packetIdentifier = 1
    message.topicAlias = 0x0203
    message.subscriptionIdentifiers = [1, 128, 268_435_455]
    #expect(clientReceives(bytes, .v5) == [.publish(message)])

    head.omitsTopic = true
    message.topic = ""
    let short = wire(0x34, 56, 0, 0, 0, 1, 49) + own + PublishTests.propertyBytes + wire("hi")
    #expect(written(head, .v5, "a/b", "hi", PublishTests.properties) == short)
    #expect(clientReceives(short, .v5) == [.publish(message)])
  }

  @Test("The parts of a PUBLISH are places in the input, wherever it begins there")
  func places() throws {
    let publish = wire(0x32, 10, 0, 3, "a/b", 0, 5, 0, "hi")
    let input = [0xc0, 0] + publish + [0xc0, 0]
    var decoder = MQTTDecoder(client: .v5)
    var offset = 2
    guard case .packet(.publish(let found)) = decoder.next(input.span.bytes, &offset) else {
      Issue.record("no PUBLISH")
      return
    }
    #expect(offset == 2 + publish.count)
    #expect(found.topic == 6..<9)
    #expect(found.properties == 12..<12)
    #expect(found.payload == 12..<14)
    #expect(written { found.append(.v5, from: input.span.bytes, into: &$0) } == publish)
    #expect(written { found.append(.v311, from: input.span.bytes, into: &$0) } == wire(0x32, 9, 0, 3, "a/b", 0, 5, "hi"))
  }

  static func heads(_ version: MQTTVersion) -> [MQTTPublishHead] {
    var heads = [
      MQTTPublishHead(), MQTTPublishHead(isRetained: true), MQTTPublishHead(qos: .atLeastOnce, packetIdentifier: 1),
      MQTTPublishHead(qos: .exactlyOnce, isDuplicate: true, isRetained: true, packetIdentifier: 0xffff),
    ]
    guard version == .v5 else { return heads }
    for index in heads.indices {
      var head = heads[index]
      head.subscriptionIdentifiers = [7, 200_000]
      heads.append(head)
      head.topicAlias = 9
      heads.append(head)
      head.omitsTopic = true
      heads.append(head)
    }
    return heads
  }

  @Test(
    "A rendering is a whole PUBLISH of QoS 0, and with a head of its own before its rest every other",
    arguments: MQTTVersion.allCases, [0, 1, 100, 120, 127, 128, 16_000, 16_383, 2_097_152])
  func rendering(version: MQTTVersion, payloadSize: Int) {
    // Properties whose length takes one byte, two and three.
    for valueSize in [0, 80, 100, 20_000] {
      var properties = PublishTests.properties
      properties.appendUserProperty(Bytes("long"), Bytes(String(repeating: "y", count: valueSize)))
      check(version, String(repeating: "x", count: payloadSize), properties)
    }
  }

  private func check(_ version: MQTTVersion, _ payload: String, _ shared: MQTTProperties) {
    var properties = ByteBuffer()
    shared.append(into: &properties)
    // Not the first in its buffer, as in a real one.
    var buffer = ByteBuffer()
    buffer.append("before")
    let rendering = MQTTPublishRendering.append(
      version, topic: Bytes("a/b").bytes, properties: properties.bytes, payload: Bytes(payload).bytes, into: &buffer)
    let whole = Array(buffer.freeze().array.dropFirst(6))
    #expect(rendering.size == whole.count)
    #expect(whole == written(MQTTPublishHead(), version, "a/b", payload, shared))
    #expect(Array(whole[rendering.topic]) == Array("a/b".utf8))
    for head in PublishTests.heads(version) {
      let bytes = written { rendering.append(head, of: whole.span.bytes, into: &$0) } + whole[rendering.rest]
      #expect(bytes == written(head, version, "a/b", payload, shared), "\(head)")
      #expect(rendering.encodedSize(head) == bytes.count)
      let told = head.encodedSize(version, topicSize: 3, sharedPropertySize: shared.encodedSize, payloadSize: payload.utf8.count)
      #expect(told == bytes.count, "properties count in 5.0 only")
      #expect(head.isPlain == (bytes == whole), "\(head)")
    }
  }

  @Test("An empty topic needs an alias in 5.0; before, it is for the topic to be refused")
  func emptyTopic() {
    #expect(serverReceives(wire(0x30, 3, 0, 0, 0), .v5) == [.failed(.topicMissing)])
    #expect(serverReceives(wire(0x30, 6, 0, 0, 3, 0x23, 0, 0), .v5) == [.failed(.topicAliasZero)])
    #expect(MQTTDecodeFailure.topicAliasZero.reasonCode == .topicAliasInvalid)
    var aliased = Message()
    aliased.topicAlias = 1
    #expect(serverReceives(wire(0x30, 6, 0, 0, 3, 0x23, 0, 1), .v5) == [.publish(aliased)])
    #expect(serverReceives(wire(0x30, 2, 0, 0), .v311) == [.publish(Message())])
  }
}
