/// What a connection received. Ranges are into the input, bytes are valid until the next call.
public enum WebSocketEvent {
  /// Nothing more can be said. What was not taken, at most a header or a control frame, must be shown again.
  case needMore
  case message(WebSocketMessage)
  /// A ping, to be answered with a pong of the same payload.
  case ping(Range<Int>)
  case pong(Range<Int>)
  /// The peer closes, and should be answered with a close.
  case close(WebSocketClose)
  /// The connection must be failed with the code this carries.
  case failed(WebSocketFailure)
  /// The connection closed or failed before; the bytes were dropped.
  case finished
}

/// Whole messages as they arrive: a decoder and an assembler, joined. One per connection.
public struct WebSocketReceiver: ~Copyable {
  private var decoder: WebSocketDecoder
  private var assembler: MessageAssembler
  private var hasFailed = false

  public init(
    role: WebSocketRole, allowsCompression: Bool = false,
    maximumMessageSize: Int = WebSocketDecoder.defaultMaximumMessageSize
  ) {
    decoder = WebSocketDecoder(
      role: role, allowsCompression: allowsCompression, maximumMessageSize: maximumMessageSize)
    assembler = MessageAssembler(maximumMessageSize: maximumMessageSize)
  }

  /// How much memory an incomplete message holds.
  public var heldBytes: Int { assembler.heldBytes }

  /// Decodes from `offset` on and moves it past what was taken. `inflater` may be shared by any number of
  /// connections of one thread; it is needed where compression is allowed.
  public mutating func next(
    _ input: UnsafeMutableRawBufferPointer, _ offset: inout Int, inflater: Inflater? = nil
  ) -> WebSocketEvent {
    assembler.release()
    while true {
      guard !hasFailed else {
        offset = input.count
        return .finished
      }
      switch decoder.next(input, &offset) {
      case .needMore: return .needMore
      case .ping(let range): return .ping(range)
      case .pong(let range): return .pong(range)
      case .close(let close): return .close(close)
      case .failed(let failure): return .failed(failure)
      case .finished: return .finished
      case .data(let piece):
        do throws(WebSocketFailure) {
          if let message = try assembler.add(piece, of: input, inflater: inflater) { return .message(message) }
        } catch {
          hasFailed = true
          offset = input.count
          return .failed(error)
        }
      }
    }
  }
}
