/// A fast hash of bytes that is the same in every process, on every machine and in every version: topics find
/// their shard by it. Changing it would move every topic.
public enum StableHash {
  @usableFromInline static let first: UInt64 = 0xa076_1d64_78bd_642f
  @usableFromInline static let second: UInt64 = 0xe703_7ed1_a0b4_28db

  @inlinable static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
  }

  @inlinable public static func of(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
    var hash = seed ^ first
    var rest = bytes.count
    // No bytes without an address are no bytes: the loops below do not look at where they are.
    var at = bytes.baseAddress ?? UnsafeRawPointer(emptyBytesAddress)
    while rest >= 8 {
      hash = mix(hash ^ UInt64(littleEndian: at.loadUnaligned(as: UInt64.self)), second)
      at += 8
      rest -= 8
    }
    var tail: UInt64 = 0
    for index in 0..<rest { tail |= UInt64(at.load(fromByteOffset: index, as: UInt8.self)) << UInt64(8 * index) }
    hash = mix(hash ^ tail, second)
    return mix(hash ^ UInt64(bytes.count), first)
  }
}
