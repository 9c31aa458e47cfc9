/// The kinds of packets; the raw value stands in the upper half of a packet's first byte.
public enum MQTTPacketType: UInt8, CaseIterable, Sendable {
  case connect = 1
  case connectAck
  case publish
  case publishAck
  case publishReceived
  case publishRelease
  case publishComplete
  case subscribe
  case subscribeAck
  case unsubscribe
  case unsubscribeAck
  case pingRequest
  case pingResponse
  case disconnect
  case authentication

  /// The flags that every packet of this kind has, PUBLISH apart (table 2-2 of 5.0, [MQTT-2.1.3-1]).
  var fixedFlags: UInt8 {
    switch self {
    case .publishRelease, .subscribe, .unsubscribe: MQTTFixedHeader.atLeastOnceFlag
    default: 0
    }
  }

  /// The first byte of a packet of this kind, PUBLISH apart.
  var firstByte: UInt8 { rawValue << 4 | fixedFlags }

  /// Whether `role` is ever sent such a packet.
  func isSent(to role: MQTTRole, _ version: MQTTVersion) -> Bool {
    switch self {
    case .connect, .subscribe, .unsubscribe, .pingRequest: role == .server
    case .connectAck, .subscribeAck, .unsubscribeAck, .pingResponse: role == .client
    // Before 5.0 a server that had enough just closed the connection.
    case .disconnect: role == .server || version == .v5
    case .publish, .publishAck, .publishReceived, .publishRelease, .publishComplete, .authentication: true
    }
  }

  /// The longest body that means anything; nil when only the limit on packets bounds it.
  func longestBody(_ version: MQTTVersion) -> Int? {
    switch self {
    case .pingRequest, .pingResponse: 0
    case .disconnect: version == .v5 ? nil : 0
    case .connectAck, .publishAck, .publishReceived, .publishRelease, .publishComplete, .unsubscribeAck: version == .v5 ? nil : 2
    default: nil
    }
  }
}
