/// What a peer did that ends its connection. Nothing after it is read; the close frame to send carries `code`.
public enum WebSocketFailure: Error, Equatable, Sendable {
  case reservedBits
  case reservedOpcode
  case notMasked
  case masked
  case lengthNotMinimal
  case lengthOutOfRange
  case controlFrameTooLong
  case controlFrameFragmented
  case nothingToContinue
  case messageUnfinished
  case closePayloadTooShort
  case closeCodeNotAllowed
  case closeReasonNotText
  case textNotUTF8
  case compressionInvalid
  case messageTooBig

  public var code: WebSocketCloseCode {
    switch self {
    case .closeReasonNotText, .textNotUTF8, .compressionInvalid: return .invalidPayload
    case .messageTooBig: return .messageTooBig
    default: return .protocolError
    }
  }

  /// One plain sentence, short enough for a close frame.
  public var reason: StaticString {
    switch self {
    case .reservedBits: return "a reserved bit was set that no extension gives a meaning"
    case .reservedOpcode: return "the opcode is reserved"
    case .notMasked: return "a client's frames must be masked"
    case .masked: return "a server's frames must not be masked"
    case .lengthNotMinimal: return "the length was not written in its shortest form"
    case .lengthOutOfRange: return "the length has its highest bit set"
    case .controlFrameTooLong: return "a control frame carries at most 125 bytes"
    case .controlFrameFragmented: return "a control frame must not be fragmented"
    case .nothingToContinue: return "a continuation came without a message to continue"
    case .messageUnfinished: return "a new message began before the last one ended"
    case .closePayloadTooShort: return "a close code takes two bytes"
    case .closeCodeNotAllowed: return "the close code must not be sent"
    case .closeReasonNotText: return "the close reason is not UTF-8"
    case .textNotUTF8: return "the text is not UTF-8"
    case .compressionInvalid: return "the compressed data is invalid"
    case .messageTooBig: return "the message is too big"
    }
  }
}
