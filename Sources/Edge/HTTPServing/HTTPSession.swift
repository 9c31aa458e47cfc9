internal import Core
internal import HTTP

/// One connection's requests: the one that is being read, and those that wait for their answers, in order.
final class HTTPSession {
  var decoder: HTTPRequestDecoder
  var head = HTTPRequestHead()
  /// The head's own bytes: what its ranges point into, for as long as the request lasts.
  var headBytes = ByteBuffer()
  /// What has come of a body that did not come whole.
  var body = ByteBuffer()
  /// The whole body lay in one piece of input: where.
  var wholeBody: Range<Int> = 0..<0
  var isBodyWhole = false
  /// The request's route, decided when its head was whole.
  var route: Route?
  var bodyStarted: Instant?
  /// The client waits for `100 Continue`, and answers before that are still owed.
  var owesContinue = false
  /// Since when something incomplete has been lying here.
  var unfinishedSince: Instant?

  /// Requests in order of arrival that are not answered yet.
  var pending: [PendingAnswer] = []
  var firstSequence: UInt32 = 0
  /// Topics of pending publishes, for their answers.
  var topics = ByteBuffer()

  /// Nothing more is decoded: too many requests wait, or one must be answered before the next.
  var isPaused = false
  /// A request that can only begin when all before it are answered.
  var deferred: DeferredRequest?
  var peerFinished = false
  /// A request was read that ends the connection: whatever comes behind it is not looked at.
  var isEnding = false
  /// A long-poll that waits for its first event, until when, and what it waits with.
  var waitsForEvents = false
  var waitUntil: Instant?
  var waiting: Reader?
  /// The place of a poll's answer, and the tag the client has.
  var answerSequence: UInt32 = 0
  var ifNoneMatch: String?
  var historyShard: ShardID?
  var historyLimit = 0
  init(limits: HTTPLimits) {
    decoder = HTTPRequestDecoder(limits: limits)
  }

  /// The request's head, good until the next one is decoded.
  var headSpan: RawSpan {
    @_lifetime(immortal) get {
      // The memory is this object's and is written only when the next head arrives, after whoever looks at it now
      // has returned; the compiler cannot see that through a class.
      let span = unsafe RawSpan(_unsafeStart: headBytes.readPointer, byteCount: headBytes.count)
      return unsafe _overrideLifetime(span, copying: ())
    }
  }

  var nextSequence: UInt32 { (firstSequence &+ UInt32(pending.count)) & TicketParts.sequenceMask }

  /// Topics of publishes that were answered go; at once where none is pending, else when they have become many.
  func forgetTopics() {
    guard !pending.isEmpty else { return topics.removeAll(keepingCapacity: topics.capacity <= Self.keptTopics) }
    guard topics.count > Self.keptTopics else { return }
    let passed = pending.first { !$0.topic.isEmpty }?.topic.lowerBound ?? topics.count
    topics.removeFirst(passed)
    for index in pending.indices where !pending[index].topic.isEmpty {
      pending[index].topic = pending[index].topic.lowerBound - passed..<pending[index].topic.upperBound - passed
    }
  }

  /// A connection that stays keeps no large body's memory.
  func forgetBody() { body.removeAll(keepingCapacity: body.capacity <= OutputQueue.keptCapacity) }

  /// Memory for topics that a connection keeps between answers.
  static let keptTopics = 4096

  /// The place of a pending answer by its sequence number; nil when it is not waited for any more.
  func pendingIndex(_ sequence: UInt32) -> Int? {
    let index = Int((sequence &- firstSequence) & TicketParts.sequenceMask)
    return index < pending.count ? index : nil
  }
}

/// An answer that is owed.
struct PendingAnswer {
  enum State {
    case waiting
    /// Ready before its turn.
    case done(Bytes)
  }

  var state: State = .waiting
  var manner: AnswerManner
  /// The published topic, as a range of the session's `topics`.
  var topic: Range<Int> = 0..<0
}

/// What a request's head says of how it must be answered.
struct AnswerManner {
  var connection: HTTPResponseEncoder.Connection
  var isHead = false
  /// For `Access-Control-Allow-Origin`; nil when no origin asked.
  var origin: Bytes?

  var closes: Bool { if case .close = connection { true } else { false } }
}

/// A read or an upgrade, kept until the answers before it have been given.
struct DeferredRequest {
  var run: (EdgeReactor, Connection, HTTPSession) -> Void
}
