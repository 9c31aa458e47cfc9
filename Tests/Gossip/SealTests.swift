import Core
import Testing

@testable import Gossip

/// Not encryption: the bytes are mixed with the key and the nonce, and the tag is a checksum over everything.
struct FakeSeal: PacketSeal {
  var keys: [SealKeyID: UInt64]

  private func tag(_ plain: RawSpan, _ header: RawSpan, _ key: UInt64, _ nonce: SealNonce) -> (UInt64, UInt64) {
    let first = header.withUnsafeBytes { StableHash.of($0, seed: key ^ nonce.salt) }
    return (first, plain.withUnsafeBytes { StableHash.of($0, seed: first ^ UInt64(nonce.counter)) })
  }

  mutating func seal(_ plain: RawSpan, header: RawSpan, key: SealKeyID, nonce: SealNonce, into buffer: inout ByteBuffer) {
    let secret = keys[key]!
    for index in 0..<plain.byteCount { buffer.append(plain.byte(at: index) ^ UInt8(truncatingIfNeeded: secret)) }
    let (first, second) = tag(plain, header, secret, nonce)
    buffer.append(littleEndian: first)
    buffer.append(littleEndian: second)
  }

  mutating func open(
    _ sealed: RawSpan, header: RawSpan, key: SealKeyID, nonce: SealNonce, into buffer: inout ByteBuffer
  ) throws(SealFailure) {
    let secret = keys[key]!
    let length = sealed.byteCount - 16
    var plain = ByteBuffer()
    for index in 0..<length { plain.append(sealed.byte(at: index) ^ UInt8(truncatingIfNeeded: secret)) }
    let (first, second) = tag(plain.bytes, header, secret, nonce)
    var expected = ByteBuffer()
    expected.append(littleEndian: first)
    expected.append(littleEndian: second)
    for index in 0..<16 where expected.bytes.byte(at: index) != sealed.byte(at: length + index) { throw .forged }
    buffer.append(plain.bytes)
  }
}

@Suite("Sealed packets")
struct SealTests {
  static let old = SealKeyID(1)
  static let new = SealKeyID(2)

  private func sealed(_ plain: [UInt8], key: SealKeyID, nonces: inout NonceSequence) throws -> [UInt8] {
    var seal = FakeSeal(keys: [Self.old: 11, Self.new: 22])
    var buffer = ByteBuffer()
    let nonce = nonces.next()
    SealedEnvelope.seal(plain.span.bytes, key: key, nonce: try #require(nonce), with: &seal, into: &buffer)
    return buffer.freeze().array
  }

  private func opened(_ bytes: [UInt8], keys: [SealKeyID]) throws(SealFailure) -> [UInt8] {
    var seal = FakeSeal(keys: [Self.old: 11, Self.new: 22])
    var buffer = ByteBuffer()
    try SealedEnvelope.open(bytes.span.bytes, keys: keys, with: &seal, into: &buffer)
    return buffer.freeze().array
  }

  @Test("While keys rotate packets of either open, and after it those of the old are refused by name")
  func rotation() throws {
    var nonces = NonceSequence(salt: 7)
    let a = try sealed([1, 2, 3], key: Self.old, nonces: &nonces)
    let b = try sealed([1, 2, 3], key: Self.new, nonces: &nonces)
    #expect(a.count == 3 + SealedEnvelope.overhead)
    #expect(try opened(a, keys: [Self.old, Self.new]) == [1, 2, 3])
    #expect(try opened(b, keys: [Self.old, Self.new]) == [1, 2, 3])
    #expect(throws: SealFailure.unknownKey(Self.old)) { try opened(a, keys: [Self.new]) }
  }

  @Test("A flipped bit anywhere, a cut anywhere and bytes of others are refused")
  func damage() throws {
    var nonces = NonceSequence(salt: 7)
    let bytes = try sealed([1, 2, 3, 4], key: Self.old, nonces: &nonces)
    for index in bytes.indices {
      for bit in 0..<8 {
        var damaged = bytes
        damaged[index] ^= 1 << UInt8(bit)
        #expect(throws: SealFailure.self) { try opened(damaged, keys: [Self.old]) }
      }
    }
    for length in bytes.indices { #expect(throws: SealFailure.self) { try opened(Array(bytes[..<length]), keys: [Self.old]) } }
    #expect(throws: SealFailure.malformed) { try opened([UInt8](repeating: 1, count: 1401), keys: [Self.old]) }
  }

  @Test("No nonce is handed out twice, and a sequence ends rather than begin again")
  func nonces() {
    var sequence = NonceSequence(salt: 3)
    let (first, second) = (sequence.next(), sequence.next())
    #expect(first != second && first?.salt == second?.salt)
    var last = NonceSequence(salt: 3, used: UInt64(UInt32.max))
    let (highest, none) = (last.next(), last.next())
    #expect(highest?.counter == .max)
    #expect(none == nil)
  }

  @Test("The largest packet fits its bound once sealed")
  func fits() {
    #expect(GossipLimits.plainPacket + SealedEnvelope.overhead == GossipLimits.packet)
  }
}
