import Core
import Gossip
import Testing

@testable import Sealing

@Suite("The handshake of a link")
struct LinkHandshakeTests {
  /// The three messages of one that works.
  private func messages(_ secret: ClusterSecret) -> (hello: [UInt8], answer: [UInt8], confirm: [UInt8]) {
    let (initiator, hello) = Side.initiator(secret)
    let responder = Side.responder(secret)
    let answer = responder.hears(hello)
    return (hello, answer, initiator.hears(answer))
  }

  private func expectLink(_ one: Side, _ other: Side, version: UInt8 = 1) throws {
    let a = try #require(one.established)
    let b = try #require(other.established)
    #expect(one.refusal == nil && other.refusal == nil)
    #expect(a.version == version && b.version == version)
    #expect(a.keys.sending == b.keys.receiving && a.keys.receiving == b.keys.sending)
    #expect(a.keys.sending != a.keys.receiving)
  }

  @Test("Two members agree on keys; what follows the handshake at once is left for the link")
  func works() throws {
    let secret = try secret(oldSecret)
    let (initiator, hello) = Side.initiator(secret)
    let responder = Side.responder(secret)
    #expect(hello.count == LinkHandshake.longestMessage && hello.prefix(4) == Array("TDGL".utf8)[...])
    let answer = responder.hears(hello)
    #expect(responder.established == nil, "a hello proves nothing: it may be an old one")
    let confirm = initiator.hears(answer + [7, 7])
    #expect(initiator.unread == [7, 7])
    #expect(responder.hears(confirm + [9]) == [])
    #expect(responder.unread == [9])
    try expectLink(initiator, responder)
  }

  @Test("Byte by byte it is the same")
  func splits() throws {
    let secret = try secret(oldSecret)
    let whole = messages(secret)
    let (initiator, hello) = Side.initiator(secret)
    let responder = Side.responder(secret)
    var (answer, confirm): ([UInt8], [UInt8]) = ([], [])
    for byte in hello { answer += responder.hears([byte]) }
    for byte in answer { confirm += initiator.hears([byte]) }
    for byte in confirm { #expect(responder.hears([byte]) == []) }
    #expect(answer == whole.answer && confirm == whole.confirm)
    try expectLink(initiator, responder)
  }

  @Test("Other private keys make other keys of the same secret")
  func fresh() throws {
    let secret = try secret(oldSecret)
    var keys: [SealKey] = []
    for (one, other) in [(1, 2), (1, 3), (4, 2)] as [(UInt8, UInt8)] {
      let (initiator, hello) = Side.initiator(secret, seed: one)
      let responder = Side.responder(secret, seed: other)
      _ = responder.hears(initiator.hears(responder.hears(hello)))
      try expectLink(initiator, responder)
      keys += [try #require(initiator.established).keys.sending, try #require(initiator.established).keys.receiving]
    }
    for index in keys.indices { for other in 0..<index { #expect(keys[index] != keys[other]) } }
  }

  @Test("While secrets change, any two neighbouring steps make links, whoever dials")
  func rotation() throws {
    let steps = [try secret(oldSecret), try secret(oldSecret, newSecret), try secret(newSecret, oldSecret), try secret(newSecret)]
    for step in 0..<steps.count - 1 {
      for (from, to) in [(step, step + 1), (step + 1, step)] {
        let (initiator, hello) = Side.initiator(steps[from])
        let responder = Side.responder(steps[to])
        _ = responder.hears(initiator.hears(responder.hears(hello)))
        try expectLink(initiator, responder)
      }
    }
  }

  @Test("Who has another secret is refused, and both sides say which key was missing")
  func strangers() throws {
    let stranger = try secret(newSecret)
    let (initiator, hello) = Side.initiator(stranger)
    let responder = Side.responder(try secret(oldSecret))
    let answer = responder.hears(hello)
    #expect(responder.refusal == .unknownKey(stranger.sending.id))
    #expect(initiator.hears(answer) == [])
    #expect(initiator.refusal == .unknownKey(stranger.sending.id))
    #expect(LinkRefusal.unknownKey(stranger.sending.id).description.contains(stranger.sending.id.hexadecimal))
  }

  @Test("A key's name without the key is worth nothing, from either side")
  func impostors() throws {
    let real = try secret(oldSecret)
    // Says the known key id over a hello made with another secret.
    var hello = Side.initiator(try secret(newSecret)).hello
    hello.replaceSubrange(6..<10, with: Side.initiator(real).hello[6..<10])
    let responder = Side.responder(real)
    let answer = responder.hears(hello)
    #expect(responder.refusal == .badMAC)
    let initiator = Side.initiator(real).side
    _ = initiator.hears(answer)
    #expect(initiator.refusal == .badMAC)
    // Answers without the secret, with a key pair of its own.
    var key = ByteBuffer()
    EphemeralKey([UInt8](repeating: 5, count: 32).span.bytes).appendPublicKey(to: &key)
    let dialled = Side.initiator(real).side
    #expect(dialled.hears(Array("TDGL".utf8) + [0xa0, 1] + array(key.bytes) + [UInt8](repeating: 0, count: 32)) == [])
    #expect(dialled.refusal == .badMAC)
  }

  @Test("One's own hello sent back is no answer, and one's answer sent back is no confirmation")
  func reflection() throws {
    let secret = try secret(oldSecret)
    let (initiator, hello) = Side.initiator(secret)
    #expect(initiator.hears(hello) == [])
    #expect(initiator.refusal == .malformed && initiator.established == nil)
    let responder = Side.responder(secret)
    let answer = responder.hears(hello)
    #expect(responder.hears(Array(answer.suffix(32))) == [])
    #expect(responder.refusal == .badMAC && responder.established == nil)
    let again = Side.responder(secret)
    _ = again.hears(hello)
    #expect(again.hears(Array(hello.suffix(32))) == [])
    #expect(again.refusal == .badMAC)
  }

  @Test("A recorded handshake gets an answer when it is played again, and no further")
  func replay() throws {
    let secret = try secret(oldSecret)
    let recorded = messages(secret)
    let responder = Side.responder(secret, seed: 3)
    let answer = responder.hears(recorded.hello)
    #expect(!answer.isEmpty && answer != recorded.answer)
    #expect(responder.hears(recorded.confirm) == [])
    #expect(responder.refusal == .badMAC && responder.established == nil)
    // And an answer played again to a new hello.
    let initiator = Side.initiator(secret, seed: 4).side
    #expect(initiator.hears(recorded.answer) == [])
    #expect(initiator.refusal == .badMAC)
  }

  @Test("Cut after any byte nothing is agreed and nothing is refused")
  func truncation() throws {
    let secret = try secret(oldSecret)
    let whole = messages(secret)
    for length in whole.hello.indices {
      let responder = Side.responder(secret)
      #expect(responder.hears(Array(whole.hello[..<length])) == [] && responder.refusal == nil)
    }
    for length in whole.answer.indices {
      let initiator = Side.initiator(secret).side
      #expect(initiator.hears(Array(whole.answer[..<length])) == [])
      #expect(initiator.refusal == nil && initiator.established == nil)
    }
    for length in whole.confirm.indices {
      let responder = Side.responder(secret)
      _ = responder.hears(whole.hello + whole.confirm[..<length])
      #expect(responder.refusal == nil && responder.established == nil)
    }
  }

  @Test("The highest version that both speak is used", arguments: [
    (1...1, 1...1, 1), (1...3, 2...5, 3), (2...5, 1...3, 3), (0...255, 7...7, 7), (4...4, 1...4, 4),
  ] as [(ClosedRange<UInt8>, ClosedRange<UInt8>, UInt8)])
  func versions(dialling: ClosedRange<UInt8>, dialled: ClosedRange<UInt8>, agreed: UInt8) throws {
    let secret = try secret(oldSecret)
    let (initiator, hello) = Side.initiator(secret, versions: dialling)
    let responder = Side.responder(secret, versions: dialled)
    _ = responder.hears(initiator.hears(responder.hears(hello)))
    try expectLink(initiator, responder, version: agreed)
  }

  @Test("Without a version in common both sides say what the other speaks")
  func foreignVersions() throws {
    let secret = try secret(oldSecret)
    let (initiator, hello) = Side.initiator(secret, versions: 1...2)
    let responder = Side.responder(secret, versions: 4...6)
    // As soon as the range has come: what follows may be of another length in a later release.
    let answer = responder.hears(Array(hello[..<6]))
    #expect(responder.refusal == .unsupportedVersion(ours: 4...6, theirs: 1...2))
    _ = initiator.hears(answer)
    #expect(initiator.refusal == .unsupportedVersion(ours: 1...2, theirs: 4...6))
    let text = LinkRefusal.unsupportedVersion(ours: 1...1, theirs: 4...6).description
    #expect(text.contains("speaks 1, the other 4 to 6"))
  }

  @Test("Any byte of any message changed in any way ends in a refusal by who hears it")
  func tampering() throws {
    let secret = try secret(oldSecret, newSecret)
    let whole = messages(secret)
    for change in [1, 0x80, 0xff] as [UInt8] {
      for index in whole.hello.indices {
        let responder = Side.responder(secret)
        var hello = whole.hello
        hello[index] ^= change
        _ = responder.hears(hello)
        #expect(responder.refusal != nil, "byte \(index) of the hello")
      }
      for index in whole.answer.indices {
        let initiator = Side.initiator(secret).side
        var answer = whole.answer
        answer[index] ^= change
        #expect(initiator.hears(answer) == [])
        #expect(initiator.refusal != nil && initiator.established == nil, "byte \(index) of the answer")
      }
      for index in whole.confirm.indices {
        let responder = Side.responder(secret)
        var confirm = whole.confirm
        confirm[index] ^= change
        _ = responder.hears(whole.hello)
        #expect(responder.hears(confirm) == [])
        #expect(responder.refusal == .badMAC && responder.established == nil, "byte \(index) of the confirmation")
      }
    }
  }

  @Test("A range of versions narrowed on the way is found out")
  func downgrade() throws {
    let secret = try secret(oldSecret)
    var hello = Side.initiator(secret, versions: 1...3).hello
    hello[5] = 1
    let responder = Side.responder(secret, versions: 1...3)
    _ = responder.hears(hello)
    #expect(responder.refusal == .badMAC)
  }

  @Test("Who speaks something else is known by the first byte, told nothing, and a refusal stays one")
  func notOurs() throws {
    let secret = try secret(oldSecret)
    let responder = Side.responder(secret)
    #expect(responder.hears(Array("G".utf8)) == [])
    #expect(responder.refusal == .notOurs)
    responder.unread = []
    responder.refusal = nil
    #expect(responder.hears(messages(secret).hello) == [])
    #expect(responder.refusal == .notOurs)
    let initiator = Side.initiator(secret).side
    #expect(initiator.hears(Array("HTTP/1.1 400 Bad Request\r\n".utf8)) == [])
    #expect(initiator.refusal == .notOurs)
  }

  @Test("Any bytes are waited for or refused, and never agreed with")
  func anyBytes() throws {
    let seed: UInt64 = 20_260_703
    print("seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let secret = try secret(oldSecret)
    let whole = messages(secret)
    for round in 0..<1500 {
      let responder = Side.responder(secret)
      let initiator = Side.initiator(secret).side
      // The beginning of a message, or nothing, and then chance.
      let (hello, answer) = (whole.hello.prefix(random.below(44)), whole.answer.prefix(random.below(40)))
      let noise = randomBytes(random.below(200), &random)
      _ = responder.hears(round % 2 == 0 ? noise : hello + noise)
      #expect(initiator.hears(round % 2 == 0 ? noise : answer + noise) == [])
      if round % 3 == 0 {
        let late = Side.responder(secret)
        _ = late.hears(whole.hello + noise)
        #expect(late.established == nil)
        #expect(late.refusal == (noise.count >= 32 ? .badMAC : nil))
      }
      #expect(responder.established == nil && initiator.established == nil)
    }
  }
}
