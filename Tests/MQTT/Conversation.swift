import Core
import MQTT
import TestSupport

/// What came out of a connection, as values that can be compared: a PUBLISH with its parts copied, because its places rightly
/// depend on what the decoder was shown.
enum Outcome: Equatable {
  case packet(MQTTPacket)
  case publish(Message)
  case failed(MQTTDecodeFailure)
}

/// A PUBLISH that owns its parts.
struct Message: Equatable {
  var qos = MQTTQoS.atMostOnce
  var isDuplicate = false
  var isRetained = false
  var packetIdentifier: UInt16 = 0
  var topicAlias: UInt16 = 0
  var topic = ""
  var payload: [UInt8] = []
  var isPayloadText = false
  var messageExpiry: UInt32?
  var contentType: String?
  var responseTopic: String?
  var correlationData: [UInt8]?
  var userProperties: [[String]] = []
  var subscriptionIdentifiers: [UInt32] = []

  init(_ topic: String = "", _ payload: String = "", qos: MQTTQoS = .atMostOnce, id: UInt16 = 0) {
    self.topic = topic
    self.payload = Array(payload.utf8)
    self.qos = qos
    packetIdentifier = id
  }

  init(_ publish: MQTTPublish, in input: RawSpan) {
    func copy(_ place: Range<Int>) -> [UInt8] { input.extracting(place).withUnsafeBytes { [UInt8]($0) } }
    qos = publish.qos
    isDuplicate = publish.isDuplicate
    isRetained = publish.isRetained
    packetIdentifier = publish.packetIdentifier
    topicAlias = publish.topicAlias
    topic = input.text(publish.topic)
    payload = copy(publish.payload)
    isPayloadText = publish.isPayloadText
    messageExpiry = publish.messageExpiry
    contentType = publish.contentType.map { input.text($0) }
    responseTopic = publish.responseTopic.map { input.text($0) }
    correlationData = publish.correlationData.map { copy($0) }
    var parts = MQTTPropertyReader(input, publish.properties, of: .publish, limits: MQTTLimits(userProperties: 0xffff))
    do {
      while let part = try parts.next() {
        if part.identifier == .userProperty { userProperties.append([input.text(part.name), input.text(part.value)]) }
        if part.identifier == .subscriptionIdentifier { subscriptionIdentifiers.append(part.number) }
      }
    } catch {
      preconditionFailure("properties that the decoder let pass: \(error)")
    }
    precondition(userProperties.count == publish.userPropertyCount, "user properties are counted wrongly")
    precondition(subscriptionIdentifiers.count == publish.subscriptionIdentifierCount, "identifiers are counted wrongly")
  }
}

/// Feeds pieces as a connection would and collects what comes out, a failure last.
func receive(_ pieces: [[UInt8]], _ decoder: MQTTDecoder) -> [Outcome] {
  var decoder = decoder
  var outcomes: [Outcome] = []
  CodecVerifier.feed(pieces) { shown in
    var offset = 0
    let step = decoder.next(shown, &offset)
    precondition(offset >= 0 && offset <= shown.byteCount, "took bytes that were not there")
    switch step {
    case .needMore(let least):
      precondition(least > 0 && offset == 0, "asked for nothing, or took something and said nothing")
      return .needMore
    case .packet(.publish(let publish)): outcomes.append(.publish(Message(publish, in: shown)))
    case .packet(let packet): outcomes.append(.packet(packet))
    case .failed(let failure):
      outcomes.append(.failed(failure))
      return .stop
    case .finished: return .stop
    }
    return .took(offset)
  }
  return outcomes
}

/// What a server that has taken a CONNECT of `version` makes of `bytes`.
func serverReceives(_ bytes: [UInt8], _ version: MQTTVersion, _ limits: MQTTLimits = .standard) -> [Outcome] {
  let outcomes = receive([hello(version) + bytes], MQTTDecoder(serverWith: limits))
  precondition(outcomes.first == .packet(.connect(MQTTConnect(version, clientIdentifier: Bytes("c")))), "the hello was refused: \(outcomes)")
  return Array(outcomes.dropFirst())
}

func clientReceives(_ bytes: [UInt8], _ version: MQTTVersion, _ limits: MQTTLimits = .standard) -> [Outcome] {
  receive([bytes], MQTTDecoder(client: version, limits: limits))
}

/// What `role` makes of `bytes` amid a connection.
func received(_ bytes: [UInt8], by role: MQTTRole, _ version: MQTTVersion, _ limits: MQTTLimits = .standard) -> [Outcome] {
  role == .server ? serverReceives(bytes, version, limits) : clientReceives(bytes, version, limits)
}

/// A small CONNECT.
func hello(_ version: MQTTVersion) -> [UInt8] {
  switch version {
  case .v31: wire(0x10, 15, 0, 6, "MQIsdp", 3, 0x02, 0, 0, 0, 1, "c")
  case .v311: wire(0x10, 13, 0, 4, "MQTT", 4, 0x02, 0, 0, 0, 1, "c")
  case .v5: wire(0x10, 14, 0, 4, "MQTT", 5, 0x02, 0, 0, 0, 0, 1, "c")
  }
}

/// Bytes written out: numbers are bytes, strings their characters.
func wire(_ pieces: Wire...) -> [UInt8] { pieces.flatMap(\.bytes) }

/// A packet whose length is computed, for bodies that are not the point or are wrong on purpose.
func packet(_ first: UInt8, _ body: [UInt8]) -> [UInt8] {
  [first] + variable(body.count) + body
}

func packet(_ first: UInt8, _ pieces: Wire...) -> [UInt8] { packet(first, pieces.flatMap(\.bytes)) }

func variable(_ value: Int) -> [UInt8] {
  var rest = value
  var bytes: [UInt8] = []
  repeat {
    bytes.append(UInt8(rest % 128) + (rest >= 128 ? 128 : 0))
    rest /= 128
  } while rest > 0
  return bytes
}

func text(_ text: String) -> Wire { Wire(bytes: [UInt8(text.utf8.count >> 8), UInt8(text.utf8.count & 0xff)] + Array(text.utf8)) }

func field(_ bytes: [UInt8]) -> [UInt8] { [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xff)] + bytes }

struct Wire: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
  let bytes: [UInt8]

  init(bytes: [UInt8]) { self.bytes = bytes }
  init(integerLiteral value: UInt8) { bytes = [value] }
  init(stringLiteral value: String) { bytes = Array(value.utf8) }
}

/// Bytes written by an encoder.
func written(_ body: (inout ByteBuffer) -> Void) -> [UInt8] {
  var buffer = ByteBuffer()
  body(&buffer)
  return buffer.freeze().array
}

func written(_ packet: MQTTPacket, _ version: MQTTVersion) -> [UInt8] {
  written { packet.append(version, from: RawSpan(), into: &$0) }
}

/// A message as bytes.
func written(
  _ head: MQTTPublishHead, _ version: MQTTVersion, _ topic: String, _ payload: String, _ properties: MQTTProperties = MQTTProperties()
) -> [UInt8] {
  written { head.append(version, topic: Bytes(topic), payload: Bytes(payload), properties: properties, into: &$0) }
}
