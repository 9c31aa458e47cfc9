import Core

/// SUBSCRIBE and UNSUBSCRIBE packets on their way to an answer, which goes out in their order.
struct MQTTIncomingRequests {
  struct Request {
    let kind: MQTTTicket.Kind
    let packetIdentifier: UInt16
    /// Those that others decide about, in their order; UNSUBSCRIBE has filters alone.
    var subscriptions: [MQTTSubscription] = []
    var filters: [Bytes] = []
    /// What the client calls the subscriptions; 0 for nothing.
    var identifier: UInt32 = 0
    /// One for each filter of the packet; nil where others decide.
    var codes: [MQTTReasonCode?] = []
    /// What others decided, one for each of `subscriptions` or `filters`.
    var decided: [MQTTReasonCode] = []
    /// How many subscriptions the session will have more if all are granted.
    var additions = 0
    var isAnswered = false
    var reason: Bytes?

    init(_ kind: MQTTTicket.Kind, _ packetIdentifier: UInt16) {
      self.kind = kind
      self.packetIdentifier = packetIdentifier
    }

    /// Whether nothing is left for others to decide.
    var isDecided: Bool { !codes.contains { $0 == nil } }

    /// Puts `answers` where codes are open.
    mutating func fill(_ answers: [MQTTReasonCode]) {
      var next = 0
      for index in codes.indices where codes[index] == nil {
        precondition(next < answers.count, "fewer reason codes than filters")
        codes[index] = answers[next]
        next += 1
      }
      precondition(next == answers.count, "more reason codes than filters")
      decided = answers
      isAnswered = true
    }
  }

  private var waiting: [Request] = []
  private var firstNumber: UInt32 = 0

  var count: Int { waiting.count }
  var additions: Int { waiting.reduce(0) { $0 + $1.additions } }

  func isInUse(_ packetIdentifier: UInt16) -> Bool {
    !waiting.isEmpty && waiting.contains { $0.packetIdentifier == packetIdentifier }
  }

  mutating func begin(_ request: Request) -> MQTTTicket {
    waiting.append(request)
    return MQTTTicket(kind: request.kind, number: firstNumber &+ UInt32(waiting.count - 1), size: 0)
  }

  mutating func answer(_ ticket: MQTTTicket, _ kind: MQTTTicket.Kind, _ codes: [MQTTReasonCode], _ reason: Bytes?) {
    let index = Int(ticket.number &- firstNumber)
    precondition(ticket.kind == kind && index < waiting.count && !waiting[index].isAnswered, "a request answered twice, or as another")
    waiting[index].fill(codes)
    waiting[index].reason = reason
  }

  /// The oldest request if it is answered; then its turn is over.
  mutating func nextAnswered() -> Request? {
    guard waiting.first?.isAnswered == true else { return nil }
    firstNumber &+= 1
    return waiting.removeFirst()
  }
}
