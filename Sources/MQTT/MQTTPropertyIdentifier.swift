/// The 27 properties of 5.0 (table 2-4).
public enum MQTTPropertyIdentifier: UInt8, CaseIterable, Sendable {
  case payloadFormat = 1
  case messageExpiry = 2
  case contentType = 3
  case responseTopic = 8
  case correlationData = 9
  case subscriptionIdentifier = 11
  case sessionExpiry = 17
  case assignedClientIdentifier = 18
  case serverKeepAlive = 19
  case authenticationMethod = 21
  case authenticationData = 22
  case requestProblemInformation = 23
  case willDelay = 24
  case requestResponseInformation = 25
  case responseInformation = 26
  case serverReference = 28
  case reasonString = 31
  case receiveMaximum = 33
  case topicAliasMaximum = 34
  case topicAlias = 35
  case maximumQoS = 36
  case retainAvailable = 37
  case userProperty = 38
  case maximumPacketSize = 39
  case wildcardSubscriptionAvailable = 40
  case subscriptionIdentifierAvailable = 41
  case sharedSubscriptionAvailable = 42

  /// How a property's value is written.
  public enum Form: Sendable {
    /// One byte that is 0 or 1: every property of one byte is.
    case bit
    case two
    case four
    case variable
    case text
    case binary
    case pair
  }

  public var form: Form {
    switch self {
    case .payloadFormat, .requestProblemInformation, .requestResponseInformation, .maximumQoS, .retainAvailable,
      .wildcardSubscriptionAvailable, .subscriptionIdentifierAvailable, .sharedSubscriptionAvailable:
      .bit
    case .serverKeepAlive, .receiveMaximum, .topicAliasMaximum, .topicAlias: .two
    case .messageExpiry, .sessionExpiry, .willDelay, .maximumPacketSize: .four
    case .subscriptionIdentifier: .variable
    case .contentType, .responseTopic, .assignedClientIdentifier, .authenticationMethod, .responseInformation, .serverReference,
      .reasonString:
      .text
    case .correlationData, .authenticationData: .binary
    case .userProperty: .pair
    }
  }

  /// Where it may stand.
  public var places: MQTTPropertyPlaces {
    switch self {
    case .payloadFormat, .messageExpiry, .contentType, .responseTopic, .correlationData: [.publish, .will]
    case .willDelay: .will
    case .topicAlias: .publish
    case .subscriptionIdentifier: [.publish, .subscribe]
    case .sessionExpiry: [.connect, .connectAck, .disconnect]
    case .receiveMaximum, .topicAliasMaximum, .maximumPacketSize: [.connect, .connectAck]
    case .requestProblemInformation, .requestResponseInformation: .connect
    case .assignedClientIdentifier, .serverKeepAlive, .responseInformation, .maximumQoS, .retainAvailable,
      .wildcardSubscriptionAvailable, .subscriptionIdentifierAvailable, .sharedSubscriptionAvailable:
      .connectAck
    case .authenticationMethod, .authenticationData: [.connect, .connectAck, .authentication]
    case .serverReference: [.connectAck, .disconnect]
    case .reasonString:
      [
        .connectAck, .publishAck, .publishReceived, .publishRelease, .publishComplete, .subscribeAck, .unsubscribeAck, .disconnect,
        .authentication,
      ]
    case .userProperty: .all
    }
  }
}

/// The packets that have properties, and the will in a CONNECT.
public struct MQTTPropertyPlaces: OptionSet, Sendable {
  public let rawValue: UInt16
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  public init(_ type: MQTTPacketType) { rawValue = 1 << UInt16(type.rawValue) }

  public static let will = MQTTPropertyPlaces(rawValue: 1)
  public static let connect = MQTTPropertyPlaces(.connect)
  public static let connectAck = MQTTPropertyPlaces(.connectAck)
  public static let publish = MQTTPropertyPlaces(.publish)
  public static let publishAck = MQTTPropertyPlaces(.publishAck)
  public static let publishReceived = MQTTPropertyPlaces(.publishReceived)
  public static let publishRelease = MQTTPropertyPlaces(.publishRelease)
  public static let publishComplete = MQTTPropertyPlaces(.publishComplete)
  public static let subscribe = MQTTPropertyPlaces(.subscribe)
  public static let subscribeAck = MQTTPropertyPlaces(.subscribeAck)
  public static let unsubscribe = MQTTPropertyPlaces(.unsubscribe)
  public static let unsubscribeAck = MQTTPropertyPlaces(.unsubscribeAck)
  public static let disconnect = MQTTPropertyPlaces(.disconnect)
  public static let authentication = MQTTPropertyPlaces(.authentication)

  /// Every place that has properties at all.
  public static let all: MQTTPropertyPlaces = [
    .will, .connect, .connectAck, .publish, .publishAck, .publishReceived, .publishRelease, .publishComplete, .subscribe, .subscribeAck,
    .unsubscribe, .unsubscribeAck, .disconnect, .authentication,
  ]
}
