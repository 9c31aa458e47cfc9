public import Core

/// What of a PUBLISH is one receiver's own, and how it is written in front of what all receivers share.
///
/// ```
/// 3.1.1   first byte │ length │ topic │ id │                                  ║ payload
/// 5.0     first byte │ length │ topic │ id │ property length │ own properties ║ shared properties │ payload
///         ─────────────────────────── head ─────────────────────────────────── ──────────── rest ──────────
/// ```
///
/// 5.0 leaves the order of properties free, so the receiver's own (topic alias, subscription identifiers) go first and
/// everything from the first shared property on is one run of bytes that any number of receivers can be sent. The topic
/// belongs to the head, because the packet identifier stands behind it, and because an alias may take its place.
public struct MQTTPublishHead: Equatable, Sendable {
  public var qos: MQTTQoS
  public var isDuplicate: Bool
  public var isRetained: Bool
  /// 0 exactly when the QoS is 0.
  public var packetIdentifier: UInt16
  /// 0 is none. 5.0 only.
  public var topicAlias: UInt16 = 0
  /// Whether the alias, which the receiver knows already, stands for the topic.
  public var omitsTopic = false
  /// Of every subscription of the receiver that matched. 5.0 only.
  public var subscriptionIdentifiers: [UInt32] = []

  public init(qos: MQTTQoS = .atMostOnce, isDuplicate: Bool = false, isRetained: Bool = false, packetIdentifier: UInt16 = 0) {
    self.qos = qos
    self.isDuplicate = isDuplicate
    self.isRetained = isRetained
    self.packetIdentifier = packetIdentifier
  }

  /// Whether there is nothing in it that is the receiver's own: then the rendering can be sent as it is.
  public var isPlain: Bool {
    qos == .atMostOnce && !isRetained && !isDuplicate && topicAlias == 0 && subscriptionIdentifiers.isEmpty
  }

  private var firstByte: UInt8 {
    MQTTPacketType.publish.rawValue << 4 | (isDuplicate ? MQTTFixedHeader.duplicateFlag : 0) | qos.rawValue << 1
      | (isRetained ? MQTTFixedHeader.retainFlag : 0)
  }

  private var ownPropertySize: Int {
    var size = topicAlias == 0 ? 0 : 3
    for identifier in subscriptionIdentifiers { size += 1 + MQTTVariableInteger.size(of: Int(identifier)) }
    return size
  }

  /// What stands between the fixed header and the rest.
  private func middleSize(_ version: MQTTVersion, topicSize: Int, sharedPropertySize: Int) -> Int {
    var size = 2 + (omitsTopic ? 0 : topicSize) + (qos == .atMostOnce ? 0 : 2)
    if version == .v5 { size += MQTTVariableInteger.size(of: ownPropertySize + sharedPropertySize) + ownPropertySize }
    return size
  }

  /// Bytes of the whole packet, to be held against the receiver's Maximum Packet Size: one that is larger is not sent, and
  /// counts as sent ([MQTT-3.1.2-25]). `sharedPropertySize` counts in 5.0 only.
  public func encodedSize(_ version: MQTTVersion, topicSize: Int, sharedPropertySize: Int, payloadSize: Int) -> Int {
    let middle = middleSize(version, topicSize: topicSize, sharedPropertySize: sharedPropertySize)
    let remaining = middle + (version == .v5 ? sharedPropertySize : 0) + payloadSize
    return 1 + MQTTVariableInteger.size(of: remaining) + remaining
  }

  /// Appends the head alone; shared properties (5.0) and payload must be sent behind it.
  public func append(
    _ version: MQTTVersion, topic: RawSpan, sharedPropertySize: Int, payloadSize: Int, into buffer: inout ByteBuffer
  ) {
    precondition((qos == .atMostOnce) == (packetIdentifier == 0), "a packet identifier goes with QoS 1 and 2, and with them alone")
    precondition(qos != .atMostOnce || !isDuplicate, "QoS 0 is never sent again")
    precondition(version == .v5 || (topicAlias == 0 && subscriptionIdentifiers.isEmpty), "properties are of 5.0")
    precondition(!omitsTopic || topicAlias != 0, "nothing stands for the topic")
    let shared = version == .v5 ? sharedPropertySize : 0
    buffer.append(firstByte)
    buffer.append(variable: middleSize(version, topicSize: topic.byteCount, sharedPropertySize: shared) + shared + payloadSize)
    if omitsTopic { buffer.append(bigEndian: UInt16(0)) } else { buffer.append(field: topic) }
    if qos != .atMostOnce { buffer.append(bigEndian: packetIdentifier) }
    guard version == .v5 else { return }
    buffer.append(variable: ownPropertySize + shared)
    if topicAlias != 0 {
      buffer.append(MQTTPropertyIdentifier.topicAlias.rawValue)
      buffer.append(bigEndian: topicAlias)
    }
    for identifier in subscriptionIdentifiers {
      buffer.append(MQTTPropertyIdentifier.subscriptionIdentifier.rawValue)
      buffer.append(variable: Int(identifier))
    }
  }

  /// Appends a whole packet. `properties` are encoded without their length, and left out before 5.0.
  public func append(
    _ version: MQTTVersion, topic: RawSpan, properties: RawSpan, payload: RawSpan, into buffer: inout ByteBuffer
  ) {
    append(version, topic: topic, sharedPropertySize: properties.byteCount, payloadSize: payload.byteCount, into: &buffer)
    if version == .v5 { buffer.append(properties) }
    buffer.append(payload)
  }

  /// Appends a whole packet, for where speed does not matter.
  public func append(
    _ version: MQTTVersion, topic: Bytes, payload: Bytes, properties: MQTTProperties = MQTTProperties(), into buffer: inout ByteBuffer
  ) {
    var encoded = ByteBuffer()
    properties.append(into: &encoded)
    append(version, topic: topic.bytes, properties: encoded.bytes, payload: payload.bytes, into: &buffer)
  }
}
