/// What became of something, in one byte: 5.0's codes, which 3.1.1's are translated from and to. 0x80 and above are failures.
public enum MQTTReasonCode: UInt8, CaseIterable, Sendable {
  /// Success; in DISCONNECT a normal disconnection, in SUBACK a granted QoS 0.
  case success = 0x00
  case grantedQoS1 = 0x01
  case grantedQoS2 = 0x02
  case disconnectWithWill = 0x04
  case noMatchingSubscribers = 0x10
  case noSubscriptionExisted = 0x11
  case continueAuthentication = 0x18
  case reauthenticate = 0x19
  case unspecifiedError = 0x80
  case malformedPacket = 0x81
  case protocolError = 0x82
  case implementationSpecificError = 0x83
  case unsupportedProtocolVersion = 0x84
  case clientIdentifierNotValid = 0x85
  case badUserNameOrPassword = 0x86
  case notAuthorized = 0x87
  case serverUnavailable = 0x88
  case serverBusy = 0x89
  case banned = 0x8a
  case serverShuttingDown = 0x8b
  case badAuthenticationMethod = 0x8c
  case keepAliveTimeout = 0x8d
  case sessionTakenOver = 0x8e
  case topicFilterInvalid = 0x8f
  case topicNameInvalid = 0x90
  case packetIdentifierInUse = 0x91
  case packetIdentifierNotFound = 0x92
  case receiveMaximumExceeded = 0x93
  case topicAliasInvalid = 0x94
  case packetTooLarge = 0x95
  case messageRateTooHigh = 0x96
  case quotaExceeded = 0x97
  case administrativeAction = 0x98
  case payloadFormatInvalid = 0x99
  case retainNotSupported = 0x9a
  case qosNotSupported = 0x9b
  case useAnotherServer = 0x9c
  case serverMoved = 0x9d
  case sharedSubscriptionsNotSupported = 0x9e
  case connectionRateExceeded = 0x9f
  case maximumConnectTime = 0xa0
  case subscriptionIdentifiersNotSupported = 0xa1
  case wildcardSubscriptionsNotSupported = 0xa2

  public var isFailure: Bool { rawValue >= 0x80 }

  /// What SUBACK says of a subscription granted with `qos`.
  public init(granted qos: MQTTQoS) {
    self =
      switch qos {
      case .atMostOnce: .success
      case .atLeastOnce: .grantedQoS1
      case .exactlyOnce: .grantedQoS2
      }
  }

  /// Whether a packet of `type` may carry it in 5.0 (table 2-6).
  public func isAllowed(in type: MQTTPacketType) -> Bool {
    switch type {
    case .connectAck:
      switch self {
      case .success, .unspecifiedError, .malformedPacket, .protocolError, .implementationSpecificError, .unsupportedProtocolVersion,
        .clientIdentifierNotValid, .badUserNameOrPassword, .notAuthorized, .serverUnavailable, .serverBusy, .banned,
        .badAuthenticationMethod, .topicNameInvalid, .packetTooLarge, .quotaExceeded, .payloadFormatInvalid, .retainNotSupported,
        .qosNotSupported, .useAnotherServer, .serverMoved, .connectionRateExceeded:
        true
      default: false
      }
    case .publishAck, .publishReceived:
      switch self {
      case .success, .noMatchingSubscribers, .unspecifiedError, .implementationSpecificError, .notAuthorized, .topicNameInvalid,
        .packetIdentifierInUse, .quotaExceeded, .payloadFormatInvalid:
        true
      default: false
      }
    case .publishRelease, .publishComplete: self == .success || self == .packetIdentifierNotFound
    case .subscribeAck:
      switch self {
      case .success, .grantedQoS1, .grantedQoS2, .unspecifiedError, .implementationSpecificError, .notAuthorized, .topicFilterInvalid,
        .packetIdentifierInUse, .quotaExceeded, .sharedSubscriptionsNotSupported, .subscriptionIdentifiersNotSupported,
        .wildcardSubscriptionsNotSupported:
        true
      default: false
      }
    case .unsubscribeAck:
      switch self {
      case .success, .noSubscriptionExisted, .unspecifiedError, .implementationSpecificError, .notAuthorized, .topicFilterInvalid,
        .packetIdentifierInUse:
        true
      default: false
      }
    case .disconnect:
      switch self {
      case .success, .disconnectWithWill, .unspecifiedError, .malformedPacket, .protocolError, .implementationSpecificError,
        .notAuthorized, .serverBusy, .serverShuttingDown, .keepAliveTimeout, .sessionTakenOver, .topicFilterInvalid, .topicNameInvalid,
        .receiveMaximumExceeded, .topicAliasInvalid, .packetTooLarge, .messageRateTooHigh, .quotaExceeded, .administrativeAction,
        .payloadFormatInvalid, .retainNotSupported, .qosNotSupported, .useAnotherServer, .serverMoved,
        .sharedSubscriptionsNotSupported, .connectionRateExceeded, .maximumConnectTime, .subscriptionIdentifiersNotSupported,
        .wildcardSubscriptionsNotSupported:
        true
      default: false
      }
    case .authentication: self == .success || self == .continueAuthentication || self == .reauthenticate
    case .connect, .publish, .subscribe, .unsubscribe, .pingRequest, .pingResponse: false
    }
  }
}

extension MQTTReasonCode {
  /// 3.1.1's return codes of CONNACK, by their number (table 3.1).
  private static let connectReturnCodes: [MQTTReasonCode] = [
    .success, .unsupportedProtocolVersion, .clientIdentifierNotValid, .serverUnavailable, .badUserNameOrPassword, .notAuthorized,
  ]

  /// The return code a CONNACK of 3.1 and 3.1.1 has for it. Nil where there is none: then the connection is closed without
  /// a CONNACK ([MQTT-3.2.2-6] of 3.1.1).
  public var connectReturnCode: UInt8? {
    switch self {
    case .serverBusy: MQTTReasonCode.serverUnavailable.connectReturnCode
    case .badAuthenticationMethod, .banned: MQTTReasonCode.notAuthorized.connectReturnCode
    default: MQTTReasonCode.connectReturnCodes.firstIndex(of: self).map { UInt8($0) }
    }
  }

  init?(connectReturnCode code: UInt8) {
    guard code < MQTTReasonCode.connectReturnCodes.count else { return nil }
    self = MQTTReasonCode.connectReturnCodes[Int(code)]
  }
}
