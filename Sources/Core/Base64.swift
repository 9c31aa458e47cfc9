/// RFC 4648 base64, strict: no white space, and the one spelling of each value only (unused bits are zero).
public enum Base64 {
  public enum Variant: Sendable {
    /// `+` and `/`; padding is required.
    case standard
    /// `-` and `_`; padding may be left out, but not be wrong.
    case urlSafe
  }

  /// How many characters `count` bytes become in the standard variant.
  @inlinable public static func encodedLength(_ count: Int) -> Int { (count + 2) / 3 * 4 }

  /// Appends `bytes` in the standard alphabet with padding.
  public static func append(encoded bytes: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
    guard let source = bytes.baseAddress, bytes.count > 0 else { return }
    let letters = standardAlphabet.utf8Start
    let length = encodedLength(bytes.count)
    var out = buffer.reserve(length)
    @inline(__always) func put(_ group: UInt32, _ index: Int) {
      let sextet = Int(group >> UInt32(18 - 6 * index)) & 63
      out.storeBytes(of: letters[sextet], toByteOffset: index, as: UInt8.self)
    }
    @inline(__always) func octet(_ offset: Int) -> UInt32 { UInt32(source.load(fromByteOffset: offset, as: UInt8.self)) }
    var at = 0
    while bytes.count - at >= 3 {
      let group = octet(at) << 16 | octet(at + 1) << 8 | octet(at + 2)
      put(group, 0)
      put(group, 1)
      put(group, 2)
      put(group, 3)
      out += 4
      at += 3
    }
    let left = bytes.count - at
    if left > 0 {
      let group = octet(at) << 16 | (left == 2 ? octet(at + 1) << 8 : 0)
      put(group, 0)
      put(group, 1)
      if left == 2 { put(group, 2) } else { out.storeBytes(of: padding, toByteOffset: 2, as: UInt8.self) }
      out.storeBytes(of: padding, toByteOffset: 3, as: UInt8.self)
    }
    buffer.advance(length)
  }

  /// Appends what `text` stands for, or appends nothing and returns false when it is not base64.
  public static func append(
    decoded text: UnsafeRawBufferPointer, variant: Variant = .standard, into buffer: inout ByteBuffer
  ) -> Bool {
    var digits = text.count
    while digits > 0, text.count - digits < 2, text[digits - 1] == padding { digits -= 1 }
    let isPadded = digits < text.count
    guard digits % 4 != 1 else { return false }
    guard text.count % 4 == 0 || (variant == .urlSafe && !isPadded) else { return false }
    guard digits > 0 else { return text.isEmpty }

    let length = digits * 3 / 4
    let start = buffer.reserve(length)
    var written = 0
    var group: UInt32 = 0
    var bits = 0
    for index in 0..<digits {
      guard let sextet = value(of: text[index], variant) else { return false }
      group = group << 6 | sextet
      bits += 6
      if bits >= 8 {
        bits -= 8
        start.storeBytes(of: UInt8(truncatingIfNeeded: group >> UInt32(bits)), toByteOffset: written, as: UInt8.self)
        written += 1
      }
    }
    guard group & (1 << UInt32(bits) - 1) == 0 else { return false }
    buffer.advance(written)
    return true
  }

  private static var standardAlphabet: StaticString { "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" }
  private static var padding: UInt8 { UInt8(ascii: "=") }

  @inline(__always) private static func value(of letter: UInt8, _ variant: Variant) -> UInt32? {
    switch letter {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): return UInt32(letter - UInt8(ascii: "A"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): return UInt32(letter - UInt8(ascii: "a")) + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): return UInt32(letter - UInt8(ascii: "0")) + 52
    case UInt8(ascii: "+"): return variant == .standard ? 62 : nil
    case UInt8(ascii: "/"): return variant == .standard ? 63 : nil
    case UInt8(ascii: "-"): return variant == .urlSafe ? 62 : nil
    case UInt8(ascii: "_"): return variant == .urlSafe ? 63 : nil
    default: return nil
    }
  }
}
