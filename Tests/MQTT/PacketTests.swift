import Core
import MQTT
import Testing

/// One packet and the bytes it is.
struct Specimen: Sendable, CustomStringConvertible {
  let role: MQTTRole
  let version: MQTTVersion
  let packet: MQTTPacket
  let bytes: [UInt8]

  /// `role` is who receives it.
  init(_ role: MQTTRole, _ version: MQTTVersion, _ packet: MQTTPacket, _ bytes: [UInt8]) {
    self.role = role
    self.version = version
    self.packet = packet
    self.bytes = bytes
  }

  var description: String { "\(version) \(packet)" }
}

/// Exact bytes, both ways, for every packet but CONNECT and PUBLISH, which have suites of their own.
@Suite struct PacketTests {
  static let reason: MQTTProperties = {
    var properties = MQTTProperties()
    properties.reasonString = Bytes("no")
    properties.appendUserProperty(Bytes("a"), Bytes("b"))
    return properties
  }()
  static let reasonBytes = wire(12, 0x1f, 0, 2, "no", 0x26, 0, 1, "a", 0, 1, "b")

  static let steps: [(MQTTDeliveryAck.Step, UInt8, MQTTReasonCode)] = [
    (.acknowledged, 0x40, .noMatchingSubscribers), (.received, 0x50, .quotaExceeded), (.release, 0x62, .packetIdentifierNotFound),
    (.complete, 0x70, .packetIdentifierNotFound),
  ]

  static let acks: [Specimen] = steps.flatMap { step, first, reason in
    [MQTTRole.server, .client].flatMap { role in
      [
        Specimen(role, .v31, .deliveryAck(MQTTDeliveryAck(step, 0x1234)), [first, 2, 0x12, 0x34]),
        Specimen(role, .v311, .deliveryAck(MQTTDeliveryAck(step, 0x1234)), [first, 2, 0x12, 0x34]),
        Specimen(role, .v5, .deliveryAck(MQTTDeliveryAck(step, 0xffff)), [first, 2, 0xff, 0xff]),
        Specimen(role, .v5, .deliveryAck(MQTTDeliveryAck(step, 1, reason)), [first, 3, 0, 1, reason.rawValue]),
        Specimen(
          role, .v5, .deliveryAck(MQTTDeliveryAck(step, 1, .success, properties: PacketTests.reason)),
          [first, 16, 0, 1, 0] + reasonBytes),
        Specimen(
          role, .v5, .deliveryAck(MQTTDeliveryAck(step, 1, reason, properties: PacketTests.reason)),
          [first, 16, 0, 1, reason.rawValue] + reasonBytes),
      ]
    }
  }

  static let subscription: MQTTSubscription = {
    var subscription = MQTTSubscription(Bytes("$share/g/#"), .exactlyOnce)
    subscription.noLocal = true
    subscription.retainAsPublished = true
    subscription.retainHandling = .never
    return subscription
  }()
  static let identified: MQTTProperties = {
    var properties = MQTTProperties()
    properties.subscriptionIdentifier = 268_435_455
    return properties
  }()

  static let subscribing: [Specimen] = [MQTTVersion.v31, .v311].flatMap { version in
    [
      Specimen(
        .server, version,
        .subscribe(MQTTSubscribe(10, [MQTTSubscription(Bytes("a/+"), .atLeastOnce), MQTTSubscription(Bytes("#"), .exactlyOnce)])),
        wire(0x82, 12, 0, 10, 0, 3, "a/+", 1, 0, 1, "#", 2)),
      Specimen(
        .client, version, .subscribeAck(MQTTSubscribeAck(10, [.success, .grantedQoS1, .grantedQoS2, .unspecifiedError])),
        wire(0x90, 6, 0, 10, 0, 1, 2, 0x80)),
      Specimen(.server, version, .unsubscribe(MQTTUnsubscribe(11, [Bytes("a/+"), Bytes("#")])), wire(0xa2, 10, 0, 11, 0, 3, "a/+", 0, 1, "#")),
      Specimen(.client, version, .unsubscribeAck(MQTTUnsubscribeAck(11, [])), wire(0xb0, 2, 0, 11)),
    ]
  }

  static let subscribing5: [Specimen] = [
    Specimen(
      .server, .v5, .subscribe(MQTTSubscribe(10, [MQTTSubscription(Bytes("a/+"), .atLeastOnce)])), wire(0x82, 9, 0, 10, 0, 0, 3, "a/+", 1)),
    Specimen(
      .server, .v5, .subscribe(MQTTSubscribe(10, [subscription], properties: identified)),
      wire(0x82, 21, 0, 10, 5, 0x0b, 0xff, 0xff, 0xff, 0x7f, 0, 10, "$share/g/#", 0b0010_1110)),
    Specimen(
      .client, .v5, .subscribeAck(MQTTSubscribeAck(10, [.success, .grantedQoS2, .wildcardSubscriptionsNotSupported])),
      wire(0x90, 6, 0, 10, 0, 0, 2, 0xa2)),
    Specimen(
      .client, .v5, .subscribeAck(MQTTSubscribeAck(10, [.notAuthorized], properties: reason)), [0x90, 16, 0, 10] + reasonBytes + [0x87]),
    Specimen(
      .server, .v5, .unsubscribe(MQTTUnsubscribe(11, [Bytes("a"), Bytes("")])), wire(0xa2, 8, 0, 11, 0, 0, 1, "a", 0, 0)),
    Specimen(
      .client, .v5, .unsubscribeAck(MQTTUnsubscribeAck(11, [.success, .noSubscriptionExisted])), wire(0xb0, 5, 0, 11, 0, 0, 0x11)),
    Specimen(
      .client, .v5, .unsubscribeAck(MQTTUnsubscribeAck(11, [.success], properties: reason)), [0xb0, 16, 0, 11] + reasonBytes + [0]),
  ]

  static let connectionWide: [Specimen] =
    MQTTVersion.allCases.flatMap { version in
      [
        Specimen(.server, version, .pingRequest, [0xc0, 0]), Specimen(.client, version, .pingResponse, [0xd0, 0]),
        Specimen(.server, version, .disconnect(MQTTDisconnect()), [0xe0, 0]),
      ]
    } + [
      Specimen(.client, .v5, .disconnect(MQTTDisconnect(.sessionTakenOver)), [0xe0, 1, 0x8e]),
      Specimen(.server, .v5, .disconnect(MQTTDisconnect(.disconnectWithWill)), [0xe0, 1, 0x04]),
      Specimen(.client, .v5, .disconnect(MQTTDisconnect(.serverMoved, properties: reason)), [0xe0, 14, 0x9d] + reasonBytes),
      Specimen(.server, .v5, .disconnect(MQTTDisconnect(.success, properties: reason)), [0xe0, 14, 0] + reasonBytes),
      Specimen(.client, .v5, .authentication(MQTTAuthentication(.success)), [0xf0, 0]),
    ]

  static let authentications: [Specimen] = [(MQTTRole.server, MQTTReasonCode.continueAuthentication), (.client, .reauthenticate)].map {
    var properties = MQTTProperties()
    properties.authenticationMethod = Bytes("M")
    properties.authenticationData = Bytes([0, 0xff])
    return Specimen(
      $0, .v5, .authentication(MQTTAuthentication($1, properties: properties)), wire(0xf0, 11) + [$1.rawValue] + wire(9, 0x15, 0, 1, "M", 0x16, 0, 2, 0, 0xff))
  }

  static let connectAcks: [Specimen] =
    [MQTTVersion.v31, .v311].flatMap { version in
      [
        Specimen(.client, version, .connectAck(MQTTConnectAck(.success)), [0x20, 2, 0, 0]),
        Specimen(.client, version, .connectAck(MQTTConnectAck(.unsupportedProtocolVersion)), [0x20, 2, 0, 1]),
        Specimen(.client, version, .connectAck(MQTTConnectAck(.clientIdentifierNotValid)), [0x20, 2, 0, 2]),
        Specimen(.client, version, .connectAck(MQTTConnectAck(.serverUnavailable)), [0x20, 2, 0, 3]),
        Specimen(.client, version, .connectAck(MQTTConnectAck(.badUserNameOrPassword)), [0x20, 2, 0, 4]),
        Specimen(.client, version, .connectAck(MQTTConnectAck(.notAuthorized)), [0x20, 2, 0, 5]),
      ]
    } + [
      Specimen(.client, .v311, .connectAck(MQTTConnectAck(.success, isSessionPresent: true)), [0x20, 2, 1, 0]),
      Specimen(.client, .v5, .connectAck(MQTTConnectAck(.success)), [0x20, 3, 0, 0, 0]),
      Specimen(.client, .v5, .connectAck(MQTTConnectAck(.success, isSessionPresent: true)), [0x20, 3, 1, 0, 0]),
      Specimen(.client, .v5, .connectAck(MQTTConnectAck(.banned, properties: reason)), [0x20, 15, 0, 0x8a] + reasonBytes),
    ]

  static let all = acks + subscribing + subscribing5 + connectionWide + authentications + connectAcks

  @Test("Every packet is written as exactly these bytes, and its size is told before", arguments: all)
  func writing(specimen: Specimen) {
    #expect(written(specimen.packet, specimen.version) == specimen.bytes)
    if let owned = specimen.packet.owned { #expect(owned.encodedSize(specimen.version) == specimen.bytes.count) }
  }

  @Test("Exactly these bytes are read as that packet", arguments: all)
  func reading(specimen: Specimen) {
    #expect(received(specimen.bytes, by: specimen.role, specimen.version) == [.packet(specimen.packet)])
  }

  @Test("What may be left out may also be there")
  func longForms() {
    for (step, first, _) in PacketTests.steps {
      let ack = Outcome.packet(.deliveryAck(MQTTDeliveryAck(step, 7)))
      #expect(serverReceives([first, 3, 0, 7, 0], .v5) == [ack])
      #expect(serverReceives([first, 4, 0, 7, 0, 0], .v5) == [ack])
    }
    #expect(serverReceives([0xe0, 2, 0x04, 0], .v5) == [.packet(.disconnect(MQTTDisconnect(.disconnectWithWill)))])
    #expect(serverReceives([0xe0, 1, 0], .v5) == [.packet(.disconnect(MQTTDisconnect()))])
  }

  @Test("3.1 has no session present, and 3.1.1 one code for all that goes wrong with a filter")
  func oldVersions() {
    let present = MQTTConnectAck(.success, isSessionPresent: true)
    #expect(written(.connectAck(present), .v31) == [0x20, 2, 0, 0])
    #expect(clientReceives([0x20, 2, 1, 0], .v31) == [.packet(.connectAck(MQTTConnectAck(.success)))])
    let refused = MQTTSubscribeAck(1, [.notAuthorized, .grantedQoS1, .quotaExceeded], properties: PacketTests.reason)
    #expect(written(.subscribeAck(refused), .v311) == [0x90, 5, 0, 1, 0x80, 1, 0x80])
    #expect(written(.unsubscribeAck(MQTTUnsubscribeAck(1, [.success])), .v311) == [0xb0, 2, 0, 1])
    #expect(written(.subscribe(MQTTSubscribe(1, [PacketTests.subscription])), .v311) == wire(0x82, 15, 0, 1, 0, 10, "$share/g/#", 2))
    #expect(written(.disconnect(MQTTDisconnect(.serverMoved)), .v311) == [0xe0, 0])
  }

  @Test("A refusal that 3.1.1 has no return code for is not written [MQTT-3.2.2-6]")
  func silentRefusal() {
    #expect(written(.connectAck(MQTTConnectAck(.malformedPacket)), .v311).isEmpty)
    #expect(written(.connectAck(MQTTConnectAck(.serverBusy)), .v311) == [0x20, 2, 0, 3])
    #expect(written(.connectAck(MQTTConnectAck(.banned)), .v31) == [0x20, 2, 0, 5])
    for code in MQTTReasonCode.allCases where !code.isAllowed(in: .connectAck) { #expect(code.connectReturnCode == nil, "\(code)") }
  }

  @Test("A subscription's options come back from the byte they are kept as")
  func options() throws {
    for version in MQTTVersion.allCases {
      for byte in UInt8.min...UInt8.max {
        let parsed = try? MQTTSubscription(Bytes("a"), options: byte, version)
        let isGood = byte & 3 != 3 && (version == .v5 ? byte < 0x30 : byte < 3)
        #expect((parsed != nil) == isGood, "\(version) \(byte)")
        if let parsed { #expect(parsed.options(version) == byte) }
      }
    }
  }

  @Test("In 3.1 a PUBREL, SUBSCRIBE or UNSUBSCRIBE may be marked as sent again")
  func repeatedIn31() {
    #expect(serverReceives([0x6a, 2, 0, 1], .v31) == [.packet(.deliveryAck(MQTTDeliveryAck(.release, 1)))])
    #expect(serverReceives(packet(0x8a, 0, 1, text("a"), 0), .v31) == [.packet(.subscribe(MQTTSubscribe(1, [MQTTSubscription(Bytes("a"), .atMostOnce)])))])
    #expect(serverReceives(packet(0xaa, 0, 1, text("a")), .v31) == [.packet(.unsubscribe(MQTTUnsubscribe(1, [Bytes("a")])))])
    #expect(serverReceives([0x6a, 2, 0, 1], .v311) == [.failed(.reservedFlags)])
  }
}

extension MQTTPacket {
  /// The packet as what all that own their fields have in common.
  var owned: (any MQTTOwnedPacket)? {
    switch self {
    case .connect(let packet): packet
    case .connectAck(let packet): packet
    case .deliveryAck(let packet): packet
    case .subscribe(let packet): packet
    case .subscribeAck(let packet): packet
    case .unsubscribe(let packet): packet
    case .unsubscribeAck(let packet): packet
    case .disconnect(let packet): packet
    case .authentication(let packet): packet
    case .publish, .pingRequest, .pingResponse: nil
    }
  }
}
