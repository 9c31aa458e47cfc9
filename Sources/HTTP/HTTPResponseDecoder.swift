import Core

/// Turns a connection's bytes into responses, for clients. One per connection.
///
/// How a response ends depends on what was asked, so the client says so with `expect` before each answer.
public struct HTTPResponseDecoder: Sendable {
  private let limits: HTTPLimits
  private var body: HTTPBodyDecoder
  private var scanner = HeadScanner()
  private var answersHead = false
  private var isInBody = false
  private var isSwitched = false
  private var failure: HTTPDecodeFailure?

  public init(limits: HTTPLimits = .response) {
    self.limits = limits
    body = HTTPBodyDecoder(.none)
  }

  /// Says which method the next answer is to; without it, one that may have a body.
  public mutating func expect(answerTo method: HTTPMethod) { answersHead = method == .head }

  /// Decodes one step from `input`, filling `head` when that step is a head.
  ///
  /// An interim answer (1xx) is a head and an end of its own. After 101 the bytes belong to another protocol
  /// and no step takes any.
  public mutating func next(_ input: RawSpan, head: inout HTTPResponseHead) -> HTTPDecodeStep {
    if let failure { return .failure(failure) }
    if isSwitched, !isInBody { return .needMore }
    do {
      guard isInBody else { return try nextHead(input, &head) }
      let step = try body.next(input, limits: limits)
      if case .end = step { isInBody = false }
      return step
    } catch {
      return fail(error)
    }
  }

  /// The peer closed, and `pending` bytes are not consumed: the end of a body that lasts until then, nothing
  /// more between answers, or a failure.
  public mutating func close(pending: Int) -> HTTPDecodeStep {
    if let failure { return .failure(failure) }
    if isInBody, body.endsWithConnection {
      isInBody = false
      return .end(consumed: pending)
    }
    return isInBody || (pending > 0 && !isSwitched) ? fail(.truncated) : .needMore
  }

  private mutating func fail(_ failure: HTTPDecodeFailure) -> HTTPDecodeStep {
    self.failure = failure
    return .failure(failure)
  }

  private mutating func nextHead(_ input: RawSpan, _ head: inout HTTPResponseHead) throws(HTTPDecodeFailure) -> HTTPDecodeStep {
    switch scanner.scan(input, base: 0, startLineLimit: limits.head, limit: limits.head) {
    case .needMore: return .needMore
    case .tooLong: throw .headTooLarge
    case .failure(let failure): throw failure
    case .complete(let end):
      try head.read(input, to: end, limits: limits)
      scanner = HeadScanner()
      isInBody = true
      isSwitched = head.status == 101
      body = HTTPBodyDecoder(framing(of: head))
      if body.endsWithConnection { head.keepAlive = false }
      return .head(consumed: end)
    }
  }

  private func framing(of head: HTTPResponseHead) -> HTTPBodyDecoder.Framing {
    if answersHead || head.status < 200 || head.status == 204 || head.status == 304 { return .none }
    if head.isChunked { return .chunked }
    if let length = head.contentLength { return .sized(length) }
    return .untilClose
  }
}
