/// A set of ASCII characters as one bit each, so that a test of membership is a shift.
struct CharacterClass: Equatable {
  /// Characters 0 to 63.
  let low: UInt64
  /// Characters 64 to 127.
  let high: UInt64

  @inline(__always) func contains(_ byte: UInt8) -> Bool {
    let word = byte < 64 ? low : high
    return byte < 128 && (word >> UInt64(byte & 63)) & 1 != 0
  }

  /// Spelled out as numbers, because a set computed at start would be checked for at every use. A test derives them again.
  static let token = CharacterClass(low: 0x03ff_6cfa_0000_0000, high: 0x57ff_ffff_c7ff_fffe)
  /// Visible ASCII without `# " < > \ ?`. Wider than RFC 3986 (`{`, `|`, `^` are let in): people type them into topics.
  static let path = CharacterClass(low: 0x2fff_fff2_0000_0000, high: 0x7fff_ffff_efff_ffff)
  /// Visible ASCII without `# " < >`: what browsers leave bare in a query.
  static let query = CharacterClass(low: 0xafff_fff2_0000_0000, high: 0x7fff_ffff_ffff_ffff)
  /// A registered name or an IPv4 address; no comma, so that two hosts cannot pose as one.
  static let hostName = CharacterClass(low: 0x2bff_6ff2_0000_0000, high: 0x47ff_fffe_87ff_fffe)
  /// What stands between the brackets of an IPv6 address.
  static let addressLiteral = CharacterClass(low: 0x07ff_4000_0000_0000, high: 0x0000_007e_0000_007e)
  static let unreserved = CharacterClass(low: 0x03ff_6000_0000_0000, high: 0x47ff_fffe_87ff_fffe)
  /// What may stand bare in a path, slashes included.
  static let barePath = CharacterClass(low: 0x2fff_ffd2_0000_0000, high: 0x47ff_fffe_87ff_ffff)
}

extension UInt8 {
  static let tab = UInt8(ascii: "\t")
  static let lineFeed = UInt8(ascii: "\n")
  static let carriageReturn = UInt8(ascii: "\r")
  static let space = UInt8(ascii: " ")

  @inline(__always) var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }
  @inline(__always) var isBlank: Bool { self == .space || self == .tab }
  /// Letters in lower case; other characters that a token may hold are unchanged.
  @inline(__always) var folded: UInt8 { self &- UInt8(ascii: "A") < 26 ? self | 0x20 : self }

  /// The value of a hexadecimal digit.
  @inline(__always) var hexadecimalValue: UInt8? {
    if isDigit { return self &- UInt8(ascii: "0") }
    let letter = (self | 0x20) &- UInt8(ascii: "a")
    return letter < 6 ? letter + 10 : nil
  }
}
