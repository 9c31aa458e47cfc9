public import Core

/// Any packet. One struct for each; the four that follow a PUBLISH of QoS 1 or 2 share one, and the two pings have nothing.
public enum MQTTPacket: Equatable, Sendable {
  // Apart, because it comes once and would make all the others larger.
  indirect case connect(MQTTConnect)
  case connectAck(MQTTConnectAck)
  case publish(MQTTPublish)
  case deliveryAck(MQTTDeliveryAck)
  case subscribe(MQTTSubscribe)
  case subscribeAck(MQTTSubscribeAck)
  case unsubscribe(MQTTUnsubscribe)
  case unsubscribeAck(MQTTUnsubscribeAck)
  case pingRequest
  case pingResponse
  case disconnect(MQTTDisconnect)
  case authentication(MQTTAuthentication)

  /// Appends the packet; `source` is what the places of a PUBLISH are in. A CONNECT is written in its own version.
  public func append(_ version: MQTTVersion, from source: RawSpan, into buffer: inout ByteBuffer) {
    switch self {
    case .connect(let packet): packet.append(into: &buffer)
    case .connectAck(let packet): packet.append(version, into: &buffer)
    case .publish(let packet): packet.append(version, from: source, into: &buffer)
    case .deliveryAck(let packet): packet.append(version, into: &buffer)
    case .subscribe(let packet): packet.append(version, into: &buffer)
    case .subscribeAck(let packet): packet.append(version, into: &buffer)
    case .unsubscribe(let packet): packet.append(version, into: &buffer)
    case .unsubscribeAck(let packet): packet.append(version, into: &buffer)
    case .pingRequest: MQTTPacket.appendPing(.pingRequest, into: &buffer)
    case .pingResponse: MQTTPacket.appendPing(.pingResponse, into: &buffer)
    case .disconnect(let packet): packet.append(version, into: &buffer)
    case .authentication(let packet): packet.append(version, into: &buffer)
    }
  }

  private static func appendPing(_ type: MQTTPacketType, into buffer: inout ByteBuffer) {
    buffer.append(type.firstByte)
    buffer.append(0)
  }

  static func decode(
    _ header: MQTTFixedHeader, _ reader: inout MQTTFieldReader, _ rules: MQTTDecodeRules
  ) throws(MQTTDecodeFailure) -> MQTTPacket {
    switch header.type {
    case .publish: .publish(try MQTTPublish.decode(&reader, flags: header.flags, rules))
    case .publishAck: .deliveryAck(try MQTTDeliveryAck.decode(.acknowledged, &reader, rules))
    case .publishReceived: .deliveryAck(try MQTTDeliveryAck.decode(.received, &reader, rules))
    case .publishRelease: .deliveryAck(try MQTTDeliveryAck.decode(.release, &reader, rules))
    case .publishComplete: .deliveryAck(try MQTTDeliveryAck.decode(.complete, &reader, rules))
    case .subscribe: .subscribe(try MQTTSubscribe.decode(&reader, rules))
    case .subscribeAck: .subscribeAck(try MQTTSubscribeAck.decode(&reader, rules))
    case .unsubscribe: .unsubscribe(try MQTTUnsubscribe.decode(&reader, rules))
    case .unsubscribeAck: .unsubscribeAck(try MQTTUnsubscribeAck.decode(&reader, rules))
    case .pingRequest: .pingRequest
    case .pingResponse: .pingResponse
    case .connectAck: .connectAck(try MQTTConnectAck.decode(&reader, rules))
    case .disconnect: .disconnect(try MQTTDisconnect.decode(&reader, rules))
    case .authentication: .authentication(try MQTTAuthentication.decode(&reader, rules))
    case .connect: preconditionFailure("CONNECT tells its version while it is decoded")
    }
  }
}

/// What the bodies of packets are held to.
struct MQTTDecodeRules {
  let role: MQTTRole
  let version: MQTTVersion
  let limits: MQTTLimits
}

/// What packets that own their fields have in common: all but PUBLISH and the pings.
public protocol MQTTOwnedPacket: Equatable, Sendable {
  var type: MQTTPacketType { get }
  /// Written in 5.0 only.
  var properties: MQTTProperties { get set }
  /// Bytes behind the fixed header.
  func bodySize(_ version: MQTTVersion) -> Int
  /// Appends what stands behind the fixed header.
  func appendBody(_ version: MQTTVersion, into buffer: inout ByteBuffer)
  /// Appends the packet.
  func append(_ version: MQTTVersion, into buffer: inout ByteBuffer)
}

extension MQTTOwnedPacket {
  /// Bytes of the whole packet, as a Maximum Packet Size counts them.
  public func encodedSize(_ version: MQTTVersion) -> Int {
    let size = bodySize(version)
    return 1 + MQTTVariableInteger.size(of: size) + size
  }

  public func append(_ version: MQTTVersion, into buffer: inout ByteBuffer) {
    appendWhole(version, into: &buffer)
  }

  func appendWhole(_ version: MQTTVersion, into buffer: inout ByteBuffer) {
    let size = bodySize(version)
    buffer.append(type.firstByte)
    buffer.append(variable: size)
    let start = buffer.count
    appendBody(version, into: &buffer)
    assert(buffer.count == start + size, "a body of another size than was told")
  }

  /// The same packet without its user properties, and then without its reason string, where they would make it larger than
  /// the peer takes ([MQTT-3.2.2-19] and its like for every answer). One that is too large even so must not be sent.
  public func fitted(to maximumPacketSize: Int, _ version: MQTTVersion) -> Self {
    guard version == .v5, !properties.isEmpty, encodedSize(version) > maximumPacketSize else { return self }
    var fitted = self
    fitted.properties.set(.userProperty, nil)
    if fitted.encodedSize(version) > maximumPacketSize { fitted.properties.set(.reasonString, nil) }
    return fitted
  }
}
