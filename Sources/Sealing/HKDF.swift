import COpenSSL
import Core

/// HMAC with SHA-256 (RFC 2104).
enum HMACSHA256 {
  static let length = 32

  /// The 32 bytes that only a holder of `key` can make for `message`; a key themselves, since some are used as such.
  static func code(_ message: RawSpan, key: RawSpan) -> SealKey {
    SealKey { result in
      message.withUnsafeBytes { text in
        key.withUnsafeBytes { secret in
          var count: UInt32 = 0
          // An empty key or message may have no address, which OpenSSL takes for a different request.
          let none = UnsafeRawPointer(result)
          let made = HMAC(
            EVP_sha256(), secret.baseAddress ?? none, Int32(secret.count),
            (text.baseAddress ?? none).assumingMemoryBound(to: UInt8.self), text.count, result, &count)
          precondition(made != nil && count == UInt32(length), "OpenSSL could not make an HMAC")
        }
      }
    }
  }
}

/// Makes keys out of secrets (RFC 5869) with SHA-256.
enum HKDF {
  /// RFC 5869 section 2.3: no more than 255 blocks.
  static let longest = 255 * HMACSHA256.length

  /// Gathers what is secret in `input` into one key.
  static func extract(salt: RawSpan, input: RawSpan) -> SealKey {
    HMACSHA256.code(input, key: salt)
  }

  /// Appends `count` bytes that belong to `info` alone.
  static func expand(_ key: SealKey, info: RawSpan, count: Int, into buffer: inout ByteBuffer) {
    precondition(count >= 0 && count <= longest, "more than HKDF may give")
    var left = count
    var message = ByteBuffer(capacity: HMACSHA256.length + info.byteCount + 1)
    var round: UInt8 = 1
    while left > 0 {
      message.append(info)
      message.append(round)
      let block = HMACSHA256.code(message.bytes, key: key.bytes)
      let taken = min(left, HMACSHA256.length)
      buffer.append(block.bytes.extracting(0..<taken))
      message.removeAll()
      message.append(block.bytes)
      left -= taken
      round &+= 1
    }
  }

  /// The key that belongs to `label` and to what was said before it is used.
  static func key(_ key: SealKey, _ label: StaticString, context: RawSpan) -> SealKey {
    var info = ByteBuffer(capacity: label.utf8CodeUnitCount + context.byteCount)
    info.append(label)
    info.append(context)
    var made = ByteBuffer(capacity: SealKey.length)
    expand(key, info: info.bytes, count: SealKey.length, into: &made)
    return SealKey(made.bytes)
  }

  static func key(_ key: SealKey, _ label: StaticString) -> SealKey {
    HKDF.key(key, label, context: RawSpan())
  }
}
