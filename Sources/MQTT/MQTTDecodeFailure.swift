/// Why a peer's bytes were refused. Its scope is always the connection: in 5.0 send a DISCONNECT (before CONNACK, a
/// CONNACK) with `reasonCode`, then close; before 5.0 just close, but for a version that is not spoken.
///
/// Statement numbers are those of 5.0 unless 3.1.1 is named.
public enum MQTTDecodeFailure: UInt8, Error, CaseIterable, Sendable {
  // Malformed, 0x81
  /// Type 0, or AUTH before 5.0.
  case reservedPacketType
  /// [MQTT-2.1.3-1], [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1], [MQTT-3.14.1-1], [MQTT-3.15.1-1].
  case reservedFlags
  /// A fifth byte of a variable integer (section 1.5.5).
  case lengthTooLong
  /// [MQTT-1.5.5-1]; 3.1.1 asks for no such thing, and there it is let pass.
  case variableIntegerNotMinimal
  /// A field reaches past the end of its packet or of its properties.
  case truncated
  case trailingBytes
  /// [MQTT-1.5.4-1].
  case textNotUTF8
  /// [MQTT-1.5.4-2].
  case textHasNull
  case unknownProperty
  /// Section 2.2.2.2.
  case propertyNotAllowed
  /// [MQTT-3.3.1-4].
  case publishQoSThree
  /// [MQTT-3.3.1-2].
  case duplicateWithoutQoS
  /// [MQTT-3.1.2-3].
  case connectReservedFlag
  /// [MQTT-3.1.2-12].
  case willQoSThree
  /// [MQTT-3.1.2-11], [MQTT-3.1.2-13].
  case willFlagsWithoutWill
  /// [MQTT-3.1.2-22] of 3.1.1; 5.0 allows it.
  case passwordWithoutUserName
  /// [MQTT-3.8.3-5], [MQTT-3-8.3-4] of 3.1.1.
  case subscriptionReservedBits
  /// [MQTT-3.2.2-1].
  case connectAckReservedFlags
  // Protocol errors, 0x82
  /// [MQTT-3.1.0-1].
  case connectExpected
  /// [MQTT-3.1.0-2].
  case secondConnect
  /// Table 2-1.
  case wrongDirection
  /// [MQTT-2.2.1-3], [MQTT-2.2.1-4].
  case packetIdentifierZero
  case repeatedProperty
  case propertyOutOfRange
  /// [MQTT-3.3.2-14].
  case responseTopicInvalid
  /// Section 3.3.2.1: a topic alias that is to stand for nothing.
  case topicMissing
  /// [MQTT-3.3.4-6].
  case subscriptionIdentifierFromClient
  /// [MQTT-3.14.2-2].
  case sessionExpiryFromServer
  /// [MQTT-3.8.3-2].
  case nothingToSubscribe
  /// [MQTT-3.10.3-2].
  case nothingToUnsubscribe
  case nothingAcknowledged
  /// Section 3.8.3.1.
  case subscriptionQoSThree
  /// Section 3.8.3.1.
  case retainHandlingThree
  /// [MQTT-3.2.2-8], [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1], [MQTT-3.9.3-2], [MQTT-3.11.3-2],
  /// [MQTT-3.14.2-1], [MQTT-3.15.2-1].
  case reasonCodeNotAllowed
  /// [MQTT-3.2.2-6].
  case sessionPresentInRefusal
  /// Section 3.1.2.11.10.
  case authenticationDataWithoutMethod
  /// Section 3.15.2.2.2.
  case authenticationMethodMissing
  // With codes of their own
  /// [MQTT-3.1.2-1].
  case unknownProtocolName
  /// [MQTT-3.1.2-2].
  case unsupportedVersion
  /// [MQTT-3.3.2-8].
  case topicAliasZero
  case packetTooLarge
  case tooManyFilters
  case tooManyUserProperties

  /// What DISCONNECT or CONNACK says in 5.0.
  public var reasonCode: MQTTReasonCode {
    switch self {
    case .unknownProtocolName, .unsupportedVersion: .unsupportedProtocolVersion
    case .topicAliasZero: .topicAliasInvalid
    case .packetTooLarge: .packetTooLarge
    case .tooManyFilters, .tooManyUserProperties: .quotaExceeded
    default: rawValue < MQTTDecodeFailure.connectExpected.rawValue ? .malformedPacket : .protocolError
    }
  }

  /// One plain sentence for a reason string and a log.
  public var sentence: StaticString {
    switch self {
    case .reservedPacketType: "The packet type is reserved."
    case .reservedFlags: "The flags of the packet are not those its type must have."
    case .lengthTooLong: "A length takes more than four bytes."
    case .variableIntegerNotMinimal: "A number was not written in its shortest form."
    case .truncated: "A field reaches past the end of its packet."
    case .trailingBytes: "Bytes follow the last field of the packet."
    case .textNotUTF8: "A text is not UTF-8."
    case .textHasNull: "A text has a null character."
    case .unknownProperty: "The packet has a property that does not exist."
    case .propertyNotAllowed: "The packet has a property that does not belong in it."
    case .publishQoSThree: "A message has QoS 3."
    case .duplicateWithoutQoS: "A message with QoS 0 is marked as sent again."
    case .connectReservedFlag: "The reserved flag of CONNECT is set."
    case .willQoSThree: "The will has QoS 3."
    case .willFlagsWithoutWill: "CONNECT has flags for a will and no will."
    case .passwordWithoutUserName: "CONNECT has a password and no user name."
    case .subscriptionReservedBits: "Reserved bits of a subscription are set."
    case .connectAckReservedFlags: "Reserved flags of CONNACK are set."
    case .connectExpected: "The first packet of a connection is not CONNECT."
    case .secondConnect: "CONNECT was sent twice."
    case .wrongDirection: "The packet is one that only the other side sends."
    case .packetIdentifierZero: "The packet identifier is 0."
    case .repeatedProperty: "A property stands twice that may stand once."
    case .propertyOutOfRange: "A property has a value that it must not have."
    case .responseTopicInvalid: "The response topic is empty or has a wildcard."
    case .topicMissing: "A message has neither a topic nor a topic alias."
    case .subscriptionIdentifierFromClient: "A client's message has a subscription identifier."
    case .sessionExpiryFromServer: "A server's DISCONNECT has a session expiry interval."
    case .nothingToSubscribe: "SUBSCRIBE has no filter."
    case .nothingToUnsubscribe: "UNSUBSCRIBE has no filter."
    case .nothingAcknowledged: "An acknowledgement has no reason code."
    case .subscriptionQoSThree: "A subscription asks for QoS 3."
    case .retainHandlingThree: "A subscription asks for retain handling 3."
    case .reasonCodeNotAllowed: "The reason code is not one that the packet may have."
    case .sessionPresentInRefusal: "A refused connection says that its session is present."
    case .authenticationDataWithoutMethod: "CONNECT has authentication data and no authentication method."
    case .authenticationMethodMissing: "AUTH has no authentication method."
    case .unknownProtocolName: "The protocol name is neither MQTT nor MQIsdp."
    case .unsupportedVersion: "Only MQTT 3.1, 3.1.1 and 5.0 are spoken here."
    case .topicAliasZero: "The topic alias is 0."
    case .packetTooLarge: "The packet is larger than the maximum packet size."
    case .tooManyFilters: "The packet has too many filters."
    case .tooManyUserProperties: "The packet has too many user properties."
    }
  }
}
