public import Core

/// SUBACK: one reason code for each filter, in their order ([MQTT-3.9.3-1]).
public struct MQTTSubscribeAck: MQTTOwnedPacket {
  /// What 3.1.1 says of every refused filter. 3.1 had nothing for it; its clients are told the same.
  static let oldFailure: UInt8 = 0x80

  public var packetIdentifier: UInt16
  public var reasonCodes: [MQTTReasonCode]
  public var properties: MQTTProperties

  public init(_ packetIdentifier: UInt16, _ reasonCodes: [MQTTReasonCode], properties: MQTTProperties = MQTTProperties()) {
    self.packetIdentifier = packetIdentifier
    self.reasonCodes = reasonCodes
    self.properties = properties
  }

  public var type: MQTTPacketType { .subscribeAck }

  static func decode(_ reader: inout MQTTFieldReader, _ rules: MQTTDecodeRules) throws(MQTTDecodeFailure) -> MQTTSubscribeAck {
    var ack = MQTTSubscribeAck(try reader.packetIdentifier(), [])
    ack.properties = try MQTTProperties.decode(&reader, of: .subscribeAck, rules)
    ack.reasonCodes = try reader.reasonCodes(of: .subscribeAck, rules)
    return ack
  }

  public func bodySize(_ version: MQTTVersion) -> Int {
    2 + (version == .v5 ? properties.fieldSize : 0) + reasonCodes.count
  }

  public func appendBody(_ version: MQTTVersion, into buffer: inout ByteBuffer) {
    buffer.append(bigEndian: packetIdentifier)
    if version == .v5 { properties.appendField(into: &buffer) }
    for code in reasonCodes {
      buffer.append(version == .v5 || !code.isFailure ? code.rawValue : MQTTSubscribeAck.oldFailure)
    }
  }
}

extension MQTTFieldReader {
  /// Reason codes up to the end of the packet, at least one.
  @_lifetime(self: copy self)
  mutating func reasonCodes(of type: MQTTPacketType, _ rules: MQTTDecodeRules) throws(MQTTDecodeFailure) -> [MQTTReasonCode] {
    guard !isAtEnd else { throw .nothingAcknowledged }
    guard remaining <= rules.limits.filters else { throw .tooManyFilters }
    var codes: [MQTTReasonCode] = []
    codes.reserveCapacity(remaining)
    while !isAtEnd {
      guard let code = MQTTReasonCode(rawValue: try byte()), code.isAllowed(in: type),
        rules.version == .v5 || !code.isFailure || code == .unspecifiedError
      else { throw .reasonCodeNotAllowed }
      codes.append(code)
    }
    return codes
  }
}
