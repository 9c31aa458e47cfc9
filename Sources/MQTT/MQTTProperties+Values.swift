public import Core

// The properties by their names. Those of one byte are 0 or 1, and `Bool` here.

extension MQTTProperties {
  /// Seconds after which the message is worth nothing.
  public var messageExpiry: UInt32? {
    get { number(.messageExpiry) }
    set { set(.messageExpiry, newValue.map { .number($0) }) }
  }

  /// The number a client gave its subscriptions, 1 to 268,435,455.
  public var subscriptionIdentifier: UInt32? {
    get { number(.subscriptionIdentifier) }
    set { set(.subscriptionIdentifier, newValue.map { .number($0) }) }
  }

  /// Seconds a session outlives its connection; 0xFFFFFFFF is for ever.
  public var sessionExpiry: UInt32? {
    get { number(.sessionExpiry) }
    set { set(.sessionExpiry, newValue.map { .number($0) }) }
  }

  /// Seconds the will waits after the connection is gone.
  public var willDelay: UInt32? {
    get { number(.willDelay) }
    set { set(.willDelay, newValue.map { .number($0) }) }
  }

  /// The largest packet the sender takes, in bytes.
  public var maximumPacketSize: UInt32? {
    get { number(.maximumPacketSize) }
    set { set(.maximumPacketSize, newValue.map { .number($0) }) }
  }

  /// Seconds; in the place of what the client asked for.
  public var serverKeepAlive: UInt16? {
    get { number(.serverKeepAlive).map { UInt16($0) } }
    set { set(.serverKeepAlive, newValue.map { .number(UInt32($0)) }) }
  }

  /// How many messages of QoS 1 and 2 the sender takes before it has answered them.
  public var receiveMaximum: UInt16? {
    get { number(.receiveMaximum).map { UInt16($0) } }
    set { set(.receiveMaximum, newValue.map { .number(UInt32($0)) }) }
  }

  /// The largest topic alias the sender takes.
  public var topicAliasMaximum: UInt16? {
    get { number(.topicAliasMaximum).map { UInt16($0) } }
    set { set(.topicAliasMaximum, newValue.map { .number(UInt32($0)) }) }
  }

  /// The number that stands for the topic.
  public var topicAlias: UInt16? {
    get { number(.topicAlias).map { UInt16($0) } }
    set { set(.topicAlias, newValue.map { .number(UInt32($0)) }) }
  }

  /// Whether the payload says of itself that it is UTF-8.
  public var isPayloadText: Bool? {
    get { number(.payloadFormat).map { $0 == 1 } }
    set { set(.payloadFormat, newValue.map { .number($0 ? 1 : 0) }) }
  }

  /// Whether reason strings and user properties may be sent with more than PUBLISH, CONNACK and DISCONNECT; when absent they may.
  public var requestProblemInformation: Bool? {
    get { number(.requestProblemInformation).map { $0 == 1 } }
    set { set(.requestProblemInformation, newValue.map { .number($0 ? 1 : 0) }) }
  }

  /// Whether the client asks for `responseInformation`.
  public var requestResponseInformation: Bool? {
    get { number(.requestResponseInformation).map { $0 == 1 } }
    set { set(.requestResponseInformation, newValue.map { .number($0 ? 1 : 0) }) }
  }

  /// Whether messages may be retained; when absent they may.
  public var retainAvailable: Bool? {
    get { number(.retainAvailable).map { $0 == 1 } }
    set { set(.retainAvailable, newValue.map { .number($0 ? 1 : 0) }) }
  }

  /// When absent: they are.
  public var wildcardSubscriptionAvailable: Bool? {
    get { number(.wildcardSubscriptionAvailable).map { $0 == 1 } }
    set { set(.wildcardSubscriptionAvailable, newValue.map { .number($0 ? 1 : 0) }) }
  }

  /// When absent: they are.
  public var subscriptionIdentifierAvailable: Bool? {
    get { number(.subscriptionIdentifierAvailable).map { $0 == 1 } }
    set { set(.subscriptionIdentifierAvailable, newValue.map { .number($0 ? 1 : 0) }) }
  }

  /// When absent: they are.
  public var sharedSubscriptionAvailable: Bool? {
    get { number(.sharedSubscriptionAvailable).map { $0 == 1 } }
    set { set(.sharedSubscriptionAvailable, newValue.map { .number($0 ? 1 : 0) }) }
  }

  /// The highest QoS the server takes; when absent, all.
  public var maximumQoS: MQTTQoS? {
    get { number(.maximumQoS).flatMap { MQTTQoS(rawValue: UInt8($0)) } }
    // Exactly once is said by saying nothing.
    set { set(.maximumQoS, newValue.flatMap { $0 == .exactlyOnce ? nil : .number(UInt32($0.rawValue)) }) }
  }

  /// What the payload is, in the words of those who use it; a media type as a rule.
  public var contentType: Bytes? {
    get { bytes(.contentType) }
    set { set(.contentType, newValue.map { .bytes($0) }) }
  }

  /// Where an answer is to be published.
  public var responseTopic: Bytes? {
    get { bytes(.responseTopic) }
    set { set(.responseTopic, newValue.map { .bytes($0) }) }
  }

  /// What the answer must carry to be known as one.
  public var correlationData: Bytes? {
    get { bytes(.correlationData) }
    set { set(.correlationData, newValue.map { .bytes($0) }) }
  }

  /// The client identifier that the server made up.
  public var assignedClientIdentifier: Bytes? {
    get { bytes(.assignedClientIdentifier) }
    set { set(.assignedClientIdentifier, newValue.map { .bytes($0) }) }
  }

  /// The name of the enhanced authentication.
  public var authenticationMethod: Bytes? {
    get { bytes(.authenticationMethod) }
    set { set(.authenticationMethod, newValue.map { .bytes($0) }) }
  }

  /// What the method has to say.
  public var authenticationData: Bytes? {
    get { bytes(.authenticationData) }
    set { set(.authenticationData, newValue.map { .bytes($0) }) }
  }

  /// What a client may build its response topics on.
  public var responseInformation: Bytes? {
    get { bytes(.responseInformation) }
    set { set(.responseInformation, newValue.map { .bytes($0) }) }
  }

  /// Where else to go: one or more servers, separated by spaces.
  public var serverReference: Bytes? {
    get { bytes(.serverReference) }
    set { set(.serverReference, newValue.map { .bytes($0) }) }
  }

  /// Words for people who look into things.
  public var reasonString: Bytes? {
    get { bytes(.reasonString) }
    set { set(.reasonString, newValue.map { .bytes($0) }) }
  }

  /// Appends a user property; their order is kept, and a name may stand many times.
  public mutating func appendUserProperty(_ name: Bytes, _ value: Bytes) {
    list.append(MQTTProperty(.userProperty, .pair(name: name, value: value)))
  }

  /// The value of the first user property called `name`.
  public func userProperty(_ name: StaticString) -> Bytes? {
    for property in list {
      guard case .pair(let key, let value) = property.value, key.count == name.utf8CodeUnitCount else { continue }
      let isSame = key.withUnsafeBytes { $0.elementsEqual(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)) }
      if isSame { return value }
    }
    return nil
  }
}
