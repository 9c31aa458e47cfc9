import Core
import MQTT
import Testing

/// One thing a peer must not send.
struct Offence: Sendable, CustomStringConvertible {
  let description: String
  let role: MQTTRole
  let versions: [MQTTVersion]
  let bytes: [UInt8]
  let failure: MQTTDecodeFailure

  init(_ description: String, _ role: MQTTRole, _ versions: [MQTTVersion], _ bytes: [UInt8], _ failure: MQTTDecodeFailure) {
    self.description = description
    self.role = role
    self.versions = versions
    self.bytes = bytes
    self.failure = failure
  }
}

@Suite struct RefusalTests {
  static let every = MQTTVersion.allCases
  static let old: [MQTTVersion] = [.v31, .v311]
  static let strict: [MQTTVersion] = [.v311, .v5]

  static let offences: [Offence] = headers + identifiers + texts + contents + codes

  static let headers: [Offence] = [
    Offence("type 0", .server, every, [0x00, 0], .reservedPacketType),
    Offence("AUTH before 5.0", .server, old, [0xf0, 0], .reservedPacketType),
    Offence("QoS 3", .server, every, [0x36, 5, 0, 1, 0x61, 0, 1], .publishQoSThree),
    Offence("DUP with QoS 0", .client, every, [0x38, 3, 0, 1, 0x61], .duplicateWithoutQoS),
    Offence("PUBREL without its flag", .server, every, [0x60, 2, 0, 1], .reservedFlags),
    Offence("SUBSCRIBE without its flag", .server, every, [0x80, 0], .reservedFlags),
    Offence("UNSUBSCRIBE without its flag", .server, every, [0xa0, 0], .reservedFlags),
    Offence("PUBREL marked as sent again", .server, strict, [0x6a, 2, 0, 1], .reservedFlags),
    Offence("a second CONNECT", .server, every, hello(.v311), .secondConnect),
    Offence("a ping with a body", .server, every, [0xc0, 1], .trailingBytes),
    Offence("an answer to a ping with a body", .client, every, [0xd0, 1], .trailingBytes),
    Offence("a long PUBACK", .server, old, [0x40, 3], .trailingBytes),
    Offence("a long UNSUBACK", .client, old, [0xb0, 3], .trailingBytes),
    Offence("a DISCONNECT with a reason", .server, old, [0xe0, 1], .trailingBytes),
    Offence("a length of five bytes", .server, every, [0x30, 0x80, 0x80, 0x80, 0x80], .lengthTooLong),
    Offence("a long form of a length", .server, [.v5], [0xc0, 0x80, 0x00], .variableIntegerNotMinimal),
    Offence("a long form of the property length", .server, [.v5], [0x30, 5, 0, 1, 0x61, 0x80, 0x00], .variableIntegerNotMinimal),
    Offence("a property length of five bytes", .server, [.v5], packet(0x30, 0, 1, 0x61, 0x80, 0x80, 0x80, 0x80, 0x00), .lengthTooLong),
    Offence("properties that reach past the packet", .server, [.v5], packet(0x30, 0, 1, 0x61, 1), .truncated),
    Offence("properties that have no length", .server, [.v5], packet(0x30, 0, 1, 0x61), .truncated),
  ]

  static let identifiers: [Offence] = [
    Offence("PUBLISH with identifier 0", .server, every, packet(0x32, 0, 1, 0x61, 0, 0, 0), .packetIdentifierZero),
    Offence("PUBACK with identifier 0", .server, every, [0x40, 2, 0, 0], .packetIdentifierZero),
    Offence("PUBREC with identifier 0", .client, every, [0x50, 2, 0, 0], .packetIdentifierZero),
    Offence("PUBREL with identifier 0", .server, every, [0x62, 2, 0, 0], .packetIdentifierZero),
    Offence("PUBCOMP with identifier 0", .client, every, [0x70, 2, 0, 0], .packetIdentifierZero),
    Offence("SUBSCRIBE with identifier 0", .server, every, packet(0x82, 0, 0, 0, 0, 1, 0x61, 0), .packetIdentifierZero),
    Offence("UNSUBSCRIBE with identifier 0", .server, every, packet(0xa2, 0, 0, 0, 0, 1, 0x61), .packetIdentifierZero),
    Offence("SUBACK with identifier 0", .client, every, packet(0x90, 0, 0, 0), .packetIdentifierZero),
    Offence("UNSUBACK with identifier 0", .client, every, packet(0xb0, 0, 0), .packetIdentifierZero),
  ]

  static let texts: [Offence] = [
    ("a lone continuation", [0x80], MQTTDecodeFailure.textNotUTF8), ("an overlong form", [0xc1, 0xa1], .textNotUTF8),
    ("an overlong null", [0xc0, 0x80], .textNotUTF8), ("a surrogate", [0xed, 0xa0, 0x80], .textNotUTF8),
    ("a cut character", [0x61, 0xe2, 0x82], .textNotUTF8), ("beyond U+10FFFF", [0xf4, 0x90, 0x80, 0x80], .textNotUTF8),
    ("a null", [0x61, 0x00, 0x61], .textHasNull), ("a null among others", [0xc3, 0xbc, 0x00], .textHasNull),
  ].flatMap { name, bytes, failure in
    [
      Offence("a topic with \(name)", .server, old, packet(0x30, Wire(bytes: field(bytes))), failure),
      Offence("a topic with \(name)", .client, [.v5], packet(0x30, Wire(bytes: field(bytes)), 0), failure),
      Offence("a filter with \(name)", .server, old, packet(0x82, 0, 1, Wire(bytes: field(bytes)), 0), failure),
      Offence("a filter with \(name)", .server, [.v5], packet(0xa2, 0, 1, 0, Wire(bytes: field(bytes))), failure),
    ]
  }

  static let contents: [Offence] = [
    Offence("PUBLISH without a topic", .server, every, packet(0x30), .truncated),
    Offence("a topic that reaches past the packet", .server, every, packet(0x30, 0, 2, 0x61), .truncated),
    Offence("PUBLISH of QoS 1 without an identifier", .server, every, packet(0x32, 0, 1, 0x61, 0), .truncated),
    Offence("PUBACK of one byte", .server, every, [0x40, 1, 0], .truncated),
    Offence("SUBSCRIBE with nothing", .server, old, packet(0x82, 0, 1), .nothingToSubscribe),
    Offence("SUBSCRIBE with nothing", .server, [.v5], packet(0x82, 0, 1, 0), .nothingToSubscribe),
    Offence("UNSUBSCRIBE with nothing", .server, old, packet(0xa2, 0, 1), .nothingToUnsubscribe),
    Offence("UNSUBSCRIBE with nothing", .server, [.v5], packet(0xa2, 0, 1, 0), .nothingToUnsubscribe),
    Offence("SUBACK with nothing", .client, old, packet(0x90, 0, 1), .nothingAcknowledged),
    Offence("SUBACK with nothing", .client, [.v5], packet(0x90, 0, 1, 0), .nothingAcknowledged),
    Offence("UNSUBACK with nothing", .client, [.v5], packet(0xb0, 0, 1, 0), .nothingAcknowledged),
    Offence("a subscription without options", .server, old, packet(0x82, 0, 1, text("a")), .truncated),
    Offence("a subscription of QoS 3", .server, old, packet(0x82, 0, 1, text("a"), 3), .subscriptionQoSThree),
    Offence("a subscription of QoS 3", .server, [.v5], packet(0x82, 0, 1, 0, text("a"), 3), .subscriptionQoSThree),
    Offence("a subscription with options of 5.0", .server, old, packet(0x82, 0, 1, text("a"), 4), .subscriptionReservedBits),
    Offence("a subscription with reserved bits", .server, [.v5], packet(0x82, 0, 1, 0, text("a"), 0x40), .subscriptionReservedBits),
    Offence("a subscription with reserved bits", .server, [.v5], packet(0x82, 0, 1, 0, text("a"), 0x80), .subscriptionReservedBits),
    Offence("retain handling 3", .server, [.v5], packet(0x82, 0, 1, 0, text("a"), 0x30), .retainHandlingThree),
    Offence("reserved flags of CONNACK", .client, [.v311], [0x20, 2, 2, 0], .connectAckReservedFlags),
    Offence("reserved flags of CONNACK", .client, [.v5], [0x20, 3, 0x80, 0, 0], .connectAckReservedFlags),
    Offence("a refusal with a session", .client, [.v311], [0x20, 2, 1, 5], .sessionPresentInRefusal),
    Offence("a refusal with a session", .client, [.v5], [0x20, 3, 1, 0x87, 0], .sessionPresentInRefusal),
    Offence("CONNACK of one byte", .client, every, [0x20, 1, 0], .truncated),
    Offence("CONNACK without properties", .client, [.v5], [0x20, 2, 0, 0], .truncated),
    Offence("PUBACK with something behind its properties", .server, [.v5], [0x40, 5, 0, 1, 0, 0, 0], .trailingBytes),
    Offence("DISCONNECT with something behind its properties", .server, [.v5], [0xe0, 3, 0, 0, 0], .trailingBytes),
    Offence("CONNACK with something behind its properties", .client, [.v5], [0x20, 4, 0, 0, 0, 0], .trailingBytes),
    Offence("AUTH with something behind its properties", .server, [.v5], wire(0xf0, 7, 0x18, 4, 0x15, 0, 1, "M", 0), .trailingBytes),
  ]

  static let codes: [Offence] = [
    Offence("return code 6", .client, old, [0x20, 2, 0, 6], .reasonCodeNotAllowed),
    Offence("SUBACK with 3", .client, old, packet(0x90, 0, 1, 3), .reasonCodeNotAllowed),
    Offence("SUBACK with a code of 5.0", .client, old, packet(0x90, 0, 1, 0x87), .reasonCodeNotAllowed),
  ]

  @Test("What must not be sent is refused, for the reason it must not be", arguments: offences)
  func refused(offence: Offence) {
    for version in offence.versions {
      #expect(received(offence.bytes, by: offence.role, version) == [.failed(offence.failure)], "\(version)")
    }
  }

  @Test("Reserved flags are refused at the first byte, in every packet that has none of its own")
  func reservedFlags() {
    for type in MQTTPacketType.allCases where type != .publish && type != .connect {
      let right: UInt8 = [.publishRelease, .subscribe, .unsubscribe].contains(type) ? 2 : 0
      for flags: UInt8 in 0...15 where flags != right {
        for version in RefusalTests.strict where version == .v5 || type != .authentication {
          for role in [MQTTRole.server, .client] {
            #expect(received([type.rawValue << 4 | flags], by: role, version) == [.failed(.reservedFlags)], "\(type) \(flags) \(version)")
          }
        }
      }
    }
    for flags: UInt8 in 1...15 {
      #expect(receive([[0x10 | flags]], MQTTDecoder(serverWith: .standard)) == [.failed(.reservedFlags)])
    }
  }

  @Test("A packet that only the other side sends is refused at its first byte")
  func direction() {
    let toServer: Set<MQTTPacketType> = [.connect, .subscribe, .unsubscribe, .pingRequest]
    let toClient: Set<MQTTPacketType> = [.connectAck, .subscribeAck, .unsubscribeAck, .pingResponse]
    for version in MQTTVersion.allCases {
      for type in MQTTPacketType.allCases where version == .v5 || type != .authentication {
        let first = [type.rawValue << 4 | ([.publishRelease, .subscribe, .unsubscribe].contains(type) ? 2 : 0)]
        #expect((received(first, by: .server, version) == [.failed(.wrongDirection)]) == toClient.contains(type), "\(type)")
        let isForServer = toServer.contains(type) || (type == .disconnect && version != .v5)
        #expect((received(first, by: .client, version) == [.failed(.wrongDirection)]) == isForServer, "\(type)")
      }
    }
  }

  @Test("Before CONNECT nothing else is taken, whatever it is [MQTT-3.1.0-1]")
  func connectFirst() {
    for first in UInt8.min...UInt8.max where first >> 4 != 1 {
      #expect(receive([[first]], MQTTDecoder(serverWith: .standard)) == [.failed(.connectExpected)], "\(first)")
    }
  }

  /// Every code, in every packet that has one: allowed exactly where table 2-6 has it.
  @Test("A reason code that the packet must not have is refused")
  func reasonCodes() {
    let failures: Set<UInt8> = [0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]
    let table: [(MQTTRole, Set<UInt8>, (UInt8) -> [UInt8])] = [
      (
        .client, [0, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f],
        { [0x20, 3, 0, $0, 0] }
      ),
      (.server, failures.union([0, 0x10]), { [0x40, 3, 0, 1, $0] }), (.server, failures.union([0, 0x10]), { [0x50, 3, 0, 1, $0] }),
      (.server, [0, 0x92], { [0x62, 3, 0, 1, $0] }), (.server, [0, 0x92], { [0x70, 3, 0, 1, $0] }),
      (.client, [0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2], { [0x90, 4, 0, 1, 0, $0] }),
      (.client, [0, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91], { [0xb0, 4, 0, 1, 0, $0] }),
      (
        .client, Set([0, 4, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90]).union(0x93...0xa2), { [0xe0, 1, $0] }
      ),
      (.server, [0, 0x18, 0x19], { wire(0xf0, 6) + [$0] + wire(4, 0x15, 0, 1, "M") }),
    ]
    for (role, allowed, bytes) in table {
      for code in UInt8.min...UInt8.max {
        let outcomes = received(bytes(code), by: role, .v5)
        #expect((outcomes == [.failed(.reasonCodeNotAllowed)]) == !allowed.contains(code), "\(bytes(code)): \(outcomes)")
      }
    }
  }

  @Test("Every refusal has a code for the answer and a sentence of its own")
  func words() {
    var sentences: Set<String> = []
    for failure in MQTTDecodeFailure.allCases {
      let answer = failure.reasonCode
      #expect(answer.isFailure && (answer.isAllowed(in: .disconnect) || answer == .unsupportedProtocolVersion), "\(failure)")
      #expect(answer == .topicAliasInvalid || answer.isAllowed(in: .connectAck), "\(failure)")
      sentences.insert("\(failure.sentence)")
      #expect("\(failure.sentence)".hasSuffix("."))
    }
    #expect(sentences.count == MQTTDecodeFailure.allCases.count)
    #expect(MQTTDecodeFailure.connectAckReservedFlags.reasonCode == .malformedPacket)
    #expect(MQTTDecodeFailure.connectExpected.reasonCode == .protocolError)
    #expect(MQTTDecodeFailure.authenticationMethodMissing.reasonCode == .protocolError)
  }

  @Test("Nothing is read after a failure or a DISCONNECT")
  func end() {
    for bytes in [[0xe0, 0, 0xc0, 0], [0xe0, 0, 0x00], [0x00, 0, 0xc0, 0]] as [[UInt8]] {
      var decoder = MQTTDecoder(serverWith: .standard)
      let input = hello(.v311) + bytes
      var offset = 0
      guard case .packet(.connect) = decoder.next(input.span.bytes, &offset) else {
        Issue.record("no CONNECT")
        return
      }
      _ = decoder.next(input.span.bytes, &offset)
      #expect(decoder.next(input.span.bytes, &offset) == .finished)
      #expect(offset == input.count)
      offset = 0
      #expect(decoder.next(input.span.bytes, &offset) == .finished)
    }
  }

  @Test("A byte order mark and control characters are let pass, as they are")
  func oddTexts() {
    let odd = "\u{feff}a\u{01}\u{7f}\u{9f}\u{ffff}"
    #expect(serverReceives(packet(0x30, text(odd)), .v311) == [.publish(Message(odd))])
  }
}
