import COpenSSL
import Core

/// A secret of 256 bits. It can be used, not looked at: nothing that describes it shows its bytes.
public struct SealKey: Sendable, CustomStringConvertible, CustomReflectable {
  static let length = 32

  private let words: InlineArray<32, UInt8>

  /// Takes a copy of the 32 bytes of `secret`.
  init(_ secret: RawSpan) {
    precondition(secret.byteCount == SealKey.length, "a key has 32 bytes")
    words = InlineArray { secret.byte(at: $0) }
  }

  /// Writes the 32 bytes that `fill` makes.
  init(filledBy fill: (UnsafeMutablePointer<UInt8>) -> Void) {
    var words = InlineArray<32, UInt8>(repeating: 0)
    withUnsafeMutableBytes(of: &words) { fill($0.baseAddress!.assumingMemoryBound(to: UInt8.self)) }
    self.words = words
  }

  var bytes: RawSpan {
    @_lifetime(borrow self) get { words.span.bytes }
  }

  public var description: String { "a key" }
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// Whether two secrets of one length are the same; takes as long whichever byte differs.
func isSame(_ one: RawSpan, _ other: RawSpan) -> Bool {
  guard one.byteCount == other.byteCount else { return false }
  return one.withUnsafeBytes { a in other.withUnsafeBytes { b in CRYPTO_memcmp(a.baseAddress, b.baseAddress, a.count) == 0 } }
}
