/// The messages of QoS 1 and 2 under way to a client, in the order of sending.
///
/// ```
/// resumed ─▶ unsent ─resend─▶ asked ─redeliver─▶ sent ─PUBACK, PUBCOMP─▶ gone
/// new ────────────────────────deliver──────────▶ sent ─PUBREC─▶ received ─▶ gone
/// ```
struct MQTTOutgoingMessages {
  enum Stage: UInt8 {
    /// Of a resumed session, and the shell was not asked for it yet.
    case unsent
    /// The shell was asked for it.
    case asked
    case sent
    /// PUBREL is sent.
    case received

    var isWaitingToBeResent: Bool { self == .unsent || self == .asked }
  }

  struct Entry: BitwiseCopyable {
    let token: UInt64
    let identifier: UInt16
    let qos: UInt8
    var stage: UInt8
    /// Whether the client's receive maximum counts it: what was sent over this connection (section 4.9).
    var takesQuota: Bool

    var isExactlyOnce: Bool { qos == MQTTQoS.exactlyOnce.rawValue }
    var current: Stage {
      get { Stage(rawValue: stage).unsafelyUnwrapped }
      set { stage = newValue.rawValue }
    }
  }

  private var ring = MQTTRing<Entry>()
  private var identifiers = MQTTIdentifierSet()
  private var next: UInt16 = 1
  private var most = 0
  private var quota = 0
  /// How many are to be sent again. None lies before the first place; none before the second was not asked for.
  private var resendCount = 0
  private var resendFrom = 0
  private var askFrom = 0

  var count: Int { ring.count }
  var nextIdentifier: UInt16 { next }
  subscript(index: Int) -> Entry { ring[index] }

  /// `quota` is what the client takes, `most` what this side wants under way.
  mutating func begin(quota: Int, most: Int) {
    self.quota = min(quota, most)
    self.most = most
  }

  mutating func resume(_ messages: [MQTTSessionState.InFlight], next: UInt16) {
    self.next = max(next, 1)
    for message in messages {
      let isReceived = message.isReceived && message.qos == .exactlyOnce
      let stage: Stage = isReceived ? .received : .unsent
      precondition(identifiers.insert(message.packetIdentifier), "two messages in flight with one packet identifier")
      ring.append(
        Entry(token: message.token, identifier: message.packetIdentifier, qos: message.qos.rawValue, stage: stage.rawValue, takesQuota: false))
      if !isReceived { resendCount += 1 }
    }
  }

  /// How many more may be sent. None while old ones are to be sent again, so that they stay in order ([MQTT-4.6.0-1]).
  var window: Int { resendCount > 0 ? 0 : max(0, min(quota, most - ring.count)) }

  /// The packet identifier the next message gets. There is a free one, since the window is not full.
  mutating func freeIdentifier() -> UInt16 {
    while identifiers.contains(next) { advance() }
    return next
  }

  private mutating func advance() { next = next == 0xffff ? 1 : next + 1 }

  /// A message is sent with `freeIdentifier`.
  mutating func send(_ qos: MQTTQoS, token: UInt64) {
    identifiers.insert(next)
    ring.append(Entry(token: token, identifier: next, qos: qos.rawValue, stage: Stage.sent.rawValue, takesQuota: true))
    quota -= 1
    advance()
  }

  /// The next message to ask the shell for, as far as the client's receive maximum lets it be sent.
  mutating func nextToResend() -> Entry? {
    guard resendCount > 0, quota > 0 else { return nil }
    while askFrom < ring.count {
      var entry = ring[askFrom]
      if entry.current == .unsent {
        entry.current = .asked
        entry.takesQuota = true
        ring[askFrom] = entry
        quota -= 1
        return entry
      }
      askFrom += 1
    }
    return nil
  }

  /// Where a message lies that was asked for, and whether it is the next to be sent again; nil if it is done meanwhile. O(1)
  /// for the next.
  mutating func asked(_ token: UInt64) -> (index: Int, isNext: Bool)? {
    guard resendCount > 0 else { return nil }
    while !ring[resendFrom].current.isWaitingToBeResent { resendFrom += 1 }
    for index in resendFrom..<ring.count where ring[index].current == .asked {
      if ring[index].token == token { return (index, index == resendFrom) }
    }
    return nil
  }

  func index(of identifier: UInt16) -> Int? {
    guard identifiers.contains(identifier), let first = ring.first else { return nil }
    // Identifiers ascend, with holes where some are done or were skipped: it lies there or before.
    let guess = min(Int(identifier &- first.identifier), ring.count - 1)
    for index in stride(from: guess, through: 0, by: -1) where ring[index].identifier == identifier { return index }
    for index in guess..<ring.count where ring[index].identifier == identifier { return index }
    preconditionFailure("an identifier in use by no message")
  }

  mutating func set(_ stage: Stage, at index: Int) {
    if ring[index].current.isWaitingToBeResent, !stage.isWaitingToBeResent { resendCount -= 1 }
    ring[index].current = stage
  }

  /// A message is done.
  mutating func remove(at index: Int) {
    let entry = ring[index]
    if entry.current.isWaitingToBeResent { resendCount -= 1 }
    if entry.takesQuota { quota += 1 }
    identifiers.remove(entry.identifier)
    ring.remove(at: index)
    if index < resendFrom { resendFrom -= 1 }
    if index < askFrom { askFrom -= 1 }
  }
}
