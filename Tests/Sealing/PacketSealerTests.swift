import Core
import Gossip
import Testing

@testable import Sealing

@Suite("Sealed gossip")
struct PacketSealerTests {
  private func sealed(_ plain: [UInt8], _ secret: ClusterSecret) -> [UInt8] {
    var sealer = PacketSealer(secret)
    var nonces = NonceSequence(salt: 77)
    var buffer = ByteBuffer()
    SealedEnvelope.seal(
      plain.span.bytes, key: sealer.sending, nonce: nonces.next()!, with: &sealer, into: &buffer)
    return array(buffer.bytes)
  }

  private func opened(_ bytes: [UInt8], _ sealer: PacketSealer) throws(SealFailure) -> [UInt8] {
    var sealer = sealer
    var buffer = ByteBuffer()
    buffer.append("kept")
    do throws(SealFailure) {
      try SealedEnvelope.open(bytes.span.bytes, keys: sealer.ids, with: &sealer, into: &buffer)
    } catch {
      #expect(buffer.count == 4, "nothing is appended")
      throw error
    }
    return Array(array(buffer.bytes).dropFirst(4))
  }

  @Test("At every step of a change of secrets every node opens what every other sends")
  func rotation() throws {
    let steps = [try secret(oldSecret), try secret(oldSecret, newSecret), try secret(newSecret, oldSecret), try secret(newSecret)]
    for step in 0..<steps.count - 1 {
      for (from, to) in [(step, step), (step, step + 1), (step + 1, step)] {
        let packet = sealed([1, 2, 3], steps[from])
        #expect(packet.count == 3 + SealedEnvelope.overhead)
        #expect(try opened(packet, PacketSealer(steps[to])) == [1, 2, 3])
      }
    }
    #expect(throws: SealFailure.unknownKey(steps[0].sending.id)) {
      try opened(sealed([1], steps[0]), PacketSealer(steps[3]))
    }
  }

  @Test("A flipped bit anywhere and a cut anywhere are refused, and spoil nothing for the next packet")
  func damage() throws {
    let secret = try secret(oldSecret)
    let sealer = PacketSealer(secret)
    let bytes = sealed(Array("who is there".utf8), secret)
    for index in bytes.indices {
      for bit in 0..<8 {
        var damaged = bytes
        damaged[index] ^= 1 << UInt8(bit)
        #expect(throws: SealFailure.self) { try opened(damaged, sealer) }
      }
      #expect(throws: SealFailure.self) { try opened(Array(bytes[..<index]), sealer) }
    }
    #expect(throws: SealFailure.forged) { try opened(bytes + [0], sealer) }
    #expect(try opened(bytes, sealer) == Array("who is there".utf8))
  }

  @Test("Packets of every length, empty ones too, come back, sealed and opened in turn with one sealer")
  func lengths() throws {
    let secret = try secret(oldSecret)
    var sealer = PacketSealer(secret)
    var random = SeededGenerator(seed: 5)
    var nonces = NonceSequence(salt: 1)
    var packet = ByteBuffer()
    var plain = ByteBuffer()
    for length in 0...GossipLimits.plainPacket {
      let bytes = randomBytes(length, &random)
      packet.removeAll()
      plain.removeAll()
      SealedEnvelope.seal(
        bytes.span.bytes, key: sealer.sending, nonce: nonces.next()!, with: &sealer, into: &packet)
      try SealedEnvelope.open(packet.bytes, keys: sealer.ids, with: &sealer, into: &plain)
      #expect(array(plain.bytes) == bytes)
    }
  }

  @Test("Too short for a tag is malformed, whoever asks")
  func tooShort() throws {
    let sealer = PacketSealer(try secret(oldSecret))
    var nonces = NonceSequence(salt: 2)
    let nonce = nonces.next()!
    #expect(throws: SealFailure.malformed) { 
      var buffer = ByteBuffer()
      try sealer.open(
        [UInt8](repeating: 0, count: 15).span.bytes, header: RawSpan(), key: sealer.sending,
        nonce: nonce, into: &buffer)
    }
  }

  @Test("No bytes that were not sealed are opened")
  func anyBytes() throws {
    let seed: UInt64 = 20_260_702
    print("seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let sealer = PacketSealer(try secret(oldSecret))
    let front = sealed([], try secret(oldSecret)).prefix(5)
    for _ in 0..<2000 {
      // Half of them with the right format and key in front.
      let bytes = (random.below(2) == 0 ? Array(front) : []) + randomBytes(random.below(100), &random)
      #expect(throws: SealFailure.self) { try opened(bytes, sealer) }
    }
  }
}
