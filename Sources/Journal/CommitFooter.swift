internal import Core

/// Ends every append; the next append overwrites it. Its presence proves that the write reached its end, and
/// it tells what was durable when the write was made.
///
/// ```
///  0  "DONE"   as a length it would be far above any entry's
///  4  u32  CRC-32C of bytes 8 ..< 32
///  8  u64  last offset before the footer
/// 16  u64  durable offset when written
/// 24  u64  position of the footer in its file
/// ```
struct CommitFooter: Equatable {
  static let size = 32
  static let magic: UInt32 = 0x454e_4f44

  var last: Offset
  var durable: Offset
  var position: Int

  func append(to buffer: inout ByteBuffer) {
    let start = buffer.reserve(Self.size)
    start.storeBytes(of: Self.magic.littleEndian, as: UInt32.self)
    start.storeBytes(of: last.value.littleEndian, toByteOffset: 8, as: UInt64.self)
    start.storeBytes(of: durable.value.littleEndian, toByteOffset: 16, as: UInt64.self)
    start.storeBytes(of: UInt64(position).littleEndian, toByteOffset: 24, as: UInt64.self)
    let checksum = CRC32C.of(UnsafeRawBufferPointer(start: start + 8, count: Self.size - 8))
    start.storeBytes(of: checksum.littleEndian, toByteOffset: 4, as: UInt32.self)
    buffer.advance(Self.size)
  }

  func encoded() -> Bytes {
    var buffer = ByteBuffer(capacity: Self.size)
    append(to: &buffer)
    return buffer.freeze()
  }

  /// The footer at the start of `bytes`, which stand at `position` of their file; nil when there is none.
  init?(_ bytes: UnsafeRawBufferPointer, position: Int) {
    guard bytes.count >= Self.size, bytes.number(0, UInt32.self) == Self.magic else { return nil }
    guard bytes.number(24) == UInt64(position) else { return nil }
    let sealed = UnsafeRawBufferPointer(rebasing: bytes[8..<Self.size])
    guard CRC32C.of(sealed) == bytes.number(4, UInt32.self) else { return nil }
    self.init(last: Offset(bytes.number(8)), durable: Offset(bytes.number(16)), position: position)
  }

  init(last: Offset, durable: Offset, position: Int) {
    self.last = last
    self.durable = durable
    self.position = position
  }
}
