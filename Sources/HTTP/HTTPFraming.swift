import Core

/// How the body of a message is delimited and whether the connection outlives it, gathered field by field.
struct HTTPFraming {
  private(set) var contentLength: Int?
  private(set) var isChunked = false
  private(set) var connectionTokens: ConnectionTokens = []
  private var hasTransferEncoding = false
  private var hasUnknownCoding = false

  struct ConnectionTokens: OptionSet {
    let rawValue: UInt8
    static let close = ConnectionTokens(rawValue: 1)
    static let keepAlive = ConnectionTokens(rawValue: 2)
    static let upgrade = ConnectionTokens(rawValue: 4)
  }

  mutating func readContentLength(_ value: Range<Int>, in input: RawSpan) throws(HTTPDecodeFailure) {
    // A second line is refused even when it agrees: some other reader may have taken the first for something else.
    guard contentLength == nil else { throw .repeatedContentLength }
    guard let length = input.decimal(value) else {
      for at in value where input.byte(at: at) == UInt8(ascii: ",") { throw .repeatedContentLength }
      throw .malformedContentLength
    }
    contentLength = length
  }

  mutating func readTransferEncoding(_ value: Range<Int>, in input: RawSpan) throws(HTTPDecodeFailure) {
    hasTransferEncoding = true
    var at = value.lowerBound
    while true {
      var comma = at
      while comma < value.upperBound, input.byte(at: comma) != UInt8(ascii: ",") { comma += 1 }
      try readCoding(input.trimmed(at..<comma), in: input)
      guard comma < value.upperBound else { return }
      at = comma + 1
    }
  }

  private mutating func readCoding(_ coding: Range<Int>, in input: RawSpan) throws(HTTPDecodeFailure) {
    let nameEnd = input.first(notIn: .token, from: coding.lowerBound, to: coding.upperBound)
    guard nameEnd > coding.lowerBound else { throw .malformedTransferEncoding }
    let isChunkedCoding = input.equalsIgnoringCase(coding.lowerBound..<nameEnd, "chunked")
    if nameEnd < coding.upperBound {
      // Parameters exist for other codings, not for chunked.
      let parameters = input.trimmed(nameEnd..<coding.upperBound)
      guard !isChunkedCoding, input.byte(at: parameters.lowerBound) == UInt8(ascii: ";") else {
        throw .malformedTransferEncoding
      }
    }
    guard !isChunked else { throw .chunkedNotLast }
    if isChunkedCoding { isChunked = true } else { hasUnknownCoding = true }
  }

  mutating func readConnection(_ value: Range<Int>, in input: RawSpan) {
    var list = HTTPList(value)
    while let token = list.next(in: input) {
      switch token.count {
      case 5: if input.equalsIgnoringCase(token, "close") { connectionTokens.insert(.close) }
      case 7: if input.equalsIgnoringCase(token, "upgrade") { connectionTokens.insert(.upgrade) }
      case 10: if input.equalsIgnoringCase(token, "keep-alive") { connectionTokens.insert(.keepAlive) }
      default: break
      }
    }
  }

  /// What can be judged only once every field is known.
  func judge(minorVersion: UInt8) throws(HTTPDecodeFailure) {
    guard hasTransferEncoding else { return }
    if contentLength != nil { throw .bothLengths }
    if minorVersion == 0 { throw .transferEncodingInOldVersion }
    if hasUnknownCoding { throw .unknownTransferEncoding }
  }

  func keepsAlive(minorVersion: UInt8) -> Bool {
    if connectionTokens.contains(.close) { return false }
    return minorVersion > 0 || connectionTokens.contains(.keepAlive)
  }
}
