import Core
public import Gossip

/// What the members of a cluster share, and strangers do not: the parsed text of a `--cluster-secret-file`.
///
/// Each line that is not empty and does not begin with `#` is one secret. The first is used for sending, all of them for
/// receiving. So a secret is changed without a pause: add the new one as the second line on every node, then move it to
/// the front on every node, then take the old one away.
///
/// The secrets themselves are forgotten as soon as keys are made of them.
public struct ClusterSecret: Sendable, CustomStringConvertible, CustomReflectable {
  /// In bytes. What people type has little chance in it, so this is far from generous.
  public static let shortest = 16
  /// In bytes.
  public static let longest = 1024
  /// How many secrets a cluster may be between.
  public static let most = 8

  /// The first is used for sending.
  public let keys: [ClusterKey]

  public var sending: ClusterKey { keys[0] }
  public var ids: [SealKeyID] { keys.map(\.id) }

  public init(parsing text: RawSpan) throws(ClusterSecretFailure) {
    var found: [(line: Int, range: Range<Int>)] = []
    var keys: [ClusterKey] = []
    var lines = SecretLines(text)
    while let (line, range) = lines.next() {
      for index in range where text.byte(at: index) < 0x20 || text.byte(at: index) == 0x7f {
        throw .notText(line: line)
      }
      guard range.count >= ClusterSecret.shortest else { throw .tooShort(line: line, bytes: range.count) }
      guard range.count <= ClusterSecret.longest else { throw .tooLong(line: line, bytes: range.count) }
      for other in found where isSame(text.extracting(range), text.extracting(other.range)) {
        throw .repeated(line: line, first: other.line)
      }
      guard keys.count < ClusterSecret.most else { throw .tooMany(line: line) }
      let key = ClusterKey(text.extracting(range))
      if let same = keys.firstIndex(where: { $0.id == key.id }) {
        throw .sameKeyID(line: line, first: found[same].line)
      }
      found.append((line, range))
      keys.append(key)
    }
    guard !keys.isEmpty else { throw .empty }
    self.keys = keys
  }

  public var description: String {
    let others = keys.dropFirst().map { ", \($0.id.hexadecimal)" }.joined()
    return "sending with key \(sending.id.hexadecimal)\(others.isEmpty ? "" : ", receiving with\(others.dropFirst()) too")"
  }
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// The keys made of one of the cluster's secrets.
public struct ClusterKey: Sendable, CustomStringConvertible, CustomReflectable {
  /// Tells a receiver which of its keys to use; it is sent in the clear.
  public let id: SealKeyID
  let gossip: SealKey
  /// What two nodes prove to each other that they have when one dials the other.
  let link: SealKey

  init(_ secret: RawSpan) {
    let master = HKDF.extract(salt: RawSpan(), input: secret)
    gossip = HKDF.key(master, "tidings gossip v1 key")
    link = HKDF.key(master, "tidings link v1")
    let name = HKDF.key(master, "tidings gossip v1 id")
    id = SealKeyID(UInt32(littleEndian: unsafe name.bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt32.self)))
  }

  public var description: String { "key \(id.hexadecimal)" }
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension SealKeyID {
  /// Eight digits, as logs and messages show it.
  public var hexadecimal: String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}

/// Finds the lines that hold a secret. Blanks around them are no part of them: nobody sees them in an editor.
private struct SecretLines: ~Escapable {
  private let text: RawSpan
  private var at = 0
  private var line = 0

  @_lifetime(copy text)
  init(_ text: RawSpan) {
    self.text = text
    // Some editors put this in front of UTF-8 without showing it.
    let mark: [UInt8] = [0xef, 0xbb, 0xbf]
    if text.byteCount >= mark.count, mark.indices.allSatisfy({ text.byte(at: $0) == mark[$0] }) { at = mark.count }
  }

  @_lifetime(self: copy self)
  mutating func next() -> (line: Int, range: Range<Int>)? {
    while at < text.byteCount {
      var end = at
      while end < text.byteCount, text.byte(at: end) != UInt8(ascii: "\n") { end += 1 }
      var range = at..<end
      at = end + 1
      line += 1
      while let first = range.first, isBlank(text.byte(at: first)) { range.removeFirst() }
      while let last = range.last, isBlank(text.byte(at: last)) { range.removeLast() }
      guard let first = range.first, text.byte(at: first) != UInt8(ascii: "#") else { continue }
      return (line, range)
    }
    return nil
  }

  private func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
  }
}
