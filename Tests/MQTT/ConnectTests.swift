import Core
import MQTT
import Testing

@Suite struct ConnectTests {
  static let full: MQTTConnect = {
    var connect = MQTTConnect(.v311, clientIdentifier: Bytes("id"))
    connect.isCleanStart = false
    connect.keepAlive = 0x0102
    var will = MQTTWill(topic: Bytes("w/t"), payload: Bytes([0, 0xff]))
    will.qos = .exactlyOnce
    will.isRetained = true
    connect.will = will
    connect.userName = Bytes("üser")
    connect.password = Bytes([0xff, 0])
    return connect
  }()

  static let full5: MQTTConnect = {
    var connect = full
    connect.version = .v5
    connect.properties.sessionExpiry = 0xffff_ffff
    connect.properties.receiveMaximum = 20
    connect.will?.properties.willDelay = 5
    return connect
  }()

  static let passwordAlone: MQTTConnect = {
    var connect = MQTTConnect(.v5, clientIdentifier: Bytes())
    connect.password = Bytes("p")
    return connect
  }()

  static let old: MQTTConnect = {
    var connect = MQTTConnect(.v31, clientIdentifier: Bytes("id"))
    connect.keepAlive = 60
    connect.userName = Bytes("u")
    return connect
  }()

  static let specimens: [Specimen] = [
    Specimen(
      .server, .v311, .connect(full),
      wire(0x10, 34, 0, 4, "MQTT", 4, 0xf4, 1, 2, 0, 2, "id", 0, 3, "w/t", 0, 2, 0, 0xff, 0, 5, "üser", 0, 2, 0xff, 0)),
    Specimen(
      .server, .v5, .connect(full5),
      wire(
        0x10, 49, 0, 4, "MQTT", 5, 0xf4, 1, 2, 8, 0x11, 0xff, 0xff, 0xff, 0xff, 0x21, 0, 20, 0, 2, "id", 5, 0x18, 0, 0, 0, 5, 0, 3, "w/t",
        0, 2, 0, 0xff, 0, 5, "üser", 0, 2, 0xff, 0)),
    Specimen(.server, .v5, .connect(passwordAlone), wire(0x10, 16, 0, 4, "MQTT", 5, 0x42, 0, 0, 0, 0, 0, 0, 1, "p")),
    Specimen(.server, .v31, .connect(old), wire(0x10, 19, 0, 6, "MQIsdp", 3, 0x82, 0, 60, 0, 2, "id", 0, 1, "u")),
  ]

  @Test("CONNECT is written as exactly these bytes", arguments: specimens)
  func writing(specimen: Specimen) {
    #expect(written(specimen.packet, specimen.version) == specimen.bytes)
  }

  @Test("Exactly these bytes are read as that CONNECT, and tell the version", arguments: specimens)
  func reading(specimen: Specimen) {
    var decoder = MQTTDecoder(serverWith: .standard)
    #expect(decoder.version == nil)
    var offset = 0
    #expect(decoder.next(specimen.bytes.span.bytes, &offset) == .packet(specimen.packet))
    #expect(decoder.version == specimen.version)
    #expect(offset == specimen.bytes.count)
  }

  private func refusal(_ bytes: [UInt8]) -> (failure: MQTTDecodeFailure?, version: MQTTVersion?) {
    var decoder = MQTTDecoder(serverWith: .standard)
    var offset = 0
    guard case .failed(let failure) = decoder.next(bytes.span.bytes, &offset) else { return (nil, decoder.version) }
    return (failure, decoder.version)
  }

  @Test("A version that is not spoken is refused in the nearest that is [MQTT-3.1.2-2]")
  func versions() {
    func connect(_ name: String, _ level: UInt8) -> [UInt8] { packet(0x10, text(name), Wire(bytes: [level]), 2, 0, 0, 0, 0) }
    for (level, nearest) in [(UInt8(0), MQTTVersion.v311), (3, .v311), (6, .v5), (0x7f, .v5), (0x83, .v311), (0xff, .v311)] {
      let refused = refusal(connect("MQTT", level))
      #expect(refused.failure == .unsupportedVersion, "level \(level)")
      #expect(refused.version == nearest, "level \(level)")
    }
    for level: UInt8 in [2, 4, 5] {
      #expect(refusal(connect("MQIsdp", level)).failure == .unsupportedVersion)
      #expect(refusal(connect("MQIsdp", level)).version == .v31)
    }
    for name in ["", "MQT", "MQTTT", "mqtt", "MQTTv5", "MQIsd", "HTTP"] {
      #expect(refusal(connect(name, 4)).failure == .unknownProtocolName, "\(name)")
      #expect(refusal(connect(name, 4)).version == nil)
    }
    #expect(MQTTDecodeFailure.unsupportedVersion.reasonCode == .unsupportedProtocolVersion)
    #expect(MQTTDecodeFailure.unknownProtocolName.reasonCode == .unsupportedProtocolVersion)
  }

  /// A CONNECT with these flags, and all the fields that they announce.
  private func connect(_ version: MQTTVersion, flags: UInt8) -> [UInt8] {
    let properties: [UInt8] = version == .v5 ? [0] : []
    var body = field(Array("\(version.protocolName)".utf8)) + [version.rawValue, flags, 0, 0] + properties + [0, 1, 0x63]
    if flags & 0x04 != 0 { body += properties + [0, 1, 0x77, 0, 0] }
    if flags & 0x80 != 0 { body += [0, 1, 0x75] }
    if flags & 0x40 != 0 { body += [0, 1, 0x70] }
    return packet(0x10, body)
  }

  @Test("Every combination of flags: what is forbidden is refused, in the words of its version")
  func flags() {
    for flags in UInt8.min...UInt8.max {
      let hasWill = flags & 0x04 != 0
      let isQoSThree = flags & 0x18 == 0x18
      let hasWillFlags = flags & 0x38 != 0
      let isPasswordAlone = flags & 0xc0 == 0x40
      for version in MQTTVersion.allCases {
        let expected: MQTTDecodeFailure? =
          if flags & 1 != 0, version != .v31 { .connectReservedFlag }
          else if !hasWill, hasWillFlags, version != .v31 { .willFlagsWithoutWill }
          else if hasWill, isQoSThree { .willQoSThree }
          else if isPasswordAlone, version != .v5 { .passwordWithoutUserName }
          else { nil }
        let refused = refusal(connect(version, flags: flags))
        #expect(refused.failure == expected, "\(version) flags \(flags)")
        #expect(refused.version == version)
      }
    }
  }

  @Test("In 3.1 a user name and a password may be announced and missing")
  func announced() {
    var expected = MQTTConnect(.v31, clientIdentifier: Bytes("c"))
    #expect(receive([packet(0x10, text("MQIsdp"), 3, 0xc2, 0, 0, text("c"))], MQTTDecoder(serverWith: .standard)) == [.packet(.connect(expected))])
    expected.userName = Bytes("u")
    #expect(
      receive([packet(0x10, text("MQIsdp"), 3, 0xc2, 0, 0, text("c"), text("u"))], MQTTDecoder(serverWith: .standard))
        == [.packet(.connect(expected))])
    #expect(refusal(packet(0x10, text("MQTT"), 4, 0xc2, 0, 0, text("c"), text("u"))).failure == .truncated)
  }

  @Test("Whatever is cut off, or follows, is refused")
  func lengths() {
    for specimen in ConnectTests.specimens {
      let body = Array(specimen.bytes.dropFirst(2))
      #expect(refusal(packet(0x10, body + [0])).failure == .trailingBytes)
      // In 3.1 the end may come before the user name.
      for end in 0..<body.count where specimen.version != .v31 || end != body.count - 3 {
        #expect(refusal(packet(0x10, Array(body[..<end]))).failure == .truncated, "\(specimen.version) cut to \(end)")
      }
    }
  }

  @Test("A length that is longer than it need be is let pass before 5.0, refused in 5.0 [MQTT-1.5.5-1]")
  func lengthForm() {
    func stretched(_ version: MQTTVersion) -> [UInt8] { [0x10, UInt8(hello(version).count - 2) | 0x80, 0x80, 0] + hello(version).dropFirst(2) }
    #expect(refusal(stretched(.v5)).failure == .variableIntegerNotMinimal)
    #expect(refusal(stretched(.v311)).failure == nil)
    #expect(refusal(stretched(.v31)).failure == nil)
  }

  @Test("Authentication data needs a method")
  func authentication() {
    let data = wire(0x16, 0, 1, 7)
    let method = wire(0x15, 0, 1, "M")
    func connect(_ properties: [UInt8]) -> [UInt8] {
      packet(0x10, Wire(bytes: field(Array("MQTT".utf8)) + [5, 2, 0, 0, UInt8(properties.count)] + properties + [0, 0]))
    }
    #expect(refusal(connect(data)).failure == .authenticationDataWithoutMethod)
    #expect(refusal(connect(data + method)).failure == nil)
    #expect(refusal(connect(method)).failure == nil)
  }
}
