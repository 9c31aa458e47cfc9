public import Core

/// SUBSCRIBE.
public struct MQTTSubscribe: MQTTOwnedPacket {
  public var packetIdentifier: UInt16
  public var subscriptions: [MQTTSubscription]
  public var properties: MQTTProperties

  public init(_ packetIdentifier: UInt16, _ subscriptions: [MQTTSubscription], properties: MQTTProperties = MQTTProperties()) {
    self.packetIdentifier = packetIdentifier
    self.subscriptions = subscriptions
    self.properties = properties
  }

  public var type: MQTTPacketType { .subscribe }

  static func decode(_ reader: inout MQTTFieldReader, _ rules: MQTTDecodeRules) throws(MQTTDecodeFailure) -> MQTTSubscribe {
    var packet = MQTTSubscribe(try reader.packetIdentifier(), [])
    packet.properties = try MQTTProperties.decode(&reader, of: .subscribe, rules)
    guard !reader.isAtEnd else { throw .nothingToSubscribe }
    while !reader.isAtEnd {
      guard packet.subscriptions.count < rules.limits.filters else { throw .tooManyFilters }
      let filter = try reader.text()
      packet.subscriptions.append(try MQTTSubscription(reader.copy(filter), options: try reader.byte(), rules.version))
    }
    return packet
  }

  public func bodySize(_ version: MQTTVersion) -> Int {
    subscriptions.reduce(2 + (version == .v5 ? properties.fieldSize : 0)) { $0 + 3 + $1.filter.count }
  }

  public func appendBody(_ version: MQTTVersion, into buffer: inout ByteBuffer) {
    buffer.append(bigEndian: packetIdentifier)
    if version == .v5 { properties.appendField(into: &buffer) }
    for subscription in subscriptions {
      buffer.append(field: subscription.filter)
      buffer.append(subscription.options(version))
    }
  }
}
