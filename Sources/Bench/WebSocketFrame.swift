import Core

/// A frame as a client sees it, read and written without the WebSocket module, which is what is being measured.
struct WebSocketFrame: Equatable {
  enum Kind: UInt8 {
    case continuation = 0
    case text = 1
    case binary = 2
    case close = 8
    case ping = 9
    case pong = 10
  }

  var kind: Kind
  var payload: Range<Int>
  /// Bytes of head and payload.
  var length: Int

  enum Outcome: Equatable {
    case needMore
    case malformed
    case frame(WebSocketFrame)
  }

  /// The frame at the start of `bytes`.
  static func read(_ bytes: UnsafeRawBufferPointer) -> Outcome {
    guard bytes.count >= 2 else { return .needMore }
    // Servers do not mask.
    guard bytes[1] & 0x80 == 0, let kind = Kind(rawValue: bytes[0] & 15) else { return .malformed }
    var length = Int(bytes[1] & 127)
    var head = 2
    if length == 126 {
      guard bytes.count >= 4 else { return .needMore }
      length = Int(bytes[2]) << 8 | Int(bytes[3])
      head = 4
    } else if length == 127 {
      guard bytes.count >= 10 else { return .needMore }
      guard bytes[2...4].allSatisfy({ $0 == 0 }) else { return .malformed }
      length = (2..<10).reduce(0) { $0 << 8 | Int(bytes[$1]) }
      head = 10
    }
    guard bytes.count >= head + length else { return .needMore }
    return .frame(WebSocketFrame(kind: kind, payload: head..<head + length, length: head + length))
  }

  /// Not zero, because a server may skip what a zero mask would not change.
  private static let mask: [UInt8] = [0x9d, 0x27, 0x51, 0xc3]

  /// Appends a frame as a client sends it, masked.
  static func write(_ kind: Kind, _ payload: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
    buffer.append(0x80 | kind.rawValue)
    if payload.count < 126 {
      buffer.append(0x80 | UInt8(payload.count))
    } else if payload.count < 65_536 {
      buffer.append(0x80 | 126)
      buffer.append(bigEndian: UInt16(payload.count))
    } else {
      buffer.append(0x80 | 127)
      buffer.append(bigEndian: UInt64(payload.count))
    }
    buffer.append(mask)
    for (index, byte) in payload.enumerated() { buffer.append(byte ^ mask[index & 3]) }
  }
}
