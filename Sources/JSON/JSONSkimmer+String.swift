internal import Core

extension JSONSkimmer {
  /// The end of the string whose opening quote stands at `start`, and whether it has escapes.
  static func string(_ bytes: RawSpan, from start: Int) throws(JSONError) -> (end: Int, isEscaped: Bool) {
    let count = bytes.byteCount
    var at = start + 1
    var isEscaped = false
    while true {
      while at &+ 8 <= count {
        let special = JSONWord.special(in: bytes, at: at)
        if special != 0 {
          at &+= special.trailingZeroBitCount &>> 3
          break
        }
        at &+= 8
      }
      guard at < count else { throw JSONError(.endInsideString, in: bytes, at: count) }
      switch bytes.byte(at: at) {
      case UInt8(ascii: "\""): return (at + 1, isEscaped)
      case UInt8(ascii: "\\"):
        isEscaped = true
        at = try escape(bytes, from: at)
      case 0..<0x20: throw JSONError(.controlCharacter, in: bytes, at: at)
      case 0x80...:
        repeat {
          at &+= try scalarLength(bytes, at: at)
        } while at < count && bytes.byte(at: at) >= 0x80
      default: at &+= 1
      }
    }
  }

  private static func escape(_ bytes: RawSpan, from start: Int) throws(JSONError) -> Int {
    guard start + 1 < bytes.byteCount else { throw JSONError(.endInsideString, in: bytes, at: bytes.byteCount) }
    switch bytes.byte(at: start + 1) {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      return start + 2
    case UInt8(ascii: "u"):
      for place in start + 2..<start + 6 {
        guard place < bytes.byteCount else { throw JSONError(.endInsideString, in: bytes, at: bytes.byteCount) }
        guard bytes.byte(at: place).isHexadecimalDigit else { throw JSONError(.invalidUnicodeEscape, in: bytes, at: start) }
      }
      return start + 6
    default: throw JSONError(.invalidEscape, in: bytes, at: start)
    }
  }

  /// How many bytes the well-formed UTF-8 sequence at `at` has, which begins with a byte beyond ASCII.
  static func scalarLength(_ bytes: RawSpan, at start: Int) throws(JSONError) -> Int {
    let length: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch bytes.byte(at: start) {
    case 0xC2...0xDF: length = 2
    case 0xE0: (length, second) = (3, 0xA0...0xBF)
    case 0xED: (length, second) = (3, 0x80...0x9F)
    case 0xE1...0xEF: length = 3
    case 0xF0: (length, second) = (4, 0x90...0xBF)
    case 0xF1...0xF3: length = 4
    case 0xF4: (length, second) = (4, 0x80...0x8F)
    default: throw JSONError(.invalidUTF8, in: bytes, at: start)
    }
    guard start + length <= bytes.byteCount, second.contains(bytes.byte(at: start + 1)) else {
      throw JSONError(.invalidUTF8, in: bytes, at: start)
    }
    for place in start + 2..<max(start + 2, start + length) where bytes.byte(at: place) & 0xC0 != 0x80 {
      throw JSONError(.invalidUTF8, in: bytes, at: start)
    }
    return length
  }
}

/// Eight bytes of a string looked at together.
enum JSONWord {
  private static let ones: UInt64 = 0x0101_0101_0101_0101
  private static let highs: UInt64 = 0x8080_8080_8080_8080

  /// A word whose lowest set bit is the high bit of the first byte, in memory order, that is a quote, a
  /// backslash, a control character or beyond ASCII; 0 when there is none.
  @inline(__always) static func special(in bytes: RawSpan, at offset: Int) -> UInt64 {
    let word = UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    return word & highs | escapes(in: word)
  }

  /// The same for what a writer must escape: bytes beyond ASCII pass.
  @inline(__always) static func escapes(in word: UInt64) -> UInt64 {
    let quotes = word ^ (ones &* 0x22)
    let backslashes = word ^ (ones &* 0x5C)
    let controls = (word &- ones &* 0x20) & ~word
    // A borrow can only mark a byte above one that is truly marked, so the lowest mark is always true.
    return (controls | (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes) & highs
  }
}
