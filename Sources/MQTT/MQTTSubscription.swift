public import Core

/// When a subscription is sent the retained messages that match it.
public enum MQTTRetainHandling: UInt8, CaseIterable, Sendable {
  case always = 0
  /// Only if the subscription was not there before.
  case ifNew = 1
  case never = 2
}

/// A filter and how its messages are wanted. Before 5.0 only the QoS is told.
public struct MQTTSubscription: Hashable, Sendable {
  /// UTF-8; whether it is a filter is for `Filter` to say.
  public var filter: Bytes
  public var qos: MQTTQoS
  /// Whether the client's own messages are kept from it.
  public var noLocal = false
  /// Whether messages keep their retain flag.
  public var retainAsPublished = false
  public var retainHandling = MQTTRetainHandling.always

  public init(_ filter: Bytes, _ qos: MQTTQoS) {
    self.filter = filter
    self.qos = qos
  }

  /// From a filter and the byte of options that was kept with it.
  public init(_ filter: Bytes, options: UInt8, _ version: MQTTVersion) throws(MQTTDecodeFailure) {
    // 3.1.1 calls a QoS of 3 malformed like any other reserved bit ([MQTT-3-8.3-4]); in 5.0 it is an error of its own.
    guard options & (version == .v5 ? 0xc0 : 0xfc) == 0 else { throw .subscriptionReservedBits }
    guard let qos = MQTTQoS(rawValue: options & 0x03) else { throw .subscriptionQoSThree }
    guard let handling = MQTTRetainHandling(rawValue: options >> 4) else { throw .retainHandlingThree }
    self.filter = filter
    self.qos = qos
    noLocal = options & 0x04 != 0
    retainAsPublished = options & 0x08 != 0
    retainHandling = handling
  }

  /// The byte that stands behind the filter in a SUBSCRIBE.
  public func options(_ version: MQTTVersion) -> UInt8 {
    guard version == .v5 else { return qos.rawValue }
    return qos.rawValue | (noLocal ? 0x04 : 0) | (retainAsPublished ? 0x08 : 0) | retainHandling.rawValue << 4
  }
}
