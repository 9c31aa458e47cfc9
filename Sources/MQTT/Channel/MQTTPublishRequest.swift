public import Core

/// A name and a value of a client's own.
public struct MQTTUserProperty: Hashable, Sendable {
  public var name: Bytes
  public var value: Bytes

  public init(_ name: Bytes, _ value: Bytes) {
    self.name = name
    self.value = value
  }
}

/// A message from a client. It owns its bytes, copied once; topic, payload and the rest are slices of that copy.
public struct MQTTPublishRequest: Sendable {
  /// Answered with `published`, for every QoS.
  public let ticket: MQTTTicket
  /// The alias it came with resolved, and found to be a topic.
  public let topic: Bytes
  private let body: Bytes
  private let publish: MQTTPublish

  /// `publish` has its places in `input`.
  init(_ ticket: MQTTTicket, _ publish: MQTTPublish, in input: RawSpan, topic resolved: Bytes?) {
    self.ticket = ticket
    // Topic, properties and payload are one run, with few other bytes between.
    let start = publish.topic.lowerBound
    body = Bytes(copying: input.extracting(start..<publish.payload.upperBound))
    self.publish = publish.moved(by: -start)
    topic = resolved ?? body.slice(self.publish.topic)
  }

  public var qos: MQTTQoS { publish.qos }
  public var isRetained: Bool { publish.isRetained }
  /// Whether the client says that it may have sent it before. Nothing should hang on it: for QoS 2 the channel has seen to it.
  public var isDuplicate: Bool { publish.isDuplicate }
  /// 0 with QoS 0.
  public var packetIdentifier: UInt16 { publish.packetIdentifier }
  public var payload: Bytes { body.slice(publish.payload) }
  /// Whether the payload was said to be UTF-8, and is.
  public var isPayloadText: Bool { publish.isPayloadText }
  /// Seconds.
  public var messageExpiry: UInt32? { publish.messageExpiry }
  public var contentType: Bytes? { publish.contentType.map { body.slice($0) } }
  public var responseTopic: Bytes? { publish.responseTopic.map { body.slice($0) } }
  public var correlationData: Bytes? { publish.correlationData.map { body.slice($0) } }
  public var userPropertyCount: Int { publish.userPropertyCount }

  /// In the order they stand in ([MQTT-3.3.2-18]).
  public var userProperties: [MQTTUserProperty] {
    guard publish.userPropertyCount > 0 else { return [] }
    var found: [MQTTUserProperty] = []
    found.reserveCapacity(publish.userPropertyCount)
    var parts = MQTTPropertyReader(body.bytes, publish.properties, of: .publish, limits: MQTTLimits(userProperties: publish.userPropertyCount))
    do {
      while let part = try parts.next() {
        guard part.identifier == .userProperty else { continue }
        found.append(MQTTUserProperty(body.slice(part.name), body.slice(part.value)))
      }
    } catch {
      preconditionFailure("the decoder let pass properties that are \(error)")
    }
    return found
  }
}
