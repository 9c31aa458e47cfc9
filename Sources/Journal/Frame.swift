internal import Core

extension UnsafeRawBufferPointer {
  /// A little-endian number at any position inside.
  func number<T: FixedWidthInteger & BitwiseCopyable>(_ position: Int, _ type: T.Type = UInt64.self) -> T {
    T(littleEndian: loadUnaligned(fromByteOffset: position, as: T.self))
  }
}

/// What every small file of the journal begins with: `magic u64 | version u32 | CRC-32C u32` of all that follows.
enum Frame {
  static let headerSize = 16
  static let version: UInt32 = 1

  static func begin(_ magic: StaticString, into buffer: inout ByteBuffer) {
    precondition(magic.utf8CodeUnitCount == 8 && buffer.isEmpty)
    buffer.append(magic)
    buffer.append(littleEndian: version)
    buffer.append(littleEndian: UInt32(0))
  }

  /// Writes the checksum of everything after the header, and of `body` if that follows in the file.
  static func seal(_ buffer: inout ByteBuffer, followedBy body: Bytes = Bytes()) {
    var checksum = buffer.withUnsafeBytes { CRC32C.of(UnsafeRawBufferPointer(rebasing: $0[headerSize...])) }
    checksum = body.withUnsafeBytes { CRC32C.of($0, continuing: checksum) }
    buffer.store(littleEndian: checksum, at: 12)
  }

  /// What follows the header, or nil when magic, version or checksum is not right.
  static func open(_ magic: StaticString, _ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    guard bytes.count >= headerSize else { return nil }
    let wanted = UnsafeRawBufferPointer(start: magic.utf8Start, count: 8)
    guard bytes[..<8].elementsEqual(wanted), bytes.number(8, UInt32.self) == version else { return nil }
    let rest = UnsafeRawBufferPointer(rebasing: bytes[headerSize...])
    return CRC32C.of(rest) == bytes.number(12, UInt32.self) ? rest : nil
  }
}
