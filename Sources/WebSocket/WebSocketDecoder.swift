import Core

/// What a decoder made of the bytes it was shown. Ranges are into those bytes.
public enum WebSocketStep: Equatable, Sendable {
  /// Nothing more can be said. What was not taken, at most a header or a control frame, must be shown again.
  case needMore
  /// Some bytes of a message.
  case data(WebSocketPiece)
  /// A ping, to be answered with a pong of the same payload.
  case ping(Range<Int>)
  case pong(Range<Int>)
  /// The peer closes; nothing it sends after this is read.
  case close(WebSocketClose)
  /// The peer broke the protocol; nothing it sends after this is read.
  case failed(WebSocketFailure)
  /// The connection closed or failed before; the bytes were dropped.
  case finished
}

/// Frames as they arrive (RFC 6455 section 5), one per connection.
///
/// Payloads are unmasked in place and handed out as they come, so that a connection keeps at most 138 bytes between
/// reads. Text that is not compressed is checked here, byte by byte: bad UTF-8 fails in the middle of a frame.
public struct WebSocketDecoder: Sendable {
  /// Messages larger than this are refused unless the caller says otherwise.
  public static let defaultMaximumMessageSize = 1 << 20

  /// The largest limit that can be set.
  public static let largestMaximumMessageSize = 1 << 30

  private enum Phase { case header, payload, finished }

  private let expectsMask: Bool
  private let allowsCompression: Bool
  private let maximumMessageSize: Int
  private var phase = Phase.header
  // The message under way; a control frame may come between its fragments.
  private var message: WebSocketMessageKind?
  private var isCompressed = false
  private var messageSize = 0
  private var text = UTF8Validator()
  // The frame under way.
  private var isFinalFrame = false
  private var remaining = 0
  private var mask = WebSocketMask(littleEndian: 0)

  /// `maximumMessageSize` bounds what a message may be once inflated; the wire size of a compressed one is bounded by
  /// what a message of that size can grow to.
  public init(
    role: WebSocketRole, allowsCompression: Bool = false,
    maximumMessageSize: Int = WebSocketDecoder.defaultMaximumMessageSize
  ) {
    precondition(maximumMessageSize <= WebSocketDecoder.largestMaximumMessageSize, "a limit that would overflow")
    expectsMask = role == .server
    self.allowsCompression = allowsCompression
    self.maximumMessageSize = maximumMessageSize
  }

  /// Decodes from `offset` on and moves it past what was taken. Taken bytes are never needed again.
  public mutating func next(_ input: UnsafeMutableRawBufferPointer, _ offset: inout Int) -> WebSocketStep {
    do {
      return try step(input, &offset)
    } catch {
      phase = .finished
      offset = input.count
      return .failed(error)
    }
  }

  private mutating func step(
    _ input: UnsafeMutableRawBufferPointer, _ offset: inout Int
  ) throws(WebSocketFailure) -> WebSocketStep {
    while true {
      switch phase {
      case .header:
        let available = UnsafeRawBufferPointer(rebasing: input[offset...])
        guard let header = try readHeader(available) else { return .needMore }
        if header.opcode.isControl {
          let end = offset + header.size + header.length
          guard end <= input.count else { return .needMore }
          let payload = offset + header.size..<end
          offset = end
          return try control(header, payload, input)
        }
        try begin(header)
        offset += header.size
      case .payload:
        let range = offset..<offset + min(remaining, input.count - offset)
        guard !range.isEmpty || remaining == 0 else { return .needMore }
        offset = range.upperBound
        if let piece = try take(range, input) { return .data(piece) }
      case .finished:
        offset = input.count
        return .finished
      }
    }
  }

  private struct Header {
    var opcode: WebSocketOpcode
    var isFinal: Bool
    var isCompressed: Bool
    var length: Int
    var mask: WebSocketMask
    var size: Int
  }

  /// Reads a header; nil when it is not all there. What can be refused is refused at the byte that is wrong.
  private func readHeader(_ bytes: UnsafeRawBufferPointer) throws(WebSocketFailure) -> Header? {
    guard let start = bytes.baseAddress, bytes.count >= 1 else { return nil }
    let first = start.load(as: UInt8.self)
    let isFinal = first & FrameLayout.finalBit != 0
    let isCompressed = first & FrameLayout.compressedBit != 0
    guard first & FrameLayout.otherReservedBits == 0 else { throw .reservedBits }
    guard let opcode = WebSocketOpcode(rawValue: first & FrameLayout.opcodeBits) else { throw .reservedOpcode }
    let startsMessage = opcode == .text || opcode == .binary
    guard !isCompressed || (allowsCompression && startsMessage) else { throw .reservedBits }
    guard isFinal || !opcode.isControl else { throw .controlFrameFragmented }
    guard opcode != .continuation || message != nil else { throw .nothingToContinue }
    guard !startsMessage || message == nil else { throw .messageUnfinished }

    guard bytes.count >= 2 else { return nil }
    let second = start.load(fromByteOffset: 1, as: UInt8.self)
    guard (second & FrameLayout.maskBit != 0) == expectsMask else { throw expectsMask ? .notMasked : .masked }
    var length = Int(second & FrameLayout.lengthBits)
    var size = 2
    guard !opcode.isControl || length <= FrameLayout.largestControlPayload else { throw .controlFrameTooLong }
    if length == FrameLayout.twoByteLength {
      guard bytes.count >= 4 else { return nil }
      length = Int(UInt16(bigEndian: start.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
      guard length >= FrameLayout.twoByteLength else { throw .lengthNotMinimal }
      size = 4
    } else if length == FrameLayout.eightByteLength {
      guard bytes.count >= 10 else { return nil }
      let long = UInt64(bigEndian: start.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
      guard long >> 63 == 0 else { throw .lengthOutOfRange }
      guard long > UInt64(UInt16.max) else { throw .lengthNotMinimal }
      length = Int(long)
      size = 10
    }
    // Before the key has come: a length that will be refused is refused now.
    if !opcode.isControl { try checkSize(length, startsMessage: startsMessage, isCompressed: isCompressed) }
    var key: UInt32 = 0
    if expectsMask {
      guard bytes.count >= size + 4 else { return nil }
      key = UInt32(littleEndian: start.loadUnaligned(fromByteOffset: size, as: UInt32.self))
      size += 4
    }
    return Header(
      opcode: opcode, isFinal: isFinal, isCompressed: isCompressed, length: length,
      mask: WebSocketMask(littleEndian: key), size: size)
  }

  private func checkSize(_ length: Int, startsMessage: Bool, isCompressed: Bool) throws(WebSocketFailure) {
    let soFar = startsMessage ? 0 : messageSize
    let compressed = startsMessage ? isCompressed : self.isCompressed
    let limit = compressed ? Inflater.largestCompressedSize(of: maximumMessageSize) : maximumMessageSize
    guard length <= limit - soFar else { throw .messageTooBig }
  }

  private mutating func begin(_ header: Header) throws(WebSocketFailure) {
    if header.opcode != .continuation {
      message = header.opcode == .text ? .text : .binary
      isCompressed = header.isCompressed
      messageSize = 0
      text = UTF8Validator()
    }
    messageSize += header.length
    isFinalFrame = header.isFinal
    remaining = header.length
    mask = header.mask
    phase = .payload
  }

  /// Unmasks and checks the next bytes of a payload; nil for an empty frame that ends no message.
  private mutating func take(
    _ range: Range<Int>, _ input: UnsafeMutableRawBufferPointer
  ) throws(WebSocketFailure) -> WebSocketPiece? {
    guard let kind = message else { preconditionFailure("a payload without a message") }
    let bytes = UnsafeMutableRawBufferPointer(rebasing: input[range])
    mask.apply(to: bytes)
    let isPlainText = kind == .text && !isCompressed
    if isPlainText, !text.consume(UnsafeRawBufferPointer(bytes)) { throw .textNotUTF8 }
    remaining -= range.count
    guard remaining == 0 else { return WebSocketPiece(kind: kind, range: range, isCompressed: isCompressed, isLast: false) }
    phase = .header
    guard isFinalFrame || !range.isEmpty else { return nil }
    if isFinalFrame {
      if isPlainText, !text.isComplete { throw .textNotUTF8 }
      message = nil
    }
    return WebSocketPiece(kind: kind, range: range, isCompressed: isCompressed, isLast: isFinalFrame)
  }

  private mutating func control(
    _ header: Header, _ range: Range<Int>, _ input: UnsafeMutableRawBufferPointer
  ) throws(WebSocketFailure) -> WebSocketStep {
    var mask = header.mask
    let payload = UnsafeMutableRawBufferPointer(rebasing: input[range])
    mask.apply(to: payload)
    switch header.opcode {
    case .ping: return .ping(range)
    case .pong: return .pong(range)
    default: break
    }
    guard !payload.isEmpty else {
      phase = .finished
      return .close(WebSocketClose(code: nil, reason: range))
    }
    guard payload.count >= 2 else { throw .closePayloadTooShort }
    let code = WebSocketCloseCode(rawValue: UInt16(payload[0]) << 8 | UInt16(payload[1]))
    guard code.mayBeSent else { throw .closeCodeNotAllowed }
    guard UTF8Validator.isValid(UnsafeRawBufferPointer(rebasing: payload[2...])) else { throw .closeReasonNotText }
    phase = .finished
    return .close(WebSocketClose(code: code, reason: range.lowerBound + 2..<range.upperBound))
  }
}
