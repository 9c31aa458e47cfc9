public import Core

/// PUBACK, PUBREC, PUBREL and PUBCOMP: the steps after a PUBLISH of QoS 1 or 2, which differ in their number alone.
///
/// ```
/// QoS 1   PUBLISH ▶  ◀ acknowledged
/// QoS 2   PUBLISH ▶  ◀ received   release ▶  ◀ complete
/// ```
public struct MQTTDeliveryAck: MQTTOwnedPacket {
  public enum Step: Sendable, CaseIterable {
    /// PUBACK.
    case acknowledged
    /// PUBREC.
    case received
    /// PUBREL.
    case release
    /// PUBCOMP.
    case complete

    public var type: MQTTPacketType {
      switch self {
      case .acknowledged: .publishAck
      case .received: .publishReceived
      case .release: .publishRelease
      case .complete: .publishComplete
      }
    }
  }

  public var step: Step
  public var packetIdentifier: UInt16
  /// Told in 5.0 only.
  public var reasonCode: MQTTReasonCode
  public var properties: MQTTProperties

  public init(
    _ step: Step, _ packetIdentifier: UInt16, _ reasonCode: MQTTReasonCode = .success, properties: MQTTProperties = MQTTProperties()
  ) {
    self.step = step
    self.packetIdentifier = packetIdentifier
    self.reasonCode = reasonCode
    self.properties = properties
  }

  public var type: MQTTPacketType { step.type }

  static func decode(_ step: Step, _ reader: inout MQTTFieldReader, _ rules: MQTTDecodeRules) throws(MQTTDecodeFailure) -> MQTTDeliveryAck {
    var ack = MQTTDeliveryAck(step, try reader.packetIdentifier())
    guard rules.version == .v5 else { return ack }
    (ack.reasonCode, ack.properties) = try MQTTEnding.decode(&reader, of: step.type, rules)
    return ack
  }

  public func bodySize(_ version: MQTTVersion) -> Int {
    2 + (version == .v5 ? MQTTEnding.size(reasonCode, properties) : 0)
  }

  public func appendBody(_ version: MQTTVersion, into buffer: inout ByteBuffer) {
    buffer.append(bigEndian: packetIdentifier)
    if version == .v5 { MQTTEnding.append(reasonCode, properties, into: &buffer) }
  }
}

/// What may end a packet of 5.0, or be left out: the reason code if it is success and nothing follows, the properties if
/// there are none (sections 3.4.2.1 and 3.14.2.1).
enum MQTTEnding {
  static func decode(
    _ reader: inout MQTTFieldReader, of type: MQTTPacketType, _ rules: MQTTDecodeRules
  ) throws(MQTTDecodeFailure) -> (MQTTReasonCode, MQTTProperties) {
    guard !reader.isAtEnd else { return (.success, MQTTProperties()) }
    guard let reasonCode = MQTTReasonCode(rawValue: try reader.byte()), reasonCode.isAllowed(in: type) else { throw .reasonCodeNotAllowed }
    guard !reader.isAtEnd else { return (reasonCode, MQTTProperties()) }
    return (reasonCode, try MQTTProperties.decode(&reader, of: MQTTPropertyPlaces(type), rules))
  }

  static func size(_ reasonCode: MQTTReasonCode, _ properties: MQTTProperties) -> Int {
    guard properties.isEmpty else { return 1 + properties.fieldSize }
    return reasonCode == .success ? 0 : 1
  }

  static func append(_ reasonCode: MQTTReasonCode, _ properties: MQTTProperties, into buffer: inout ByteBuffer) {
    guard reasonCode != .success || !properties.isEmpty else { return }
    buffer.append(reasonCode.rawValue)
    if !properties.isEmpty { properties.appendField(into: &buffer) }
  }
}
