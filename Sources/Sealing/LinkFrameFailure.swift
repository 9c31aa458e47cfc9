/// Why a frame of a link is refused. The connection is to be closed: nothing that follows can be opened.
public enum LinkFrameFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// The length says less than a tag.
  case tooShort(bytes: Int)
  /// The length says more than a frame may have.
  case tooLong(bytes: Int)
  /// Made with another key, changed, repeated, left out before it, or out of its order.
  case forged
  /// The key has sealed as much as is safe: dial again.
  case wornOut

  public var description: String {
    switch self {
    case .tooShort(let bytes): "a frame of \(bytes) bytes is shorter than its own seal"
    case .tooLong(let bytes): "a frame of \(bytes) bytes is longer than the \(LinkLimits.sealed) allowed"
    case .forged: "a frame is not the next one that the other node sealed: bytes were changed, repeated or lost on the way"
    case .wornOut: "this connection's keys have sealed as much as is safe; a new connection makes new ones"
    }
  }
}

/// What a link does not exceed.
public enum LinkLimits {
  /// The most bytes in one frame, before it is sealed.
  public static let plain = 16 << 20
  /// The same, sealed.
  public static let sealed = plain + AESGCM.tagLength
  /// How many blocks of 16 bytes one key seals, a tag counted as one: 256 TiB. With so many a listener's chance to tell
  /// the ciphertext from noise is 2^-41. A frame has at least one, so the counter in the nonce stays below this too.
  public static let blocks: UInt64 = 1 << 44
  /// The u32 in front of a frame, little-endian: how many bytes follow.
  public static let lengthField = 4
}

/// Counts the frames of one direction, and how much its key has sealed.
struct LinkCounter {
  private var frames: UInt64 = 0
  private(set) var blocks: UInt64

  init(used blocks: UInt64 = 0) { self.blocks = blocks }

  /// The nonce of the next frame with `count` bytes.
  mutating func next(_ count: Int) throws(LinkFrameFailure) -> AESGCM.Nonce {
    let more = UInt64(count + 15) / 16 + 1
    guard blocks + more <= LinkLimits.blocks else { throw .wornOut }
    blocks += more
    defer { frames += 1 }
    return AESGCM.Nonce(frames, 0)
  }
}
