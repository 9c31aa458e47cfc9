internal import Core
internal import Feeds
internal import WebSocket

/// One `tidings.v1` connection: its subscriptions, and the publishes that wait for their answers.
final class WebSocketSession {
  struct PendingPublish {
    var sequence: UInt32
    /// The client's own name for the publish, as JSON; empty if it gave none.
    var reference: Bytes
  }

  var receiver: WebSocketReceiver
  let isCompressed: Bool
  let isEcho: Bool
  /// What is followed, subscription by subscription, and where each began.
  var legs: [Reader.Leg] = []
  var pending: [PendingPublish] = []
  /// Acknowledgements that were not confirmed yet: they are answered only if they fail.
  var pendingAcknowledgements: [(sequence: UInt32, id: Bytes, reference: Bytes)] = []
  /// Operations that came while a subscription was being set up, in order.
  var deferred: [Bytes] = []
  var isClosing = false
  /// A consumer is being found or made for a subscription; until then nothing is followed.
  var isOpening = false
  /// A ping of this side that was not answered yet.
  var pingsUnanswered = 0

  init(isCompressed: Bool, allowsCompression: Bool, isEcho: Bool, maximumMessage: Int) {
    receiver = WebSocketReceiver(role: .server, allowsCompression: allowsCompression, maximumMessageSize: maximumMessage)
    self.isCompressed = isCompressed
    self.isEcho = isEcho
  }

  var format: EventFormat { isCompressed ? .webSocketDeflated : .webSocket }

  /// The reader that brought the legs up to date is gone; what they follow stays.
  func keepLegs(of reader: Reader) {
    legs = reader.legs
  }
}

/// How an operation of a client was not understood or not allowed.
struct OperationError {
  var code: StaticString
  var detail: String
}
