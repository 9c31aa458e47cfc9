/// How much a peer may make this side hold or read. Each bound has its own refusal and its own test.
public struct HTTPLimits: Equatable, Sendable {
  /// Bytes of a body after its framing is taken off; past it, 413.
  public var body: Int
  // Narrow, because every connection's decoder holds a copy.
  private var headBytes: UInt32
  private var targetBytes: UInt32
  private var fieldCount: UInt16
  private var chunkLineBytes: UInt16
  private var chunkExtensionBytes: UInt16
  private var trailerBytes: UInt16

  /// The last four may be at most 65,535.
  public init(
    head: Int = 16 << 10, target: Int = 8 << 10, body: Int = 1 << 20, fields: Int = 100,
    chunkLine: Int = 256, chunkExtensions: Int = 4 << 10, trailers: Int = 4 << 10
  ) {
    self.body = body
    headBytes = UInt32(head)
    fieldCount = UInt16(fields)
    targetBytes = UInt32(target)
    chunkLineBytes = UInt16(chunkLine)
    chunkExtensionBytes = UInt16(chunkExtensions)
    trailerBytes = UInt16(trailers)
  }

  /// What a server holds every client to.
  public static let standard = HTTPLimits()
  /// What a client holds a server to that it chose itself: a body may be endless.
  public static let response = HTTPLimits(body: .max)

  /// Bytes of a head, from the first of its start line to the empty line included; past it, 431.
  public var head: Int { Int(headBytes) }
  /// Field lines in a head; past it, 431.
  public var fields: Int { Int(fieldCount) }
  /// Bytes of a request target; past it, 414.
  public var target: Int { Int(targetBytes) }
  /// Bytes of the line before a chunk, its extensions and line end included.
  public var chunkLine: Int { Int(chunkLineBytes) }
  /// Bytes of chunk extensions in one message: tiny chunks with long extensions cost reading and carry nothing.
  public var chunkExtensions: Int { Int(chunkExtensionBytes) }
  /// Bytes of the trailer section, its empty line included; past it, 431.
  public var trailers: Int { Int(trailerBytes) }

  /// Longer method names are answered 501 unread: no method that anyone defined has more letters.
  public static let methodLength = 32

  /// A request line that has not ended here is too long whatever follows: method, target, two spaces, `HTTP/1.1`, line end.
  var requestLine: Int { HTTPLimits.methodLength + target + 12 }

  /// The most bytes a decoder asks its caller to keep: a buffer this large never deadlocks.
  public var largestKept: Int { max(head + 2, chunkLine + trailers + 2) + 1 }
}
