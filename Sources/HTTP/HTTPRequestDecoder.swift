import Core

/// Turns a connection's bytes into requests. One per connection; it holds no memory beside itself.
///
/// ```
///        ┌────────── end ◀─────────┐
///        ▼                         │
///   head ──head──▶ sized body ─────┤
///        ├──head─▶ chunked body ───┤
///        └──head─▶ no body ────────┘        any ──failure──▶ failed, for good
/// ```
///
/// The caller passes every byte it has not consumed yet, oldest first, and drops what it is told to.
public struct HTTPRequestDecoder: Sendable {
  private var limits: HTTPLimits
  /// The sized body and the chunked body share their counters.
  private var body: HTTPBodyDecoder
  private var scanner = HeadScanner()
  private var isInBody = false
  private var failure: HTTPDecodeFailure?

  public init(limits: HTTPLimits = .standard) {
    self.limits = limits
    body = HTTPBodyDecoder(.none)
  }

  /// Whether a message has begun and is not over: bytes of it were seen. A connection closed elsewhere is closed cleanly.
  public func isInsideMessage(pending: Int) -> Bool { isInBody || (pending > 0 && failure == nil) }

  /// Decodes one step from `input`, filling `head` when that step is a head.
  public mutating func next(_ input: RawSpan, head: inout HTTPRequestHead) -> HTTPDecodeStep {
    if let failure { return .failure(failure) }
    do {
      guard isInBody else { return try nextHead(input, &head) }
      let step = try body.next(input, limits: limits)
      if case .end = step { isInBody = false }
      return step
    } catch {
      failure = error
      return .failure(error)
    }
  }

  private mutating func nextHead(_ input: RawSpan, _ head: inout HTTPRequestHead) throws(HTTPDecodeFailure) -> HTTPDecodeStep {
    guard let base = try HTTPRequestDecoder.skipEmptyLine(input) else { return .needMore }
    let outcome = scanner.scan(input, base: base, startLineLimit: limits.requestLine, limit: limits.head)
    guard case .complete(let end) = outcome else {
      return try judgePartialHead(input, base: base, outcome, &head)
    }
    head.reset()
    let fieldsStart = try head.readStartLine(input, base: base, limits: limits)
    try head.readFields(input, from: fieldsStart, to: end, limits: limits)
    scanner = HeadScanner()
    isInBody = true
    body = HTTPBodyDecoder(head.isChunked ? .chunked : .sized(head.contentLength ?? 0))
    return .head(consumed: end)
  }

  /// Some clients of old sent an empty line after a body; one is passed over (RFC 9112 §2.2).
  private static func skipEmptyLine(_ input: RawSpan) throws(HTTPDecodeFailure) -> Int? {
    guard input.byteCount > 0 else { return nil }
    guard input.byte(at: 0) == .carriageReturn else { return 0 }
    guard input.byteCount > 1 else { return nil }
    guard input.byte(at: 1) == .lineFeed else { throw .bareCarriageReturn }
    return input.byteCount > 2 ? 2 : nil
  }

  /// A request line that is wrong is refused as soon as it has ended, and before anything wrong behind it,
  /// so that the answer does not depend on how the bytes arrived.
  @inline(never)
  private mutating func judgePartialHead(
    _ input: RawSpan, base: Int, _ outcome: HeadScanner.Outcome, _ head: inout HTTPRequestHead
  ) throws(HTTPDecodeFailure) -> HTTPDecodeStep {
    if scanner.hasStartLine, !scanner.isStartLineJudged {
      scanner.isStartLineJudged = true
      head.reset()
      _ = try head.readStartLine(input, base: base, limits: limits)
    }
    switch outcome {
    case .failure(let failure): throw failure
    case .tooLong where scanner.hasStartLine: throw .headTooLarge
    case .tooLong:
      let methodEnd = input.first(notIn: .token, from: base, to: input.byteCount)
      throw methodEnd - base > HTTPLimits.methodLength ? .methodTooLong : .targetTooLong
    case .needMore, .complete: return .needMore
    }
  }
}
