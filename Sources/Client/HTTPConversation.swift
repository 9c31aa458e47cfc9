internal import Core
internal import HTTP

/// Requests and answers over one connection, one after the other; bodies come whole or piece by piece.
struct HTTPConversation: ~Copyable {
  private let socket: ClientSocket
  private let server: ServerURL
  private var decoder = HTTPResponseDecoder()
  private var head = HTTPResponseHead()
  private var input = ByteBuffer()
  /// Where what is not yet decoded begins.
  private var at = 0
  private var isClosedByPeer = false
  private var isInBody = false

  init(to server: ServerURL, deadline: Instant) throws(ClientFailure) {
    socket = try ClientSocket(connectingTo: server, deadline: deadline)
    self.server = server
  }

  /// Whether another request may be sent.
  var canContinue: Bool { head.keepAlive && !isInBody && !isClosedByPeer && at == input.count && !socket.isStale }

  mutating func send(_ request: ClientRequest, token: String?, deadline: Instant) throws(ClientFailure) {
    var bytes = ByteBuffer()
    try request.encode(for: server, token: token, into: &bytes)
    decoder.expect(answerTo: request.method)
    try bytes.withUnsafeBytes { bytes throws(ClientFailure) in try socket.send(bytes, deadline: deadline) }
  }

  /// The head of the answer, its body still empty.
  mutating func receiveHead(deadline: Instant) throws(ClientFailure) -> ClientAnswer {
    while true {
      switch step() {
      case .needMore: try receive(deadline: deadline, waitingFor: "an answer")
      case .head(let consumed):
        let answer = answer()
        at += consumed
        isInBody = true
        guard head.isInterim else { return answer }
      case .end(let consumed):
        at += consumed
        isInBody = false
      case .body(_, let consumed): at += consumed
      case .failure(let failure): throw HTTPConversation.failure(failure)
      }
    }
  }

  /// Appends what has arrived of the body, waiting if there is nothing; false when the body is over.
  mutating func receiveBody(
    into body: inout ByteBuffer, deadline: Instant, waitingFor what: String
  ) throws(ClientFailure) -> Bool {
    let before = body.count
    while isInBody {
      switch step() {
      case .needMore:
        if body.count > before { return true }
        try receive(deadline: deadline, waitingFor: what)
      case .body(let range, let consumed):
        body.append(input.bytes.extracting(at + range.lowerBound..<at + range.upperBound))
        at += consumed
      case .end(let consumed):
        at += consumed
        isInBody = false
      case .head: throw .malformedAnswer("a head in the middle of a body")
      case .failure(let failure): throw HTTPConversation.failure(failure)
      }
    }
    return false
  }

  private mutating func step() -> HTTPDecodeStep {
    let step = HTTPConversation.step(&decoder, input, at, &head)
    guard case .needMore = step, isClosedByPeer else { return step }
    return decoder.close(pending: input.count - at)
  }

  /// The parts taken one by one, so that looking at one while changing another is no conflict.
  private static func step(
    _ decoder: inout HTTPResponseDecoder, _ input: borrowing ByteBuffer, _ at: Int, _ head: inout HTTPResponseHead
  ) -> HTTPDecodeStep {
    decoder.next(input.bytes.extracting(at..<input.count), head: &head)
  }

  private mutating func receive(deadline: Instant, waitingFor what: String) throws(ClientFailure) {
    guard !isClosedByPeer else { throw .disconnected }
    input.removeFirst(at)
    at = 0
    isClosedByPeer = try !socket.receive(into: &input, deadline: deadline, waitingFor: what)
  }

  private func answer() -> ClientAnswer {
    let found = input.bytes.extracting(at..<input.count)
    let seconds = head.first(.retryAfter).flatMap { Int(found.text($0)) }
    return ClientAnswer(
      status: head.status, contentType: head.first(.contentType).map { found.text($0) } ?? "",
      retryAfter: seconds.map { TimeSpan.seconds(max(0, min($0, HTTPConversation.longestRetryAfterSeconds))) }, body: Bytes())
  }

  /// A node that asks for more than this is not believed.
  private static let longestRetryAfterSeconds = 3600

  private static func failure(_ failure: HTTPDecodeFailure) -> ClientFailure {
    failure == .truncated ? .disconnected : .malformedAnswer("\(failure.sentence)")
  }
}
