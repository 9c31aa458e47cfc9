/// Finds line ends, eight bytes at a time: most payloads have none, and are then copied in one go.
enum LineBreaks {
  static let lineFeed: UInt8 = 0x0a
  static let carriageReturn: UInt8 = 0x0d

  /// The offset of the first CR or LF at or after `from`, or the number of bytes.
  static func first(in bytes: UnsafeRawBufferPointer, from: Int = 0) -> Int {
    guard let start = bytes.baseAddress else { return 0 }
    let end = bytes.count
    var at = from
    while end - at >= 8 {
      let word = UInt64(littleEndian: start.loadUnaligned(fromByteOffset: at, as: UInt64.self))
      let found = zeroBytes(word ^ 0x0a0a_0a0a_0a0a_0a0a) | zeroBytes(word ^ 0x0d0d_0d0d_0d0d_0d0d)
      if found != 0 { return at + found.trailingZeroBitCount / 8 }
      at += 8
    }
    while at < end {
      let byte = start.load(fromByteOffset: at, as: UInt8.self)
      if byte == lineFeed || byte == carriageReturn { return at }
      at += 1
    }
    return end
  }

  /// The high bit of the lowest zero byte; bits above it may be wrong, bits below it are not.
  @inline(__always) private static func zeroBytes(_ word: UInt64) -> UInt64 {
    (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
  }
}
