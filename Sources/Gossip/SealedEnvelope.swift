public import Core

/// A sealed packet as bytes: u8 format, u32 key, 12 bytes of nonce, then the ciphertext and its tag. The seventeen
/// bytes in front are not secret, but they are authenticated.
///
/// What is protected: nobody without a key reads members' names and addresses, makes a packet or changes one. What is
/// not: lengths and times are seen; any holder of the key can speak for any member; a recorded packet can be sent
/// again. There is no replay window because a repeated packet does no harm: a claim is older than what its subject
/// said since, an ack is for a probe that is over, a ping costs one ack. The one thing a replay can do is name a member
/// again that everyone has forgotten, until it fails its first probes.
public enum SealedEnvelope {
  static let format: UInt8 = 1
  static let headerLength = 5 + SealNonce.encodedLength
  static let tagLength = 16
  public static let overhead = headerLength + tagLength

  /// Seals `plain` with the key that is used for sending.
  public static func seal(
    _ plain: RawSpan, key: SealKeyID, nonce: SealNonce, with seal: inout some PacketSeal,
    into buffer: inout ByteBuffer
  ) {
    var header = ByteBuffer(capacity: headerLength)
    header.append(format)
    header.append(littleEndian: key.value)
    header.append(littleEndian: nonce.salt)
    header.append(littleEndian: nonce.counter)
    buffer.append(header.bytes)
    seal.seal(plain, header: header.bytes, key: key, nonce: nonce, into: &buffer)
  }

  /// Opens a packet sealed with any of `keys`: those this node holds, the old and the next one too while they rotate.
  public static func open(
    _ sealed: RawSpan, keys: [SealKeyID], limit: Int = GossipLimits.packet, with seal: inout some PacketSeal,
    into buffer: inout ByteBuffer
  ) throws(SealFailure) {
    guard sealed.byteCount >= overhead, sealed.byteCount <= limit, sealed.byte(at: 0) == format else {
      throw .malformed
    }
    let key = SealKeyID(UInt32(littleEndian: unsafe sealed.unsafeLoadUnaligned(fromByteOffset: 1, as: UInt32.self)))
    guard keys.contains(key) else { throw .unknownKey(key) }
    let nonce = SealNonce(
      salt: UInt64(littleEndian: unsafe sealed.unsafeLoadUnaligned(fromByteOffset: 5, as: UInt64.self)),
      counter: UInt32(littleEndian: unsafe sealed.unsafeLoadUnaligned(fromByteOffset: 13, as: UInt32.self)))
    try seal.open(
      sealed.extracting(headerLength..<sealed.byteCount), header: sealed.extracting(0..<headerLength), key: key,
      nonce: nonce, into: &buffer)
  }
}
