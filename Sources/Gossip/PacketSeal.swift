public import Core

/// Names one of the keys that a cluster's members hold.
public struct SealKeyID: Hashable, Sendable {
  public let value: UInt32
  public init(_ value: UInt32) { self.value = value }
}

/// The 96 bits that must never be used twice with one key.
public struct SealNonce: Hashable, Sendable {
  /// Random, drawn anew by every process for every 2^32 packets.
  public let salt: UInt64
  /// Counted up by one per packet.
  public let counter: UInt32

  static let encodedLength = 12
}

public enum SealFailure: Error, Hashable, Sendable {
  /// Too short, too long, or of another format: it never was a sealed packet of ours.
  case malformed
  case unknownKey(SealKeyID)
  /// Made with another key, or changed on the way.
  case forged
}

/// Authenticated encryption of packets, AES-256-GCM in production: who does not hold the key can neither read, nor
/// change, nor make one.
public protocol PacketSeal {
  /// Appends the encrypted `plain` and then a tag of 16 bytes that also covers `header`.
  mutating func seal(
    _ plain: RawSpan, header: RawSpan, key: SealKeyID, nonce: SealNonce, into buffer: inout ByteBuffer)

  /// Appends what was sealed, or throws and appends nothing.
  mutating func open(
    _ sealed: RawSpan, header: RawSpan, key: SealKeyID, nonce: SealNonce, into buffer: inout ByteBuffer
  ) throws(SealFailure)
}

/// Hands out nonces that are never used twice: a random salt and a counter.
public struct NonceSequence: Sendable {
  private let salt: UInt64
  private var used: UInt64

  /// `salt` must be 64 fresh bits of the operating system's randomness, not of a seeded generator.
  public init(salt: UInt64) { self.init(salt: salt, used: 0) }

  init(salt: UInt64, used: UInt64) {
    self.salt = salt
    self.used = used
  }

  /// The next nonce; nil once all 2^32 are used and a sequence with a new salt is due.
  public mutating func next() -> SealNonce? {
    guard used <= UInt64(UInt32.max) else { return nil }
    defer { used += 1 }
    return SealNonce(salt: salt, counter: UInt32(used))
  }
}
