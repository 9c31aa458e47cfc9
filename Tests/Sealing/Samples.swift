import Core
import Gossip

@testable import Sealing

func hex(_ text: String) -> [UInt8] {
  let digits = text.utf8.filter { $0 != UInt8(ascii: " ") }
  return stride(from: 0, to: digits.count, by: 2).map { at in
    UInt8(String(decoding: digits[at..<at + 2], as: UTF8.self), radix: 16)!
  }
}

func array(_ span: RawSpan) -> [UInt8] { (0..<span.byteCount).map { span.byte(at: $0) } }

func secret(_ lines: String...) throws(ClusterSecretFailure) -> ClusterSecret {
  try ClusterSecret(parsing: Array(lines.joined(separator: "\n").utf8).span.bytes)
}

/// Secrets of no cluster.
let oldSecret = "a secret of the old days"
let newSecret = "a secret of the new days"

func randomBytes(_ count: Int, _ random: inout SeededGenerator) -> [UInt8] {
  (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next() >> 20) }
}

/// One side of a handshake, as a connection holds it: what came and is not taken yet, and what came out.
final class Side {
  var handshake: LinkHandshake
  var unread: [UInt8] = []
  var established: LinkEstablished?
  var refusal: LinkRefusal?

  init(_ handshake: consuming LinkHandshake) { self.handshake = handshake }

  static func initiator(
    _ secret: ClusterSecret, seed: UInt8 = 1, versions: ClosedRange<UInt8> = 1...1
  ) -> (side: Side, hello: [UInt8]) {
    var output = ByteBuffer()
    let key = [UInt8](repeating: seed, count: 32)
    let handshake = LinkHandshake.initiator(secret: secret, privateKey: key.span.bytes, versions: versions, into: &output)
    return (Side(handshake), array(output.bytes))
  }

  static func responder(_ secret: ClusterSecret, seed: UInt8 = 2, versions: ClosedRange<UInt8> = 1...1) -> Side {
    let key = [UInt8](repeating: seed, count: 32)
    return Side(LinkHandshake.responder(secret: secret, privateKey: key.span.bytes, versions: versions))
  }

  /// Answers with what the handshake sends back.
  func hears(_ bytes: [UInt8]) -> [UInt8] {
    unread += bytes
    var output = ByteBuffer()
    do throws(LinkRefusal) {
      while true {
        let progress = try handshake.receive(unread.span.bytes, into: &output)
        unread.removeFirst(progress.taken)
        if let made = progress.established { established = made }
        if progress.taken == 0 { break }
      }
    } catch {
      refusal = error
    }
    return array(output.bytes)
  }
}

extension SealKey: Equatable {
  static func == (one: SealKey, other: SealKey) -> Bool { isSame(one.bytes, other.bytes) }
}
