import Core

/// Everything a response says before its body, as offsets into the span in which it was found. A scratch value.
public struct HTTPResponseHead: Sendable {
  /// 100 to 599.
  public internal(set) var status = 0
  public internal(set) var reason: Range<Int> = 0..<0
  public internal(set) var minorVersion: UInt8 = 1
  public internal(set) var fields = HTTPFields()
  /// Whether another request may be sent on this connection.
  public internal(set) var keepAlive = true
  public internal(set) var contentLength: Int?
  public internal(set) var isChunked = false

  public init() {}

  /// Whether this only announces the answer that follows it.
  public var isInterim: Bool { status < 200 && status != 101 }

  /// The value of the first line with this name.
  public func first(_ name: HTTPFieldName) -> Range<Int>? { fields.first(name) }

  /// Reads the head that ends at `end`. A response has no `Host` and its reason phrase may be missing.
  mutating func read(_ input: RawSpan, to end: Int, limits: HTTPLimits) throws(HTTPDecodeFailure) {
    fields.removeAll()
    var at = try readStatusLine(input)
    var framing = HTTPFraming()
    while at < end - 2 {
      let line = try FieldLine.read(input, at: &at, end: end)
      guard fields.count < limits.fields else { throw .tooManyFields }
      switch line.known {
      case .contentLength: try framing.readContentLength(line.value, in: input)
      case .transferEncoding: try framing.readTransferEncoding(line.value, in: input)
      case .connection: framing.readConnection(line.value, in: input)
      default: break
      }
      fields.append(line)
    }
    try framing.judge(minorVersion: minorVersion)
    contentLength = framing.contentLength
    isChunked = framing.isChunked
    keepAlive = framing.keepsAlive(minorVersion: minorVersion)
    if let length = contentLength, length > limits.body { throw .bodyTooLarge }
  }

  private mutating func readStatusLine(_ input: RawSpan) throws(HTTPDecodeFailure) -> Int {
    guard input.byteCount >= 14, input.starts(with: "HTTP/", at: 0), input.byte(at: 6) == UInt8(ascii: "."),
      input.byte(at: 5).isDigit, input.byte(at: 7).isDigit, input.byte(at: 8) == .space
    else { throw .malformedVersion }
    guard input.byte(at: 5) == UInt8(ascii: "1") else { throw .versionNotSupported }
    minorVersion = input.byte(at: 7) == UInt8(ascii: "0") ? 0 : 1
    guard let code = input.decimal(9..<12), (100...599).contains(code) else { throw .malformedStartLine }
    status = code
    var lineEnd = 12
    while input.byte(at: lineEnd) != .carriageReturn { lineEnd += 1 }
    guard lineEnd == 12 || input.byte(at: 12) == .space else { throw .malformedStartLine }
    reason = min(13, lineEnd)..<lineEnd
    return lineEnd + 2
  }
}
