import Core
import MQTT
import TestSupport

/// Makes packets by chance, every one of them allowed.
struct PacketMaker {
  private var chance: SeededGenerator

  init(seed: UInt64) { chance = SeededGenerator(seed: seed) }

  mutating func below(_ bound: Int) -> Int { chance.below(bound) }
  mutating func version() -> MQTTVersion { MQTTVersion.allCases[below(3)] }
  mutating func qos() -> MQTTQoS { MQTTQoS.allCases[below(3)] }
  mutating func flag() -> Bool { below(2) == 0 }
  mutating func identifier() -> UInt16 { UInt16(1 + below(0xffff)) }
  mutating func bytes(upTo most: Int) -> [UInt8] { (0..<below(most + 1)).map { _ in UInt8(below(256)) } }

  mutating func text(upTo most: Int = 12) -> String {
    let letters: [Character] = ["a", "b", "/", "$", " ", "ü", "€", "𝄞", "\u{1}", "\u{feff}"]
    return String((0..<below(most + 1)).map { _ in letters[below(letters.count)] })
  }

  /// Some properties of those that `place` may have, now and then so many that their length takes two bytes.
  mutating func properties(_ place: MQTTPropertyPlaces, but excluded: Set<MQTTPropertyIdentifier> = []) -> MQTTProperties {
    var properties = MQTTProperties()
    for identifier in MQTTPropertyIdentifier.allCases where identifier.places.contains(place) && !excluded.contains(identifier) && below(3) == 0 {
      let most = below(10) == 0 ? 200 : 12
      switch identifier.form {
      case .bit: properties.set(identifier, .number(UInt32(below(2))))
      case .two: properties.set(identifier, .number(UInt32(self.identifier())))
      case .four: properties.set(identifier, .number(UInt32(1 + below(0xffff_ffff))))
      case .variable: properties.set(identifier, .number(UInt32(1 + below(268_435_455))))
      case .text: properties.set(identifier, .bytes(Bytes(identifier == .responseTopic ? "r" + text(upTo: most) : text(upTo: most))))
      case .binary: properties.set(identifier, .bytes(Bytes(bytes(upTo: most))))
      case .pair: for _ in 0..<1 + below(3) { properties.appendUserProperty(Bytes(text(upTo: most)), Bytes(text(upTo: most))) }
      }
    }
    return properties
  }

  mutating func code(_ type: MQTTPacketType, _ version: MQTTVersion = .v5) -> MQTTReasonCode {
    let codes = MQTTReasonCode.allCases.filter { code in
      guard code.isAllowed(in: type) else { return false }
      if version == .v5 { return true }
      if type == .connectAck { return code.connectReturnCode != nil && code != .serverBusy && code != .banned && code != .badAuthenticationMethod }
      return !code.isFailure || code == .unspecifiedError
    }
    return codes[below(codes.count)]
  }

  /// A packet other than PUBLISH, its version, and who is sent it.
  mutating func packet() -> (MQTTPacket, MQTTVersion, MQTTRole) {
    let version = version()
    func only5(_ properties: MQTTProperties) -> MQTTProperties { version == .v5 ? properties : MQTTProperties() }
    let role: MQTTRole = flag() ? .server : .client
    switch below(10) {
    case 0: return (.connect(connect(version)), version, .server)
    case 1:
      let reason = code(.connectAck, version)
      let isPresent = reason == .success && version != .v31 && flag()
      return (.connectAck(MQTTConnectAck(reason, isSessionPresent: isPresent, properties: only5(properties(.connectAck)))), version, .client)
    case 2, 3:
      let step = MQTTDeliveryAck.Step.allCases[below(4)]
      let reason = version == .v5 ? code(step.type) : .success
      return (.deliveryAck(MQTTDeliveryAck(step, identifier(), reason, properties: only5(properties(MQTTPropertyPlaces(step.type))))), version, role)
    case 4: return (.subscribe(subscribe(version)), version, .server)
    case 5:
      let codes = (0...below(5)).map { _ in code(.subscribeAck, version) }
      return (.subscribeAck(MQTTSubscribeAck(identifier(), codes, properties: only5(properties(.subscribeAck)))), version, .client)
    case 6:
      let filters = (0...below(5)).map { _ in Bytes(text()) }
      return (.unsubscribe(MQTTUnsubscribe(identifier(), filters, properties: only5(properties(.unsubscribe)))), version, .server)
    case 7:
      let codes = version == .v5 ? (0...below(5)).map { _ in code(.unsubscribeAck) } : []
      return (.unsubscribeAck(MQTTUnsubscribeAck(identifier(), codes, properties: only5(properties(.unsubscribeAck)))), version, .client)
    case 8:
      guard version == .v5 else { return (.disconnect(MQTTDisconnect()), version, .server) }
      let properties = properties(.disconnect, but: role == .client ? [.sessionExpiry] : [])
      return (.disconnect(MQTTDisconnect(code(.disconnect), properties: properties)), version, role)
    default:
      var properties = properties(.authentication)
      properties.authenticationMethod = Bytes(text())
      return (.authentication(MQTTAuthentication(code(.authentication), properties: properties)), .v5, role)
    }
  }

  private mutating func connect(_ version: MQTTVersion) -> MQTTConnect {
    var connect = MQTTConnect(version, clientIdentifier: Bytes(text()))
    connect.isCleanStart = flag()
    connect.keepAlive = UInt16(below(0x10000))
    if flag() { connect.userName = Bytes(text()) }
    if version == .v5 ? flag() : flag() && connect.userName != nil { connect.password = Bytes(bytes(upTo: 20)) }
    if flag() {
      var will = MQTTWill(topic: Bytes(text()), payload: Bytes(bytes(upTo: 200)))
      will.qos = qos()
      will.isRetained = flag()
      if version == .v5 { will.properties = properties(.will) }
      connect.will = will
    }
    if version == .v5 {
      connect.properties = properties(.connect)
      if connect.properties.authenticationData != nil { connect.properties.authenticationMethod = Bytes("M") }
    }
    return connect
  }

  private mutating func subscribe(_ version: MQTTVersion) -> MQTTSubscribe {
    let subscriptions = (0...below(5)).map { _ in
      var subscription = MQTTSubscription(Bytes(text()), qos())
      if version == .v5 {
        subscription.noLocal = flag()
        subscription.retainAsPublished = flag()
        subscription.retainHandling = MQTTRetainHandling.allCases[below(3)]
      }
      return subscription
    }
    return MQTTSubscribe(identifier(), subscriptions, properties: version == .v5 ? properties(.subscribe) : MQTTProperties())
  }

  /// A message from a server: its head, what must come out, and the properties that all receivers share.
  mutating func message(_ version: MQTTVersion) -> (MQTTPublishHead, Message, MQTTProperties) {
    let qos = qos()
    var head = MQTTPublishHead(
      qos: qos, isDuplicate: qos != .atMostOnce && flag(), isRetained: flag(), packetIdentifier: qos == .atMostOnce ? 0 : identifier())
    var message = Message("t" + text(), "", qos: qos, id: head.packetIdentifier)
    message.isDuplicate = head.isDuplicate
    message.isRetained = head.isRetained
    message.payload = bytes(upTo: below(10) == 0 ? 20_000 : 150)
    guard version == .v5 else { return (head, message, MQTTProperties()) }
    if flag() { head.topicAlias = identifier() }
    head.omitsTopic = head.topicAlias != 0 && flag()
    head.subscriptionIdentifiers = (0..<below(4)).map { _ in UInt32(1 + below(268_435_455)) }
    message.topicAlias = head.topicAlias
    message.subscriptionIdentifiers = head.subscriptionIdentifiers
    let properties = properties(.publish, but: [.topicAlias, .subscriptionIdentifier])
    message.isPayloadText = properties.isPayloadText ?? false
    message.messageExpiry = properties.messageExpiry
    message.contentType = properties.contentType?.text
    message.responseTopic = properties.responseTopic?.text
    message.correlationData = properties.correlationData?.array
    for property in properties.list {
      if case .pair(let name, let value) = property.value { message.userProperties.append([name.text, value.text]) }
    }
    return (head, message, properties)
  }
}
