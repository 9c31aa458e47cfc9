public import Core

/// AUTH, of 5.0 alone: one step of an enhanced authentication.
public struct MQTTAuthentication: MQTTOwnedPacket {
  public var reasonCode: MQTTReasonCode
  public var properties: MQTTProperties

  public init(_ reasonCode: MQTTReasonCode, properties: MQTTProperties = MQTTProperties()) {
    self.reasonCode = reasonCode
    self.properties = properties
  }

  public var type: MQTTPacketType { .authentication }

  /// An empty one is a success without properties (section 3.15.2.1); in any other the method must stand.
  static func decode(_ reader: inout MQTTFieldReader, _ rules: MQTTDecodeRules) throws(MQTTDecodeFailure) -> MQTTAuthentication {
    let isEmpty = reader.isAtEnd
    let (reasonCode, properties) = try MQTTEnding.decode(&reader, of: .authentication, rules)
    guard isEmpty || properties.first(.authenticationMethod) != nil else { throw .authenticationMethodMissing }
    return MQTTAuthentication(reasonCode, properties: properties)
  }

  public func bodySize(_ version: MQTTVersion) -> Int {
    MQTTEnding.size(reasonCode, properties)
  }

  public func appendBody(_ version: MQTTVersion, into buffer: inout ByteBuffer) {
    precondition(version == .v5, "AUTH is of 5.0")
    MQTTEnding.append(reasonCode, properties, into: &buffer)
  }
}
