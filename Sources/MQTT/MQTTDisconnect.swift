public import Core

/// DISCONNECT: the last packet of a side. Before 5.0 only a client sends it, and it says nothing more.
public struct MQTTDisconnect: MQTTOwnedPacket {
  public var reasonCode: MQTTReasonCode
  public var properties: MQTTProperties

  public init(_ reasonCode: MQTTReasonCode = .success, properties: MQTTProperties = MQTTProperties()) {
    self.reasonCode = reasonCode
    self.properties = properties
  }

  public var type: MQTTPacketType { .disconnect }

  static func decode(_ reader: inout MQTTFieldReader, _ rules: MQTTDecodeRules) throws(MQTTDecodeFailure) -> MQTTDisconnect {
    guard rules.version == .v5 else { return MQTTDisconnect() }
    let (reasonCode, properties) = try MQTTEnding.decode(&reader, of: .disconnect, rules)
    guard rules.role == .server || properties.first(.sessionExpiry) == nil else { throw .sessionExpiryFromServer }
    return MQTTDisconnect(reasonCode, properties: properties)
  }

  public func bodySize(_ version: MQTTVersion) -> Int {
    version == .v5 ? MQTTEnding.size(reasonCode, properties) : 0
  }

  public func appendBody(_ version: MQTTVersion, into buffer: inout ByteBuffer) {
    if version == .v5 { MQTTEnding.append(reasonCode, properties, into: &buffer) }
  }
}
