import Core
import Testing

/// Clusters have topics placed by this hash. If one of these values changes, a new version would look for
/// every topic in the wrong shard.
@Suite("StableHash")
struct StableHashTests {
  @Test(
    "Known names have known hashes, for ever",
    arguments: [
      ("a", 0xa1e7_d074_88e6_0fb3), ("orders/42", 0x956b_94e0_84d0_98f2), ("42", 0xdc84_f344_fc99_cfc6),
      ("room/{42}/chat", 0x4dd4_55e8_03c8_f72c), ("sensors/kitchen/temperature", 0x7ebd_f223_0905_25d2),
      ("ü/東京", 0xb686_0aea_9c45_4423), ("", 0x34d2_fe82_dacc_aea6),
    ] as [(String, UInt64)])
  func golden(text: String, expected: UInt64) {
    #expect(text.utf8Bytes { StableHash.of($0) } == expected)
  }

  @Test("A seed changes it, in a known way")
  func seeded() {
    #expect("abc".utf8Bytes { StableHash.of($0, seed: 7) } == 0xba18_80ce_e7b7_c8c8)
  }

  @Test(
    "Known topics lie in known shards of sixteen, for ever",
    arguments: [("a", 3), ("orders/42", 2), ("room/{42}/chat", 6), ("room/{42}/typing", 6), ("sensors/kitchen/temperature", 2), ("ü/東京", 3)])
  func shards(topic: String, shard: Int) {
    #expect(topic.utf8Bytes { Topic.shard(of: $0, among: 16) } == ShardID(shard))
  }

  @Test("No bytes have one hash, with an address or without")
  func empty() {
    let nowhere = StableHash.of(UnsafeRawBufferPointer(start: nil, count: 0))
    #expect(nowhere == "".utf8Bytes { StableHash.of($0) })
  }

  @Test("Where the bytes lie does not matter", arguments: 0..<8)
  func alignment(padding: Int) {
    let text = Array("sensors/kitchen/temperature".utf8)
    let shifted = [UInt8](repeating: 0, count: padding) + text
    let hash = shifted.withUnsafeBytes { StableHash.of(UnsafeRawBufferPointer(rebasing: $0[padding...])) }
    #expect(hash == 0x7ebd_f223_0905_25d2)
  }

  @Test("Names that differ in one bit, or in trailing zeros, differ in their hash")
  func sensitivity() {
    var seen: Set<UInt64> = []
    let text = Array("orders/4242/items".utf8)
    for index in text.indices {
      for bit in 0..<8 {
        var other = text
        other[index] ^= 1 << UInt8(bit)
        seen.insert(other.withUnsafeBytes { StableHash.of($0) })
      }
    }
    #expect(seen.count == text.count * 8)
    let zeros = (0..<40).map { [UInt8](repeating: 0, count: $0).withUnsafeBytes { StableHash.of($0) } }
    #expect(Set(zeros).count == 40)
  }
}
