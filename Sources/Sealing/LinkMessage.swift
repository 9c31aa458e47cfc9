import Core
import Gossip

/// The bytes of the three messages of a handshake. Numbers are little-endian.
///
///     hello    "TDGL", u8 lowest and u8 highest version, u32 key id, 32 bytes public key, 32 bytes MAC
///     answer   "TDGL", u8 0xa0, u8 version, 32 bytes public key, 32 bytes MAC
///     refusal  "TDGL", u8 0xa1, u8 reason, u8 lowest and u8 highest version
///     confirm  32 bytes MAC
///
/// The first six bytes of a hello, and refusals, stay as they are in every version to come.
enum LinkMessage {
  static let magic: StaticString = "TDGL"
  static let magicLength = 4
  static let macLength = HMACSHA256.length

  /// As no hello has them in this place, so that a hello sent back is no answer.
  enum Kind: UInt8 {
    case answer = 0xa0
    case refusal = 0xa1
  }

  enum Hello {
    static let versionsAt = 4
    static let keyAt = 6
    static let publicKeyAt = 10
    static let macAt = publicKeyAt + EphemeralKey.length
    static let length = macAt + macLength
  }

  enum Answer {
    static let kindAt = 4
    static let versionAt = 5
    static let publicKeyAt = 6
    static let macAt = publicKeyAt + EphemeralKey.length
    static let length = macAt + macLength
  }

  enum Refusal {
    static let reasonAt = 5
    static let versionsAt = 6
    static let length = 8
  }

  /// Whether `input`, or as much of it as has come, begins as our messages do.
  static func beginsAsOurs(_ input: RawSpan) -> Bool {
    for index in 0..<min(magicLength, input.byteCount) where input.byte(at: index) != magic.utf8Start[index] { return false }
    return true
  }

  /// The two version bytes at `offset`; nil if they are no range.
  static func versions(_ input: RawSpan, at offset: Int) -> ClosedRange<UInt8>? {
    let (lowest, highest) = (input.byte(at: offset), input.byte(at: offset + 1))
    return lowest <= highest ? lowest...highest : nil
  }

  /// Appends what tells the other side why; nobody vouches for it, so it may do no more than end this one attempt.
  /// Who is not one of ours is told nothing.
  static func append(_ refusal: LinkRefusal, versions: ClosedRange<UInt8>, to buffer: inout ByteBuffer) {
    guard let reason = refusal.reason else { return }
    buffer.append(magic)
    buffer.append(Kind.refusal.rawValue)
    buffer.append(reason)
    buffer.append(versions.lowerBound)
    buffer.append(versions.upperBound)
  }

  /// What the other side refused with.
  static func refusal(_ input: RawSpan, ours: ClosedRange<UInt8>, key: SealKeyID) -> LinkRefusal {
    guard let theirs = versions(input, at: Refusal.versionsAt) else { return .malformed }
    switch input.byte(at: Refusal.reasonAt) {
    case 1 where !ours.overlaps(theirs): return .unsupportedVersion(ours: ours, theirs: theirs)
    case 2: return .unknownKey(key)
    case 3: return .badMAC
    default: return .malformed
    }
  }
}

extension LinkRefusal {
  fileprivate var reason: UInt8? {
    switch self {
    case .notOurs: nil
    case .unsupportedVersion: 1
    case .unknownKey: 2
    case .badMAC: 3
    case .malformed: 4
    }
  }
}
