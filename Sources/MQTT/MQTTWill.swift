public import Core

/// What the server publishes for a client that went without a DISCONNECT.
public struct MQTTWill: Equatable, Sendable {
  public var topic: Bytes
  public var payload: Bytes
  public var qos = MQTTQoS.atMostOnce
  public var isRetained = false
  public var properties = MQTTProperties()

  public init(topic: Bytes, payload: Bytes) {
    self.topic = topic
    self.payload = payload
  }

  static func decode(
    _ reader: inout MQTTFieldReader, qos: MQTTQoS, isRetained: Bool, _ rules: MQTTDecodeRules
  ) throws(MQTTDecodeFailure) -> MQTTWill {
    let properties = try MQTTProperties.decode(&reader, of: .will, rules)
    var will = MQTTWill(topic: reader.copy(try reader.text()), payload: reader.copy(try reader.binary()))
    will.qos = qos
    will.isRetained = isRetained
    will.properties = properties
    return will
  }

  func encodedSize(_ version: MQTTVersion) -> Int {
    (version == .v5 ? properties.fieldSize : 0) + 2 + topic.count + 2 + payload.count
  }

  func append(_ version: MQTTVersion, into buffer: inout ByteBuffer) {
    if version == .v5 { properties.appendField(into: &buffer) }
    buffer.append(field: topic)
    buffer.append(field: payload)
  }
}
