public import Core
internal import HTTP
internal import SSE

/// Follows filters over server-sent events, whatever happens to the connection, until it has seen enough or
/// something happens that waiting does not cure.
///
/// The order is what makes it lose nothing: events are handed to the sink, the sink is flushed, then the cursor
/// is recorded, then more is read. Killed at any point, the next run repeats at most what was flushed and not
/// yet recorded.
public final class Follower {
  /// Nodes say something at least every 15 s; after three times that a connection is taken for dead.
  public static let longestSilence = TimeSpan.seconds(45)
  /// How long connecting and the head of the answer may take.
  public static let connectTimeout = TimeSpan.seconds(15)
  /// An event with its JSON around it is never larger.
  static let maximumEventSize = 160 << 20

  private let server: ServerURL
  private let token: String?
  private let request: FollowRequest
  private let cursorFile: CursorFile?
  private let limit: Int?
  private let sink: any FollowSink
  private var generator: SeededGenerator
  private var backoff = Backoff()
  private var cursor = Bytes()
  private var seen = 0

  /// `limit` is after how many events to stop; `seed` spreads the waits between attempts.
  public init(
    server: ServerURL, token: String? = nil, request: FollowRequest, cursorFile: CursorFile? = nil, limit: Int? = nil,
    sink: any FollowSink, seed: UInt64
  ) {
    self.server = server
    self.token = token
    self.request = request
    self.cursorFile = cursorFile
    self.limit = limit
    self.sink = sink
    generator = SeededGenerator(seed: seed)
  }

  /// Where the follower stands; empty before the node has said.
  public var position: String { cursor.text }

  private var isSatisfied: Bool { limit.map { seen >= $0 } ?? false }

  /// Returns once the limit is reached; without one, only by throwing.
  public func run() throws(ClientFailure) {
    if let kept = try cursorFile?.read() { cursor = Bytes(kept) }
    var lastReason = ""
    while !isSatisfied {
      var retryAfter: TimeSpan?
      var reason = "the node ended the stream"
      do throws(ClientFailure) {
        try followOnce()
        if isSatisfied { return }
      } catch {
        guard error.isTransient else { throw error }
        if case .refused(let problem) = error { retryAfter = problem.retryAfter }
        reason = "\(error)"
      }
      let wait = backoff.next(atLeast: retryAfter, using: &generator)
      if reason != lastReason { sink.notice("\(reason); trying again") }
      lastReason = reason
      ClientClock.wait(wait)
    }
  }

  private func followOnce() throws(ClientFailure) {
    let deadline = ClientClock.now + Follower.connectTimeout
    var conversation = try HTTPConversation(to: server, deadline: deadline)
    var question = ClientRequest(.get, request.target(resumingAt: cursor.isEmpty ? nil : cursor.text))
    question.headers = [("Accept", "text/event-stream"), ("Cache-Control", "no-store")]
    try conversation.send(question, token: token, deadline: deadline)
    var answer = try conversation.receiveHead(deadline: deadline)
    guard answer.status == 200, answer.contentType.hasPrefix("text/event-stream") else {
      var body = ByteBuffer()
      while body.count < Follower.largestRefusal,
        try conversation.receiveBody(into: &body, deadline: deadline, waitingFor: "the rest of an answer")
      {}
      answer.body = body.freeze()
      guard answer.status != 200 else { throw .malformedAnswer("“\(answer.contentType)” is not an event stream") }
      throw .refused(Problem(answer))
    }

    var decoder = SSEDecoder(lastEventID: cursor, maximumEventSize: Follower.maximumEventSize)
    var body = ByteBuffer()
    var isOpen = true
    while isOpen, !isSatisfied {
      body.removeAll()
      let silence = ClientClock.now + Follower.longestSilence
      isOpen = try conversation.receiveBody(into: &body, deadline: silence, waitingFor: "a sign of life")
      if !body.isEmpty { backoff.reset() }
      try take(body, &decoder)
      try sink.flush()
      try record(decoder.lastEventID)
    }
  }

  /// A refusal's document is read no further.
  private static let largestRefusal = 1 << 20

  /// Hands on every event that is complete; stops right after the last one wanted.
  private func take(_ body: borrowing ByteBuffer, _ decoder: inout SSEDecoder) throws(ClientFailure) {
    var at = 0
    while !isSatisfied {
      let step = body.withUnsafeBytes { decoder.next($0, &at) }
      switch step {
      case .needMore: return
      case .retry(let milliseconds): backoff.adopt(base: .milliseconds(min(milliseconds, 1 << 30)))
      case .tooBig: throw .malformedAnswer("an event is larger than any message")
      case .event:
        let failure = decoder.withEvent { _, type, data in hand(type, data) }
        if let failure { throw failure }
      }
    }
  }

  private func hand(_ type: UnsafeRawBufferPointer, _ data: UnsafeRawBufferPointer) -> ClientFailure? {
    do throws(ClientFailure) {
      if type.elementsEqual("tidings.gap".utf8) {
        try sink.gap(data)
      } else {
        try sink.event(data)
        seen += 1
      }
      return nil
    } catch {
      return error
    }
  }

  private func record(_ fresh: Bytes) throws(ClientFailure) {
    guard !fresh.isEmpty, fresh != cursor else { return }
    cursor = fresh
    try cursorFile?.write(fresh.text)
  }
}
