import Core
import MQTT
import Testing

@Suite struct PropertyTests {
  /// A place properties stand in: who may send the packet, and the packet around them.
  struct Place: Sendable, CustomStringConvertible {
    let name: String
    let place: MQTTPropertyPlaces
    let role: MQTTRole
    let around: @Sendable ([UInt8]) -> [UInt8]
    var description: String { name }
  }

  static func withLength(_ properties: [UInt8]) -> [UInt8] { variable(properties.count) + properties }

  static let places: [Place] = [
    Place(name: "CONNECT", place: .connect, role: .server) { packet(0x10, field(Array("MQTT".utf8)) + [5, 2, 0, 0] + withLength($0) + [0, 0]) },
    Place(name: "will", place: .will, role: .server) {
      packet(0x10, field(Array("MQTT".utf8)) + [5, 6, 0, 0, 0, 0, 0] + withLength($0) + [0, 1, 0x77, 0, 0])
    },
    Place(name: "CONNACK", place: .connectAck, role: .client) { packet(0x20, [0, 0] + withLength($0)) },
    Place(name: "PUBLISH", place: .publish, role: .client) { packet(0x30, [0, 1, 0x61] + withLength($0)) },
    Place(name: "PUBACK", place: .publishAck, role: .server) { packet(0x40, [0, 1, 0] + withLength($0)) },
    Place(name: "PUBREC", place: .publishReceived, role: .client) { packet(0x50, [0, 1, 0] + withLength($0)) },
    Place(name: "PUBREL", place: .publishRelease, role: .server) { packet(0x62, [0, 1, 0] + withLength($0)) },
    Place(name: "PUBCOMP", place: .publishComplete, role: .client) { packet(0x70, [0, 1, 0] + withLength($0)) },
    Place(name: "SUBSCRIBE", place: .subscribe, role: .server) { packet(0x82, [0, 1] + withLength($0) + [0, 1, 0x61, 0]) },
    Place(name: "SUBACK", place: .subscribeAck, role: .client) { packet(0x90, [0, 1] + withLength($0) + [0]) },
    Place(name: "UNSUBSCRIBE", place: .unsubscribe, role: .server) { packet(0xa2, [0, 1] + withLength($0) + [0, 1, 0x61]) },
    Place(name: "UNSUBACK", place: .unsubscribeAck, role: .client) { packet(0xb0, [0, 1] + withLength($0) + [0]) },
    Place(name: "DISCONNECT", place: .disconnect, role: .server) { packet(0xe0, [0] + withLength($0)) },
    Place(name: "AUTH", place: .authentication, role: .server) { packet(0xf0, [0x18] + withLength($0)) },
  ]

  /// Every property as bytes, with where the specification's table 2-4 lets it stand, written out once more.
  static let table: [(MQTTPropertyIdentifier, [UInt8], MQTTProperty.Value, Set<String>)] = [
    (.payloadFormat, [1, 1], .number(1), ["PUBLISH", "will"]),
    (.messageExpiry, [2, 0, 1, 2, 3], .number(0x010203), ["PUBLISH", "will"]),
    (.contentType, wire(3, 0, 1, "t"), .bytes(Bytes("t")), ["PUBLISH", "will"]),
    (.responseTopic, wire(8, 0, 1, "r"), .bytes(Bytes("r")), ["PUBLISH", "will"]),
    (.correlationData, [9, 0, 2, 0, 0xff], .bytes(Bytes([0, 0xff])), ["PUBLISH", "will"]),
    (.subscriptionIdentifier, [11, 0x80, 1], .number(128), ["PUBLISH", "SUBSCRIBE"]),
    (.sessionExpiry, [17, 0xff, 0xff, 0xff, 0xff], .number(.max), ["CONNECT", "CONNACK", "DISCONNECT"]),
    (.assignedClientIdentifier, wire(18, 0, 2, "id"), .bytes(Bytes("id")), ["CONNACK"]),
    (.serverKeepAlive, [19, 1, 2], .number(0x0102), ["CONNACK"]),
    (.authenticationMethod, wire(21, 0, 1, "M"), .bytes(Bytes("M")), ["CONNECT", "CONNACK", "AUTH"]),
    (.authenticationData, [22, 0, 1, 0], .bytes(Bytes([0])), ["CONNECT", "CONNACK", "AUTH"]),
    (.requestProblemInformation, [23, 0], .number(0), ["CONNECT"]),
    (.willDelay, [24, 0, 0, 0, 9], .number(9), ["will"]),
    (.requestResponseInformation, [25, 1], .number(1), ["CONNECT"]),
    (.responseInformation, wire(26, 0, 1, "i"), .bytes(Bytes("i")), ["CONNACK"]),
    (.serverReference, wire(28, 0, 1, "s"), .bytes(Bytes("s")), ["CONNACK", "DISCONNECT"]),
    (
      .reasonString, wire(31, 0, 2, "ü"), .bytes(Bytes("ü")),
      ["CONNACK", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBACK", "UNSUBACK", "DISCONNECT", "AUTH"]
    ),
    (.receiveMaximum, [33, 0, 1], .number(1), ["CONNECT", "CONNACK"]),
    (.topicAliasMaximum, [34, 0, 0], .number(0), ["CONNECT", "CONNACK"]),
    (.topicAlias, [35, 0, 1], .number(1), ["PUBLISH"]),
    (.maximumQoS, [36, 1], .number(1), ["CONNACK"]),
    (.retainAvailable, [37, 0], .number(0), ["CONNACK"]),
    (.userProperty, wire(38, 0, 1, "a", 0, 0), .pair(name: Bytes("a"), value: Bytes()), Set(places.map(\.name))),
    (.maximumPacketSize, [39, 0, 0, 0, 1], .number(1), ["CONNECT", "CONNACK"]),
    (.wildcardSubscriptionAvailable, [40, 1], .number(1), ["CONNACK"]),
    (.subscriptionIdentifierAvailable, [41, 0], .number(0), ["CONNACK"]),
    (.sharedSubscriptionAvailable, [42, 1], .number(1), ["CONNACK"]),
  ]

  /// What becomes of `properties` in `place`. An AUTH, and a CONNECT with data, are given the method they need.
  private func outcome(_ properties: [UInt8], in place: Place) -> Outcome? {
    let method = wire(21, 0, 1, "M")
    let isMethod = properties.starts(with: [21])
    let needsMethod = place.name == "AUTH" || (place.name == "CONNECT" && properties.starts(with: [22]))
    let bytes = place.around(properties + (needsMethod && !isMethod ? method : []))
    if place.name == "CONNECT" || place.name == "will" { return receive([bytes], MQTTDecoder(serverWith: .standard)).first }
    return received(bytes, by: place.role, .v5).first
  }

  private func properties(_ outcome: Outcome?, in place: Place) -> MQTTProperties? {
    guard case .packet(let packet) = outcome else { return nil }
    if place.name == "will", case .connect(let connect) = packet { return connect.will?.properties }
    return packet.owned?.properties
  }

  @Test("There are 27 properties, and each is tried")
  func complete() {
    #expect(MQTTPropertyIdentifier.allCases.count == 27)
    #expect(PropertyTests.table.map(\.0) == MQTTPropertyIdentifier.allCases)
  }

  @Test("Every property is read where it may stand and refused elsewhere", arguments: places)
  func everyProperty(place: Place) {
    for (identifier, bytes, value, allowed) in PropertyTests.table {
      let outcome = outcome(bytes, in: place)
      guard allowed.contains(place.name) else {
        #expect(outcome == .failed(.propertyNotAllowed), "\(identifier) in \(place)")
        continue
      }
      if case .publish = outcome { continue }
      let found = properties(outcome, in: place)
      #expect(found?.first(identifier) == value, "\(identifier) in \(place): \(String(describing: outcome))")
      #expect(found.map { found in written { found.append(into: &$0) } }?.starts(with: bytes) == true, "\(identifier) in \(place)")
    }
    #expect(MQTTDecodeFailure.propertyNotAllowed.reasonCode == .malformedPacket)
  }

  @Test("Every property but the user's stands once, and a message has as many identifiers as it matched", arguments: places)
  func once(place: Place) {
    for (identifier, bytes, _, allowed) in PropertyTests.table where allowed.contains(place.name) {
      let outcome = outcome(bytes + bytes, in: place)
      let mayRepeat = identifier == .userProperty || (identifier == .subscriptionIdentifier && place.name == "PUBLISH")
      #expect((outcome == .failed(.repeatedProperty)) == !mayRepeat, "\(identifier) in \(place): \(String(describing: outcome))")
    }
    #expect(MQTTDecodeFailure.repeatedProperty.reasonCode == .protocolError)
  }

  @Test("Every property that is cut short is refused", arguments: places)
  func truncated(place: Place) {
    for (identifier, bytes, _, allowed) in PropertyTests.table where allowed.contains(place.name) {
      for end in 1..<bytes.count {
        let packet = place.around(Array(bytes[..<end]))
        let outcomes =
          place.name == "CONNECT" || place.name == "will" ? receive([packet], MQTTDecoder(serverWith: .standard)) : received(packet, by: place.role, .v5)
        #expect(outcomes == [.failed(.truncated)], "\(identifier) in \(place) cut to \(end)")
      }
    }
  }

  @Test("A property that does not exist is refused", arguments: places)
  func unknown(place: Place) {
    for byte in UInt8.min...UInt8.max where MQTTPropertyIdentifier(rawValue: byte) == nil {
      #expect(outcome([byte, 0, 0, 0, 0], in: place) == .failed(.unknownProperty), "\(byte) in \(place)")
    }
  }

  static let badValues: [(String, [UInt8], MQTTDecodeFailure)] = [
    ("PUBLISH", [1, 2], .propertyOutOfRange), ("will", [1, 0xff], .propertyOutOfRange), ("CONNECT", [23, 2], .propertyOutOfRange),
    ("CONNECT", [25, 2], .propertyOutOfRange), ("CONNACK", [36, 2], .propertyOutOfRange), ("CONNACK", [37, 2], .propertyOutOfRange),
    ("CONNACK", [40, 2], .propertyOutOfRange), ("CONNACK", [41, 2], .propertyOutOfRange), ("CONNACK", [42, 2], .propertyOutOfRange),
    ("CONNECT", [33, 0, 0], .propertyOutOfRange), ("CONNACK", [33, 0, 0], .propertyOutOfRange),
    ("CONNECT", [39, 0, 0, 0, 0], .propertyOutOfRange), ("CONNACK", [39, 0, 0, 0, 0], .propertyOutOfRange),
    ("SUBSCRIBE", [11, 0], .propertyOutOfRange), ("PUBLISH", [11, 0], .propertyOutOfRange),
    ("SUBSCRIBE", [11, 0x80, 0x80, 0x80, 0x80, 1], .lengthTooLong), ("SUBSCRIBE", [11, 0x81, 0], .variableIntegerNotMinimal),
    ("PUBLISH", [35, 0, 0], .topicAliasZero), ("PUBLISH", wire(8, 0, 3, "a/+"), .responseTopicInvalid),
    ("will", wire(8, 0, 1, "#"), .responseTopicInvalid), ("PUBLISH", [8, 0, 0], .responseTopicInvalid),
    ("PUBLISH", [3, 0, 1, 0xff], .textNotUTF8), ("PUBACK", [31, 0, 1, 0], .textHasNull), ("CONNACK", [18, 0, 2, 0xc0, 0x80], .textNotUTF8),
    ("UNSUBACK", [38, 0, 1, 0, 0, 0], .textHasNull), ("UNSUBACK", [38, 0, 0, 0, 3, 0xed, 0xa0, 0x80], .textNotUTF8),
  ]

  @Test("A value that a property must not have is refused", arguments: badValues.indices)
  func values(index: Int) throws {
    let (name, bytes, failure) = PropertyTests.badValues[index]
    let place = try #require(PropertyTests.places.first { $0.name == name })
    #expect(outcome(bytes, in: place) == .failed(failure), "\(bytes) in \(name)")
  }

  @Test("Properties are for one side only: identifiers in a server's messages, session expiry in a client's DISCONNECT")
  func sides() {
    #expect(serverReceives(wire(0x30, 6, 0, 1, "a", 2, 0x0b, 1), .v5) == [.failed(.subscriptionIdentifierFromClient)])
    #expect(clientReceives([0xe0, 7, 0, 5, 0x11, 0, 0, 0, 1], .v5) == [.failed(.sessionExpiryFromServer)])
  }

  @Test("AUTH has a method, unless it is empty")
  func method() {
    #expect(serverReceives([0xf0, 1, 0x18], .v5) == [.failed(.authenticationMethodMissing)])
    #expect(serverReceives([0xf0, 2, 0x18, 0], .v5) == [.failed(.authenticationMethodMissing)])
    #expect(serverReceives([0xf0, 0], .v5) == [.packet(.authentication(MQTTAuthentication(.success)))])
  }

  @Test("Properties by their names are what was set, and nothing when nothing was")
  func names() {
    var properties = MQTTProperties()
    #expect(properties.receiveMaximum == nil && properties.isPayloadText == nil && properties.reasonString == nil && properties.maximumQoS == nil)
    properties.receiveMaximum = 7
    properties.maximumQoS = .atLeastOnce
    properties.retainAvailable = false
    properties.serverReference = Bytes("s")
    properties.appendUserProperty(Bytes("a"), Bytes("1"))
    properties.appendUserProperty(Bytes("a"), Bytes("2"))
    #expect(properties.receiveMaximum == 7 && properties.maximumQoS == .atLeastOnce && properties.retainAvailable == false)
    #expect(properties.serverReference == Bytes("s"))
    #expect(properties.userProperty("a") == Bytes("1"))
    #expect(properties.userProperty("b") == nil)
    properties.receiveMaximum = 8
    #expect(written { properties.append(into: &$0) } == wire(33, 0, 8, 36, 1, 37, 0, 28, 0, 1, "s", 38, 0, 1, "a", 0, 1, "1", 38, 0, 1, "a", 0, 1, "2"))
    properties.maximumQoS = .exactlyOnce
    properties.receiveMaximum = nil
    #expect(properties.maximumQoS == nil && properties.receiveMaximum == nil && properties.list.count == 4)
  }
}
