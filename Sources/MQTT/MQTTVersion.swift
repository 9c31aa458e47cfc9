/// The version of the protocol a connection speaks; the raw value is the level that CONNECT names.
public enum MQTTVersion: UInt8, CaseIterable, Sendable {
  /// MQTT 3.1, whose protocol name is `MQIsdp`.
  case v31 = 3
  /// MQTT 3.1.1.
  case v311 = 4
  /// MQTT 5.0.
  case v5 = 5

  /// The protocol name that CONNECT begins with.
  public var protocolName: StaticString { self == .v31 ? "MQIsdp" : "MQTT" }
}

/// Which side of a connection is meant: the one that decodes, wherever a decoder asks.
public enum MQTTRole: Sendable {
  case server
  case client
}

/// How surely a message is delivered.
public enum MQTTQoS: UInt8, CaseIterable, Comparable, Sendable {
  case atMostOnce = 0
  case atLeastOnce = 1
  case exactlyOnce = 2

  @inlinable public static func < (a: MQTTQoS, b: MQTTQoS) -> Bool { a.rawValue < b.rawValue }
}
