/// What an answer is given to: every message, SUBSCRIBE and UNSUBSCRIBE that a channel hands out carries one, and each is
/// answered once.
public struct MQTTTicket: Hashable, Sendable {
  enum Kind: UInt8 {
    /// A message of QoS 0: nothing is sent for it, but it counts among the unanswered.
    case plain
    case message
    case subscribe
    case unsubscribe
  }

  let kind: Kind
  let number: UInt32
  /// Bytes that count as unanswered until it is.
  let size: UInt32
}

/// What became of a message.
public enum MQTTPublishOutcome: Equatable, Sendable {
  /// It is kept, and is the server's now.
  case accepted
  /// The same, and it is known that nobody is subscribed: 5.0's publisher is told so.
  case acceptedWithoutSubscribers
  /// It never will be taken.
  case refused(MQTTReasonCode, String?)
  /// It cannot be taken now.
  case later
}
