public import Core

/// CONNACK: whether a client is let in, and under what terms.
public struct MQTTConnectAck: MQTTOwnedPacket {
  /// Not told in 3.1.
  public var isSessionPresent: Bool
  public var reasonCode: MQTTReasonCode
  public var properties: MQTTProperties

  public init(_ reasonCode: MQTTReasonCode, isSessionPresent: Bool = false, properties: MQTTProperties = MQTTProperties()) {
    self.reasonCode = reasonCode
    self.isSessionPresent = isSessionPresent
    self.properties = properties
  }

  public var type: MQTTPacketType { .connectAck }

  static func decode(_ reader: inout MQTTFieldReader, _ rules: MQTTDecodeRules) throws(MQTTDecodeFailure) -> MQTTConnectAck {
    let flags = try reader.byte()
    guard flags <= 1 || rules.version == .v31 else { throw .connectAckReservedFlags }
    let isSessionPresent = rules.version != .v31 && flags == 1
    let code = try reader.byte()
    let reasonCode = rules.version == .v5 ? MQTTReasonCode(rawValue: code) : MQTTReasonCode(connectReturnCode: code)
    guard let reasonCode, reasonCode.isAllowed(in: .connectAck) else { throw .reasonCodeNotAllowed }
    guard reasonCode == .success || !isSessionPresent else { throw .sessionPresentInRefusal }
    let properties = try MQTTProperties.decode(&reader, of: .connectAck, rules)
    return MQTTConnectAck(reasonCode, isSessionPresent: isSessionPresent, properties: properties)
  }

  public func bodySize(_ version: MQTTVersion) -> Int {
    2 + (version == .v5 ? properties.fieldSize : 0)
  }

  /// Appends the packet; nothing where 3.1 and 3.1.1 have no return code for the reason: then the connection is just closed
  /// ([MQTT-3.2.2-6] of 3.1.1).
  public func append(_ version: MQTTVersion, into buffer: inout ByteBuffer) {
    if version == .v5 || reasonCode.connectReturnCode != nil { appendWhole(version, into: &buffer) }
  }

  public func appendBody(_ version: MQTTVersion, into buffer: inout ByteBuffer) {
    buffer.append(isSessionPresent && version != .v31 ? 1 : 0)
    buffer.append(version == .v5 ? reasonCode.rawValue : reasonCode.connectReturnCode ?? MQTTReasonCode.unspecifiedError.rawValue)
    if version == .v5 { properties.appendField(into: &buffer) }
  }
}
