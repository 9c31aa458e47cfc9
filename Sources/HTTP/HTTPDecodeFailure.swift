/// Why a peer's bytes were refused. Its scope is always the connection: answer `status`, then close, because
/// where the next message begins is no longer known.
public enum HTTPDecodeFailure: UInt8, Error, CaseIterable, Sendable {
  // Lines
  case bareCarriageReturn
  case bareLineFeed
  case controlCharacter
  // Start line
  case malformedStartLine
  case methodTooLong
  case connectMethod
  case malformedTarget
  case targetCharacter
  case targetTooLong
  case malformedVersion
  case versionNotSupported
  // Fields
  case headTooLarge
  case tooManyFields
  case foldedField
  case emptyFieldName
  case malformedFieldName
  case spaceBeforeColon
  case missingColon
  case missingHost
  case repeatedHost
  case malformedHost
  case unknownExpectation
  // Framing
  case malformedContentLength
  case repeatedContentLength
  case bothLengths
  case malformedTransferEncoding
  case chunkedNotLast
  case transferEncodingInOldVersion
  case unknownTransferEncoding
  // Body
  case bodyTooLarge
  case malformedChunkSize
  case malformedChunkExtension
  case chunkLineTooLong
  case tooManyChunkExtensions
  case unterminatedChunk
  case trailersTooLarge
  /// The peer closed before the message was whole.
  case truncated

  /// What to answer before closing.
  public var status: HTTPStatus {
    switch self {
    case .targetTooLong: .targetTooLong
    case .headTooLarge, .tooManyFields, .trailersTooLarge: .headTooLarge
    case .bodyTooLarge: .contentTooLarge
    case .unknownExpectation: .expectationFailed
    case .methodTooLong, .connectMethod, .unknownTransferEncoding: .notImplemented
    case .versionNotSupported: .versionNotSupported
    default: .badRequest
    }
  }

  /// One plain sentence for the person who reads the answer.
  public var sentence: StaticString {
    switch self {
    case .bareCarriageReturn: "A carriage return stands without its line feed."
    case .bareLineFeed: "A line feed stands without its carriage return."
    case .controlCharacter: "A control character stands in the head."
    case .malformedStartLine: "The first line is not a method, a target and a version with one space between them."
    case .methodTooLong: "The method is longer than any method known here."
    case .connectMethod: "CONNECT is for proxies, and this is not one."
    case .malformedTarget: "The request target is neither a path nor a whole http address."
    case .targetCharacter: "The request target has a character that must be percent-encoded."
    case .targetTooLong: "The request target is too long."
    case .malformedVersion: "The version is not of the form HTTP/1.1."
    case .versionNotSupported: "Only versions 1.0 and 1.1 of HTTP are spoken here."
    case .headTooLarge: "The head of the message is too large."
    case .tooManyFields: "The head has too many fields."
    case .foldedField: "A field line begins with white space; fields must not be folded."
    case .emptyFieldName: "A field has no name."
    case .malformedFieldName: "A field name has a character that no name may have."
    case .spaceBeforeColon: "White space stands between a field name and its colon."
    case .missingColon: "A field line has no colon."
    case .missingHost: "The Host field is missing."
    case .repeatedHost: "The Host field stands more than once."
    case .malformedHost: "The host is not a name or address with an optional port."
    case .unknownExpectation: "The only expectation that can be met is 100-continue."
    case .malformedContentLength: "Content-Length is not a plain decimal number."
    case .repeatedContentLength: "Content-Length stands more than once."
    case .bothLengths: "Content-Length and Transfer-Encoding stand together."
    case .malformedTransferEncoding: "Transfer-Encoding is malformed."
    case .chunkedNotLast: "The chunked coding must stand once, and last."
    case .transferEncodingInOldVersion: "Transfer-Encoding does not exist in HTTP/1.0."
    case .unknownTransferEncoding: "The only transfer coding understood here is chunked."
    case .bodyTooLarge: "The body is too large."
    case .malformedChunkSize: "A chunk size is not a plain hexadecimal number."
    case .malformedChunkExtension: "A chunk extension is malformed."
    case .chunkLineTooLong: "The line before a chunk is too long."
    case .tooManyChunkExtensions: "The chunk extensions are too large altogether."
    case .unterminatedChunk: "A chunk does not end where its size says."
    case .trailersTooLarge: "The trailer section is too large."
    case .truncated: "The connection closed before the message was whole."
    }
  }
}

/// What one step of a decoder found. Ranges are offsets into the span of that call.
public enum HTTPDecodeStep: Equatable, Sendable {
  /// Nothing more can be decoded: keep the bytes, come back with more behind them.
  case needMore
  /// A head stands in the scratch value; its ranges point into this span.
  case head(consumed: Int)
  /// A piece of the body; `consumed` also covers the framing before it.
  case body(Range<Int>, consumed: Int)
  /// The message is whole; the decoder is ready for the next.
  case end(consumed: Int)
  /// The peer broke the protocol: answer the status and close. Every later step says the same.
  case failure(HTTPDecodeFailure)
}
