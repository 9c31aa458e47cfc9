import Core

extension HTTPRequestHead {
  /// Reads the request line that begins at `base` and returns where the first field line begins.
  ///
  /// The line end must be in `input`; every loop here stops at it.
  mutating func readStartLine(_ input: RawSpan, base: Int, limits: HTTPLimits) throws(HTTPDecodeFailure) -> Int {
    let end = input.byteCount
    let methodEnd = input.first(notIn: .token, from: base, to: end)
    guard methodEnd - base <= HTTPLimits.methodLength else { throw .methodTooLong }
    guard methodEnd > base, input.byte(at: methodEnd) == .space else { throw .malformedStartLine }
    let target = methodEnd + 1
    let pathEnd = input.first(notIn: .path, from: target, to: end)
    var targetEnd = pathEnd
    query = nil
    if input.byte(at: pathEnd) == UInt8(ascii: "?") {
      targetEnd = input.first(notIn: .query, from: pathEnd, to: end)
      query = pathEnd + 1..<targetEnd
    }
    guard targetEnd - target <= limits.target else { throw .targetTooLong }
    guard input.byte(at: targetEnd) == .space else {
      throw input.byte(at: targetEnd) == .carriageReturn ? .malformedStartLine : .targetCharacter
    }
    guard targetEnd > target else { throw .malformedStartLine }
    let next = try readVersion(input, at: targetEnd + 1)
    method = HTTPMethod.recognise(base..<methodEnd, in: input)
    if case .other = method, input.equals(base..<methodEnd, "CONNECT") { throw .connectMethod }
    try readTarget(input, target..<pathEnd)
    return next
  }

  private mutating func readVersion(_ input: RawSpan, at: Int) throws(HTTPDecodeFailure) -> Int {
    guard at + 10 <= input.byteCount, input.starts(with: "HTTP/", at: at), input.byte(at: at + 6) == UInt8(ascii: "."),
      input.byte(at: at + 5).isDigit, input.byte(at: at + 7).isDigit, input.byte(at: at + 8) == .carriageReturn
    else { throw .malformedVersion }
    guard input.byte(at: at + 5) == UInt8(ascii: "1") else { throw .versionNotSupported }
    minorVersion = input.byte(at: at + 7) == UInt8(ascii: "0") ? 0 : 1
    return at + 10
  }

  /// `target` is what stands before the query.
  private mutating func readTarget(_ input: RawSpan, _ target: Range<Int>) throws(HTTPDecodeFailure) {
    path = target
    targetForm = .origin
    if target.count > 0, input.byte(at: target.lowerBound) == UInt8(ascii: "/") { return }
    if input.equals(target, "*") {
      guard method == .options, query == nil else { throw .malformedTarget }
      targetForm = .asterisk
      return
    }
    try readAbsoluteTarget(input, target)
  }

  private mutating func readAbsoluteTarget(_ input: RawSpan, _ target: Range<Int>) throws(HTTPDecodeFailure) {
    var at = target.lowerBound
    while at < target.upperBound, input.byte(at: at) != UInt8(ascii: ":") { at += 1 }
    let scheme = target.lowerBound..<at
    guard input.equalsIgnoringCase(scheme, "http") || input.equalsIgnoringCase(scheme, "https"),
      target.upperBound - at >= 3, input.starts(with: "://", at: at)
    else { throw .malformedTarget }
    let start = at + 3
    at = start
    while at < target.upperBound, input.byte(at: at) != UInt8(ascii: "/") { at += 1 }
    guard HTTPAuthority.read(start..<at, in: input) != nil else { throw .malformedTarget }
    authority = start..<at
    path = at..<target.upperBound
    targetForm = .absolute
  }
}
