import Core

/// A whole message. The bytes are valid until the assembler is given the next piece.
public struct WebSocketMessage {
  public var kind: WebSocketMessageKind
  public var bytes: UnsafeRawBufferPointer
}

/// Joins the pieces of a message, when there is more than one, and inflates it.
///
/// A message that arrives in one piece is never copied; memory is held only while one is incomplete, at most
/// `maximumMessageSize` of it.
public struct MessageAssembler: ~Copyable {
  private let maximumMessageSize: Int
  private var gathered = ByteBuffer()
  private var isDelivered = false

  public init(maximumMessageSize: Int = WebSocketDecoder.defaultMaximumMessageSize) {
    self.maximumMessageSize = maximumMessageSize
  }

  /// How much memory an incomplete message holds.
  public var heldBytes: Int { gathered.capacity }

  /// Takes the next piece, which lies in `input`; returns the message that it completes.
  public mutating func add(
    _ piece: WebSocketPiece, of input: UnsafeMutableRawBufferPointer, inflater: Inflater?
  ) throws(WebSocketFailure) -> WebSocketMessage? {
    if isDelivered { release() }
    let bytes = UnsafeRawBufferPointer(rebasing: input[piece.range])
    guard piece.isLast, gathered.isEmpty else {
      // The decoder refused what is larger before it came here.
      precondition(bytes.count <= Inflater.largestCompressedSize(of: maximumMessageSize) - gathered.count)
      gathered.append(bytes)
      guard piece.isLast else { return nil }
      isDelivered = true
      return try finish(piece, UnsafeRawBufferPointer(start: gathered.readPointer, count: gathered.count), inflater)
    }
    return try finish(piece, bytes, inflater)
  }

  /// Gives back the memory of a message that was handled.
  public mutating func release() {
    guard isDelivered else { return }
    gathered.removeAll(keepingCapacity: false)
    isDelivered = false
  }

  private func finish(
    _ piece: WebSocketPiece, _ bytes: UnsafeRawBufferPointer, _ inflater: Inflater?
  ) throws(WebSocketFailure) -> WebSocketMessage {
    guard piece.isCompressed else { return WebSocketMessage(kind: piece.kind, bytes: bytes) }
    guard let inflater else { preconditionFailure("compression was agreed without an inflater at hand") }
    let plain = try inflater.inflate(bytes, limit: maximumMessageSize, isText: piece.kind == .text)
    return WebSocketMessage(kind: piece.kind, bytes: plain)
  }
}
