public import Core
public import Feeds
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

  /// The shard refused a message of QoS 2. True if it is certain that it is not kept and never was: its number is forgotten, since
  /// the client will use the identifier for another message; a save is owed, and then the client is told.
  ///
  /// Else it must not be told: the number stands, and the client has to send the message again over another connection.
  public func isForgotten(_ packetIdentifier: UInt16, refused refusal: Refusal, in version: MQTTVersion?) -> Bool {
    // Before 5.0 nothing can be refused, and the client sends it again in any case.
    guard version == .v5, !mayBeKept.contains(packetIdentifier) else { return false }
    switch refusal {
    case .unknownOutcome, .journalFailed: return false
    default:
      numbers[packetIdentifier] = nil
      return true
    }
  }

  /// The client has let go of a message of QoS 2. A save is owed.
  public func released(_ packetIdentifier: UInt16) {
    numbers[packetIdentifier] = nil
    mayBeKept.remove(packetIdentifier)
  }
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
