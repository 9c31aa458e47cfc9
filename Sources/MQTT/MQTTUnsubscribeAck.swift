public import Core

/// UNSUBACK: one reason code for each filter, in their order ([MQTT-3.11.3-1]); none before 5.0.
public struct MQTTUnsubscribeAck: MQTTOwnedPacket {
  public var packetIdentifier: UInt16
  public var reasonCodes: [MQTTReasonCode]
  public var properties: MQTTProperties

  public init(_ packetIdentifier: UInt16, _ reasonCodes: [MQTTReasonCode], properties: MQTTProperties = MQTTProperties()) {
    self.packetIdentifier = packetIdentifier
    self.reasonCodes = reasonCodes
    self.properties = properties
  }

  public var type: MQTTPacketType { .unsubscribeAck }

  static func decode(_ reader: inout MQTTFieldReader, _ rules: MQTTDecodeRules) throws(MQTTDecodeFailure) -> MQTTUnsubscribeAck {
    var ack = MQTTUnsubscribeAck(try reader.packetIdentifier(), [])
    guard rules.version == .v5 else { return ack }
    ack.properties = try MQTTProperties.decode(&reader, of: .unsubscribeAck, rules)
    ack.reasonCodes = try reader.reasonCodes(of: .unsubscribeAck, rules)
    return ack
  }

  public func bodySize(_ version: MQTTVersion) -> Int {
    2 + (version == .v5 ? properties.fieldSize + reasonCodes.count : 0)
  }

  public func appendBody(_ version: MQTTVersion, into buffer: inout ByteBuffer) {
    buffer.append(bigEndian: packetIdentifier)
    guard version == .v5 else { return }
    properties.appendField(into: &buffer)
    for code in reasonCodes { buffer.append(code.rawValue) }
  }
}
