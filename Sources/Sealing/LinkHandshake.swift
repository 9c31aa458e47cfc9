public import Core
import Gossip

/// How far a handshake got with what it was shown.
public struct LinkProgress: Sendable {
  /// So many bytes were read and are done with. What comes after the end of the handshake is of the link.
  public let taken: Int
  /// Set once, when the other side has proved itself.
  public let established: LinkEstablished?
}

/// What two nodes agreed on.
public struct LinkEstablished: Sendable {
  public let keys: LinkKeys
  public let version: UInt8
}

/// The beginning of a connection between two nodes: each proves that it holds the cluster's secret, and they agree on
/// keys that nobody else has, not even who records this and learns the secret later. It is the pattern NNpsk0 of Noise
/// (X25519, HKDF-SHA256) with both sides' keys confirmed:
///
///     initiator                                                     responder
///     hello: versions, key id, public key, MAC by the secret ─────▶
///               ◀───── answer: version, public key, MAC by the secret and the agreed, over everything so far
///     confirm: MAC over everything so far ────────────────────────▶
///
/// It proves membership, not who of the members it is. A hello that somebody repeats gets an answer and no further. The
/// connection is to be closed when `receive` throws, after `output` is sent; how long a silent peer is waited for is
/// the caller's business. No side keeps more than 144 bytes of the other.
public struct LinkHandshake: ~Copyable {
  /// The longest message: no caller has to hold more to go on.
  public static let longestMessage = LinkMessage.Hello.length
  /// What this release speaks.
  public static let versions: ClosedRange<UInt8> = 1...1

  let secret: ClusterSecret
  let versions: ClosedRange<UInt8>
  var stage: Stage
  /// Gone as soon as the keys are made.
  var ephemeral: EphemeralKey?
  /// Everything said so far, by both.
  var transcript = ByteBuffer(capacity: LinkMessage.Hello.length + LinkMessage.Answer.length)

  enum Stage {
    case awaitsHello
    case awaitsAnswer
    case awaitsConfirm(LinkSchedule, version: UInt8)
    case established
    case refused(LinkRefusal)
  }

  private init(_ secret: ClusterSecret, _ versions: ClosedRange<UInt8>, _ privateKey: RawSpan, _ stage: Stage) {
    self.secret = secret
    self.versions = versions
    self.stage = stage
    ephemeral = EphemeralKey(privateKey)
  }

  /// The side that dialled; its hello is appended to `output`. `privateKey` is 32 fresh bytes of the operating system's
  /// randomness, used for this handshake alone.
  public static func initiator(
    secret: ClusterSecret, privateKey: RawSpan, versions: ClosedRange<UInt8> = LinkHandshake.versions,
    into output: inout ByteBuffer
  ) -> LinkHandshake {
    var handshake = LinkHandshake(secret, versions, privateKey, .awaitsAnswer)
    handshake.sayHello(into: &output)
    return handshake
  }

  /// The side that was dialled; `privateKey` as for the initiator.
  public static func responder(
    secret: ClusterSecret, privateKey: RawSpan, versions: ClosedRange<UInt8> = LinkHandshake.versions
  ) -> LinkHandshake {
    LinkHandshake(secret, versions, privateKey, .awaitsHello)
  }

  /// Reads what the other side sent from its first byte not yet taken, and appends what is to be sent back.
  public mutating func receive(_ input: RawSpan, into output: inout ByteBuffer) throws(LinkRefusal) -> LinkProgress {
    do throws(LinkRefusal) {
      switch stage {
      case .awaitsHello: return try receiveHello(input, into: &output)
      case .awaitsAnswer: return try receiveAnswer(input, into: &output)
      case .awaitsConfirm(let schedule, let version): return try receiveConfirm(input, schedule, version)
      case .established: return LinkProgress(taken: 0, established: nil)
      case .refused(let refusal): throw refusal
      }
    } catch {
      // Once: what is said after a refusal changes nothing.
      if case .awaitsHello = stage { LinkMessage.append(error, versions: versions, to: &output) }
      stage = .refused(error)
      ephemeral = nil
      throw error
    }
  }
}
