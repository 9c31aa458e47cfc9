import COpenSSL
import Core

/// A pair of X25519 keys (RFC 7748) for one handshake. Whoever learns the cluster's secret later cannot read what was
/// agreed with it, because the private half is gone with this value: OpenSSL wipes it.
struct EphemeralKey: ~Copyable {
  static let length = 32

  private let pair: OpaquePointer

  /// `secret` must be 32 fresh bytes of the operating system's randomness.
  init(_ secret: RawSpan) {
    precondition(secret.byteCount == EphemeralKey.length, "a private key has 32 bytes")
    let made = secret.withUnsafeBytes {
      EVP_PKEY_new_raw_private_key(
        EVP_PKEY_X25519, nil, $0.baseAddress!.assumingMemoryBound(to: UInt8.self), $0.count)
    }
    guard let made else { preconditionFailure("OpenSSL has no X25519") }
    pair = made
  }

  deinit { EVP_PKEY_free(pair) }

  /// Appends the 32 bytes that the other side needs.
  func appendPublicKey(to buffer: inout ByteBuffer) {
    var count = EphemeralKey.length
    let target = buffer.reserve(count).assumingMemoryBound(to: UInt8.self)
    precondition(EVP_PKEY_get_raw_public_key(pair, target, &count) == 1 && count == EphemeralKey.length)
    buffer.advance(count)
  }

  /// What both sides know and no listener; nil for a public key that would make it known to everyone (a point of low
  /// order, RFC 7748 section 6.1).
  func shared(with publicKey: RawSpan) -> SealKey? {
    precondition(publicKey.byteCount == EphemeralKey.length, "a public key has 32 bytes")
    let theirs = publicKey.withUnsafeBytes {
      EVP_PKEY_new_raw_public_key(
        EVP_PKEY_X25519, nil, $0.baseAddress!.assumingMemoryBound(to: UInt8.self), $0.count)
    }
    let context = EVP_PKEY_CTX_new(pair, nil)
    defer {
      EVP_PKEY_CTX_free(context)
      EVP_PKEY_free(theirs)
    }
    var worked = false
    let secret = SealKey { target in
      var count = EphemeralKey.length
      worked =
        EVP_PKEY_derive_init(context) == 1 && EVP_PKEY_derive_set_peer(context, theirs) == 1
        && EVP_PKEY_derive(context, target, &count) == 1 && count == EphemeralKey.length
    }
    if !worked { ERR_clear_error() }
    return worked ? secret : nil
  }
}
