public import Core
public import Gossip

/// Seals gossip's packets with AES-256-GCM: one context for each of the cluster's keys, none made for a packet.
/// Lives on one thread.
public final class PacketSealer: PacketSeal {
  private let keys: [(id: SealKeyID, cipher: AESGCM)]

  /// The keys of packets that are opened, in the secret's order.
  public let ids: [SealKeyID]
  /// The key that packets are sealed with.
  public let sending: SealKeyID

  public init(_ secret: ClusterSecret) {
    keys = secret.keys.map { ($0.id, AESGCM(key: $0.gossip)) }
    ids = secret.ids
    sending = secret.sending.id
  }

  public func seal(
    _ plain: RawSpan, header: RawSpan, key: SealKeyID, nonce: SealNonce, into buffer: inout ByteBuffer
  ) {
    guard let cipher = cipher(key) else { preconditionFailure("sealed with a key that is not in the secret") }
    let target = buffer.reserve(plain.byteCount + AESGCM.tagLength)
    plain.withUnsafeBytes { plain in
      header.withUnsafeBytes { cipher.seal(plain, header: $0, nonce: AESGCM.Nonce(nonce), to: target) }
    }
    buffer.advance(plain.byteCount + AESGCM.tagLength)
  }

  public func open(
    _ sealed: RawSpan, header: RawSpan, key: SealKeyID, nonce: SealNonce, into buffer: inout ByteBuffer
  ) throws(SealFailure) {
    guard sealed.byteCount >= AESGCM.tagLength else { throw .malformed }
    guard let cipher = cipher(key) else { throw .unknownKey(key) }
    let length = sealed.byteCount - AESGCM.tagLength
    let target = buffer.reserve(length)
    let isGenuine = sealed.withUnsafeBytes { sealed in
      header.withUnsafeBytes { cipher.open(sealed, header: $0, nonce: AESGCM.Nonce(nonce), to: target) }
    }
    guard isGenuine else { throw .forged }
    buffer.advance(length)
  }

  private func cipher(_ id: SealKeyID) -> AESGCM? {
    // At most eight, and almost always the first.
    for key in keys where key.id == id { return key.cipher }
    return nil
  }
}

extension AESGCM.Nonce {
  init(_ nonce: SealNonce) { self.init(nonce.salt, nonce.counter) }
}
