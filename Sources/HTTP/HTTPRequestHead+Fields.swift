import Core

extension HTTPRequestHead {
  /// Reads the field lines from `start` to the empty line that ends at `end`, and derives what they say.
  mutating func readFields(_ input: RawSpan, from start: Int, to end: Int, limits: HTTPLimits) throws(HTTPDecodeFailure) {
    var framing = HTTPFraming()
    var at = start
    let last = end - 2
    while at < last {
      let line = try FieldLine.read(input, at: &at, end: end)
      guard fields.count < limits.fields else { throw .tooManyFields }
      switch line.known {
      case .host:
        if fields.contains(.host) { throw .repeatedHost }
        guard HTTPAuthority.read(line.value, in: input) != nil else { throw .malformedHost }
        if targetForm != .absolute { authority = line.value }
      case .contentLength: try framing.readContentLength(line.value, in: input)
      case .transferEncoding: try framing.readTransferEncoding(line.value, in: input)
      case .connection: framing.readConnection(line.value, in: input)
      case .expect: if minorVersion > 0 { try readExpectation(line.value, in: input) }
      default: break
      }
      fields.append(line)
    }
    guard minorVersion == 0 || fields.contains(.host) else { throw .missingHost }
    try framing.judge(minorVersion: minorVersion)
    contentLength = framing.contentLength
    isChunked = framing.isChunked
    if !hasBody { expectsContinue = false }
    keepAlive = framing.keepsAlive(minorVersion: minorVersion)
    asksForWebSocket =
      minorVersion > 0 && framing.connectionTokens.contains(.upgrade)
      && HTTPList.contains("websocket", in: .upgrade, of: fields, input)
    if let length = contentLength, length > limits.body { throw .bodyTooLarge }
  }

  private mutating func readExpectation(_ value: Range<Int>, in input: RawSpan) throws(HTTPDecodeFailure) {
    var list = HTTPList(value)
    while let expectation = list.next(in: input) {
      guard input.equalsIgnoringCase(expectation, "100-continue") else { throw .unknownExpectation }
      expectsContinue = true
    }
  }
}
