public import Core
public import MQTT

/// What the client publishes with QoS 2: numbered, so that it is known however often and over whatever edge it comes.
extension MQTTKeeping {
  /// What is to be done with a message of the client's.
  public enum PublishWay: Equatable {
    /// It goes to its shard, under the number of its own if it has QoS 2.
    case goes(number: UInt64?)
    /// It is held, and goes after a save.
    case waits(owesSave: Bool)
  }

  /// A message of the client's, for a session that is kept.
  public func take(_ request: MQTTPublishRequest) -> PublishWay {
    let (number, isNew) = number(request)
    guard isNew || holdsPublishes, !faults.contains(.publishedBeforeSaved) else { return .goes(number: number) }
    hold(HeldPublish(request: request, number: number, awaitsSave: isNew))
    return .waits(owesSave: isNew)
  }

  private func number(_ request: MQTTPublishRequest) -> (number: UInt64?, isNew: Bool) {
    guard request.qos == .exactlyOnce else { return (nil, false) }
    if let known = numbers[request.packetIdentifier] { return (known, false) }
    lastNumber += 1
    numbers[request.packetIdentifier] = lastNumber
    return (lastNumber, true)
  }

  /// The idempotency key of the client's message of this number.
  public func key(_ number: UInt64) -> Bytes { Bytes("\(identity.hexadecimal)\(number.hexadecimal)") }

  /// A message of QoS 2 will not be kept: the client will use the identifier for another one, which must not be taken for it.
  /// A save is owed.
  public func refused(_ packetIdentifier: UInt16) { numbers[packetIdentifier] = nil }

  /// The client has let go of a message of QoS 2. A save is owed.
  public func released(_ packetIdentifier: UInt16) { numbers[packetIdentifier] = nil }
}

extension MQTTAction {
  /// Whether it changes what a session that is kept must not forget once its client knows.
  public func mustBeSaved(in keeping: MQTTKeeping?) -> Bool {
    switch self {
    case .received: true
    case .release(let identifier): keeping?.numbers[identifier] != nil
    default: false
    }
  }
}
