internal import Core
internal import MQTT
internal import WebSocket

/// Messages as PUBLISH packets.
extension EventRenderer {
  /// Where MQTT clients hear that messages are missing.
  static let gapTopic: StaticString = "$tidings/gap"

  /// A whole PUBLISH of QoS 0.
  @discardableResult
  func appendMQTT(
    _ record: RecordView, _ version: MQTTVersion, wall: WallTime, position: Bytes? = nil, into buffer: inout ByteBuffer
  ) -> MQTTPublishRendering {
    properties.removeAll()
    if version == .v5 { appendProperties(record, wall, position) }
    return properties.withUnsafeBytes { properties in
      MQTTPublishRendering.append(version, topic: record.topic.bytes, properties: properties.bytes, payload: record.payload.bytes, into: &buffer)
    }
  }

  func appendFramedMQTT(_ record: RecordView, _ version: MQTTVersion, wall: WallTime, into buffer: inout ByteBuffer) {
    packet.removeAll()
    appendMQTT(record, version, wall: wall, into: &packet)
    packet.withUnsafeBytes { WebSocketEncoder.append(.binary, $0, into: &buffer) }
  }

  /// What the publisher said, and what a record has fields of its own for.
  private func appendProperties(_ record: RecordView, _ wall: WallTime, _ position: Bytes?) {
    var own = MQTTProperties()
    if !record.contentType.isEmpty { own.contentType = Bytes(copying: record.contentType.bytes) }
    if record.timeToLiveMilliseconds > 0 {
      let left = record.time.milliseconds + Int64(record.timeToLiveMilliseconds) - wall.milliseconds
      own.messageExpiry = UInt32(clamping: max(0, (left + 999) / 1000))
    }
    if record.flags.contains(.clear), MQTTRecordProperties.isForeign(record) {
      own.appendUserProperty(Bytes(static: MQTTRecordProperties.typeName), Bytes(static: Self.clearedType))
    } else if !record.type.isEmpty {
      own.appendUserProperty(Bytes(static: MQTTRecordProperties.typeName), Bytes(copying: record.type.bytes))
    }
    if let position { own.appendUserProperty(Bytes(static: MQTTRecordProperties.positionName), position) }
    own.append(into: &properties)
    properties.append(MQTTRecordProperties.encoded(of: record))
  }
}
