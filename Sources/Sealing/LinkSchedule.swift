import Core

/// The keys of one direction each.
public struct LinkKeys: Sendable {
  /// For a `LinkSealer`.
  public let sending: SealKey
  /// For a `LinkOpener`.
  public let receiving: SealKey
}

/// What both sides make of the cluster's key, of what they agreed in secret and of every byte said so far. A role
/// stands in each label, so that nothing that one side said is what the other has to say.
struct LinkSchedule {
  private let answering: SealKey
  private let confirming: SealKey
  private let toResponder: SealKey
  private let toInitiator: SealKey

  /// `transcript` is the hello and the answer without its MAC: both public keys, the versions offered and the one
  /// chosen are in every key.
  init(cluster: SealKey, shared: SealKey, transcript: RawSpan) {
    let master = HKDF.extract(salt: cluster.bytes, input: shared.bytes)
    answering = HKDF.key(master, "tidings link v1 responder answers", context: transcript)
    confirming = HKDF.key(master, "tidings link v1 initiator confirms", context: transcript)
    toResponder = HKDF.key(master, "tidings link v1 initiator to responder", context: transcript)
    toInitiator = HKDF.key(master, "tidings link v1 responder to initiator", context: transcript)
  }

  static func helloCode(_ hello: RawSpan, cluster: SealKey) -> SealKey {
    HMACSHA256.code(hello, key: HKDF.key(cluster, "tidings link v1 initiator hello").bytes)
  }

  func answerCode(_ transcript: RawSpan) -> SealKey { HMACSHA256.code(transcript, key: answering.bytes) }
  func confirmCode(_ transcript: RawSpan) -> SealKey { HMACSHA256.code(transcript, key: confirming.bytes) }

  var initiatorKeys: LinkKeys { LinkKeys(sending: toResponder, receiving: toInitiator) }
  var responderKeys: LinkKeys { LinkKeys(sending: toInitiator, receiving: toResponder) }
}
