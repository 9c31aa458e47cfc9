import COpenSSL

/// AES-256 in Galois/counter mode (NIST SP 800-38D) with one key. The context is made once: sealing and opening
/// allocate nothing. Of one thread at a time.
final class AESGCM {
  static let tagLength = 16

  /// 96 bits that are never used twice with one key, as they lie in memory: the first eight bytes, the last four.
  struct Nonce {
    private var words: (UInt32, UInt32, UInt32)

    init(_ first: UInt64, _ last: UInt32) {
      words = (UInt32(truncatingIfNeeded: first).littleEndian, UInt32(first >> 32).littleEndian, last.littleEndian)
    }
  }

  private let context: OpaquePointer

  init(key: SealKey) {
    guard let context = EVP_CIPHER_CTX_new() else { preconditionFailure("OpenSSL has no memory for a cipher") }
    self.context = context
    let made = key.bytes.withUnsafeBytes {
      EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nil, $0.baseAddress!.assumingMemoryBound(to: UInt8.self), nil, 1)
    }
    precondition(made == 1, "OpenSSL has no AES-256-GCM")
  }

  deinit { EVP_CIPHER_CTX_free(context) }

  /// Writes the encrypted `plain` and then the tag to `target`, which may be where `plain` lies.
  func seal(
    _ plain: UnsafeRawBufferPointer, header: UnsafeRawBufferPointer, nonce: Nonce, to target: UnsafeMutableRawPointer
  ) {
    let worked =
      begin(nonce, sealing: true) && add(header) && transform(plain, to: target) && finish(target + plain.count)
      && EVP_CIPHER_CTX_ctrl(
        context, EVP_CTRL_AEAD_GET_TAG, Int32(AESGCM.tagLength), target + plain.count) == 1
    precondition(worked, "OpenSSL failed to encrypt")
  }

  /// Writes what was sealed to `target`, which may be where it lies; false if this key and this nonce did not make it
  /// with this header. Then what was written is nothing.
  func open(
    _ sealed: UnsafeRawBufferPointer, header: UnsafeRawBufferPointer, nonce: Nonce, to target: UnsafeMutableRawPointer
  ) -> Bool {
    let length = sealed.count - AESGCM.tagLength
    guard length >= 0, let start = sealed.baseAddress else { return false }
    let tag = UnsafeMutableRawPointer(mutating: start + length)
    let isGenuine =
      begin(nonce, sealing: false)
      && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(AESGCM.tagLength), tag) == 1
      && add(header) && transform(UnsafeRawBufferPointer(start: start, count: length), to: target)
      && finish(target + length)
    // What is left in the thread's queue of errors would be taken for that of the next call that looks there.
    if !isGenuine { ERR_clear_error() }
    return isGenuine
  }

  private func begin(_ nonce: Nonce, sealing: Bool) -> Bool {
    withUnsafeBytes(of: nonce) {
      EVP_CipherInit_ex(
        context, nil, nil, nil, $0.baseAddress!.assumingMemoryBound(to: UInt8.self), sealing ? 1 : 0) == 1
    }
  }

  private func add(_ header: UnsafeRawBufferPointer) -> Bool {
    guard let start = header.baseAddress, header.count > 0 else { return true }
    var count: Int32 = 0
    return EVP_CipherUpdate(context, nil, &count, start.assumingMemoryBound(to: UInt8.self), Int32(header.count)) == 1
  }

  private func transform(_ source: UnsafeRawBufferPointer, to target: UnsafeMutableRawPointer) -> Bool {
    guard let start = source.baseAddress, source.count > 0 else { return true }
    var count: Int32 = 0
    return EVP_CipherUpdate(
      context, target.assumingMemoryBound(to: UInt8.self), &count, start.assumingMemoryBound(to: UInt8.self),
      Int32(source.count)) == 1 && Int(count) == source.count
  }

  /// Writes nothing in this mode; the address is asked for all the same.
  private func finish(_ end: UnsafeMutableRawPointer) -> Bool {
    var count: Int32 = 0
    return EVP_CipherFinal_ex(context, end.assumingMemoryBound(to: UInt8.self), &count) == 1
  }
}
