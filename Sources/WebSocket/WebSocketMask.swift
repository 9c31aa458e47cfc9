/// The four bytes a client's payload is XORed with (RFC 6455 section 5.3).
///
/// The key is held with its next byte lowest, and turns as bytes go by, so that a payload may be masked in pieces of
/// any size at any address.
public struct WebSocketMask: Equatable, Sendable {
  private var key: UInt32

  /// `key` in the order the bytes stand in the frame, first byte lowest.
  public init(littleEndian key: UInt32) { self.key = key }

  var littleEndian: UInt32 { key }

  /// Masks or unmasks the next bytes of the payload where they lie.
  public mutating func apply(to bytes: UnsafeMutableRawBufferPointer) {
    guard let start = bytes.baseAddress, key != 0 else { return }
    let count = bytes.count
    let wide = UInt64(key) << 32 | UInt64(key)
    var at = 0
    while count - at >= 32 {
      mask(start, at, wide)
      mask(start, at + 8, wide)
      mask(start, at + 16, wide)
      mask(start, at + 24, wide)
      at += 32
    }
    while count - at >= 8 {
      mask(start, at, wide)
      at += 8
    }
    while at < count {
      let byte = start.load(fromByteOffset: at, as: UInt8.self)
      start.storeBytes(of: byte ^ UInt8(truncatingIfNeeded: key), toByteOffset: at, as: UInt8.self)
      key = key >> 8 | key << 24
      at += 1
    }
  }

  @inline(__always) private func mask(_ start: UnsafeMutableRawPointer, _ offset: Int, _ wide: UInt64) {
    let word = UInt64(littleEndian: start.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    start.storeBytes(of: (word ^ wide).littleEndian, toByteOffset: offset, as: UInt64.self)
  }
}
