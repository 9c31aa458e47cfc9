/// Which end of a connection this process is: a server reads masked frames and writes plain ones, a client the reverse.
public enum WebSocketRole: Sendable {
  case server
  case client
}

/// What a frame is. The eleven other values of the four bits are reserved.
public enum WebSocketOpcode: UInt8, Sendable {
  case continuation = 0
  case text = 1
  case binary = 2
  case close = 8
  case ping = 9
  case pong = 10

  @inlinable public var isControl: Bool { rawValue >= 8 }
}

/// What a message is.
public enum WebSocketMessageKind: UInt8, Sendable {
  case text = 1
  case binary = 2

  @inlinable public var opcode: WebSocketOpcode { self == .text ? .text : .binary }
}

/// Some bytes of a message, unmasked where they arrived.
public struct WebSocketPiece: Equatable, Sendable {
  public var kind: WebSocketMessageKind
  /// Where the bytes lie in the input. May be empty in a message's last piece only.
  public var range: Range<Int>
  /// The message is compressed: its bytes mean nothing before they are all there and inflated.
  public var isCompressed: Bool
  /// The message ends here.
  public var isLast: Bool
}

/// What a peer said when it closed.
public struct WebSocketClose: Equatable, Sendable {
  /// None when the close frame was empty.
  public var code: WebSocketCloseCode?
  /// UTF-8; where it lies in the input.
  public var reason: Range<Int>
}

/// The first bits and bytes of a frame (RFC 6455 section 5.2).
enum FrameLayout {
  static let finalBit: UInt8 = 0x80
  static let compressedBit: UInt8 = 0x40
  static let otherReservedBits: UInt8 = 0x30
  static let opcodeBits: UInt8 = 0x0f
  static let maskBit: UInt8 = 0x80
  static let lengthBits: UInt8 = 0x7f
  /// A length of 126 says that two bytes of length follow, 127 that eight do.
  static let twoByteLength = 126
  static let eightByteLength = 127
  static let largestControlPayload = 125
}
