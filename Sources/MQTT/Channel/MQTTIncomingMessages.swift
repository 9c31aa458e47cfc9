import Core

/// What a client has sent and not been answered, and which packet identifiers it may not use for anything else.
///
/// ```
/// QoS 1   PUBLISH ─▶ acknowledging ─answer─▶ PUBACK
/// QoS 2   PUBLISH ─▶ receiving ─answer─▶ PUBREC ─▶ unreleased ─PUBREL─▶ PUBCOMP
/// ```
///
/// Answers go out in the order of the messages, however they come in ([MQTT-4.6.0-2], [MQTT-4.6.0-3]).
struct MQTTIncomingMessages {
  /// What stands in place of a reason code until there is one.
  private static let unanswered: UInt8 = 0xff

  struct Entry: BitwiseCopyable {
    let identifier: UInt16
    let qos: UInt8
    /// Whether the identifier is this message's: one that is refused before it was handed out never gets it.
    let hasIdentifier: Bool
    var code: UInt8

    var isExactlyOnce: Bool { qos == MQTTQoS.exactlyOnce.rawValue }
  }

  private var waiting = MQTTRing<Entry>()
  private var firstNumber: UInt32 = 0
  /// Words that go with refusals, few and rare.
  private var reasons: [(number: UInt32, text: Bytes)] = []
  private var acknowledging = MQTTIdentifierSet()
  private var receiving = MQTTIdentifierSet()
  private(set) var unreleased = MQTTIdentifierSet()
  /// Those of `unreleased` that came over an earlier connection: receive maximum counts each connection's own (section 4.9).
  private var resumed = MQTTIdentifierSet()
  /// Messages of QoS 0 that are not answered.
  private(set) var plainCount = 0
  private(set) var unansweredBytes = 0

  var unansweredCount: Int { waiting.count + plainCount }
  /// Messages of this connection that a receive maximum counts.
  var unacknowledgedCount: Int { acknowledging.count + receiving.count + unreleased.count - resumed.count }

  mutating func resume(_ identifiers: [UInt16]) {
    for identifier in identifiers {
      unreleased.insert(identifier)
      resumed.insert(identifier)
    }
  }

  func isAcknowledging(_ identifier: UInt16) -> Bool { acknowledging.contains(identifier) }
  func isReceiving(_ identifier: UInt16) -> Bool { receiving.contains(identifier) }
  func isUnreleased(_ identifier: UInt16) -> Bool { unreleased.contains(identifier) }
  func isInUse(_ identifier: UInt16) -> Bool {
    acknowledging.contains(identifier) || receiving.contains(identifier) || unreleased.contains(identifier)
  }

  /// A message is handed out.
  mutating func begin(_ qos: MQTTQoS, _ identifier: UInt16, size: Int) -> MQTTTicket {
    unansweredBytes += size
    guard qos != .atMostOnce else {
      plainCount += 1
      return MQTTTicket(kind: .plain, number: 0, size: UInt32(size))
    }
    if qos == .exactlyOnce { receiving.insert(identifier) } else { acknowledging.insert(identifier) }
    return MQTTTicket(kind: .message, number: append(qos, identifier, true, MQTTIncomingMessages.unanswered), size: UInt32(size))
  }

  /// A message is refused here and now; its turn to be told may be later. The identifier is not taken.
  mutating func refuse(_ qos: MQTTQoS, _ identifier: UInt16, _ code: MQTTReasonCode, _ text: Bytes) {
    reasons.append((append(qos, identifier, false, code.rawValue), text))
  }

  private mutating func append(_ qos: MQTTQoS, _ identifier: UInt16, _ hasIdentifier: Bool, _ code: UInt8) -> UInt32 {
    waiting.append(Entry(identifier: identifier, qos: qos.rawValue, hasIdentifier: hasIdentifier, code: code))
    return firstNumber &+ UInt32(waiting.count - 1)
  }

  mutating func answer(_ ticket: MQTTTicket, _ code: MQTTReasonCode, _ text: Bytes?) {
    unansweredBytes -= Int(ticket.size)
    guard ticket.kind == .message else {
      precondition(ticket.kind == .plain && plainCount > 0, "an answer to nothing")
      plainCount -= 1
      return
    }
    let index = Int(ticket.number &- firstNumber)
    precondition(index < waiting.count && waiting[index].code == MQTTIncomingMessages.unanswered, "a message answered twice")
    waiting[index].code = code.rawValue
    if let text { reasons.append((ticket.number, text)) }
  }

  /// The oldest message if it is answered; then its turn is over.
  mutating func nextAnswered() -> (entry: Entry, reason: Bytes?)? {
    guard let entry = waiting.first, entry.code != MQTTIncomingMessages.unanswered else { return nil }
    waiting.removeFirst()
    defer { firstNumber &+= 1 }
    guard !reasons.isEmpty, let place = reasons.firstIndex(where: { $0.number == firstNumber }) else { return (entry, nil) }
    return (entry, reasons.remove(at: place).text)
  }

  /// PUBACK or PUBREC is sent.
  mutating func end(_ entry: Entry, isFailure: Bool) {
    guard entry.hasIdentifier else { return }
    if !entry.isExactlyOnce {
      acknowledging.remove(entry.identifier)
    } else if receiving.remove(entry.identifier), !isFailure {
      unreleased.insert(entry.identifier)
    }
  }

  /// An unreleased message has come once more, and counts for this connection from now on.
  mutating func comeAgain(_ identifier: UInt16) { resumed.remove(identifier) }

  /// False if there was no such message.
  mutating func release(_ identifier: UInt16) -> Bool {
    resumed.remove(identifier)
    return unreleased.remove(identifier)
  }
}
