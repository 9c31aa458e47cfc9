public import Core

/// UNSUBSCRIBE.
public struct MQTTUnsubscribe: MQTTOwnedPacket {
  public var packetIdentifier: UInt16
  public var filters: [Bytes]
  public var properties: MQTTProperties

  public init(_ packetIdentifier: UInt16, _ filters: [Bytes], properties: MQTTProperties = MQTTProperties()) {
    self.packetIdentifier = packetIdentifier
    self.filters = filters
    self.properties = properties
  }

  public var type: MQTTPacketType { .unsubscribe }

  static func decode(_ reader: inout MQTTFieldReader, _ rules: MQTTDecodeRules) throws(MQTTDecodeFailure) -> MQTTUnsubscribe {
    var packet = MQTTUnsubscribe(try reader.packetIdentifier(), [])
    packet.properties = try MQTTProperties.decode(&reader, of: .unsubscribe, rules)
    guard !reader.isAtEnd else { throw .nothingToUnsubscribe }
    while !reader.isAtEnd {
      guard packet.filters.count < rules.limits.filters else { throw .tooManyFilters }
      packet.filters.append(reader.copy(try reader.text()))
    }
    return packet
  }

  public func bodySize(_ version: MQTTVersion) -> Int {
    filters.reduce(2 + (version == .v5 ? properties.fieldSize : 0)) { $0 + 2 + $1.count }
  }

  public func appendBody(_ version: MQTTVersion, into buffer: inout ByteBuffer) {
    buffer.append(bigEndian: packetIdentifier)
    if version == .v5 { properties.appendField(into: &buffer) }
    for filter in filters { buffer.append(field: filter) }
  }
}
