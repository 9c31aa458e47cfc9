import Core

extension RawSpan {
  @inline(__always) func word(at offset: Int) -> UInt64 {
    UInt64(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  /// The first control character (tab included) in `from..<end`, or `end`. Eight bytes at a time.
  @inline(__always) func firstControl(from start: Int, to end: Int) -> Int {
    var at = start
    while at + 8 <= end {
      let word = word(at: at)
      let below = (word &- 0x2020_2020_2020_2020) & ~word
      let delete = word ^ 0x7f7f_7f7f_7f7f_7f7f
      // A borrow can raise a false flag only above a true one, and the lowest flag is the one that is used.
      let flags = (below | ((delete &- 0x0101_0101_0101_0101) & ~delete)) & 0x8080_8080_8080_8080
      if flags != 0 { return at + flags.trailingZeroBitCount / 8 }
      at += 8
    }
    while at < end, byte(at: at) >= 0x20, byte(at: at) != 0x7f { at += 1 }
    return at
  }

  /// The first byte in `from..<end` that is not in `set`, or `end`.
  @inline(__always) func first(notIn set: CharacterClass, from start: Int, to end: Int) -> Int {
    var at = start
    while at < end, set.contains(byte(at: at)) { at += 1 }
    return at
  }

  /// `range` without spaces and tabs at both ends.
  @inline(__always) func trimmed(_ range: Range<Int>) -> Range<Int> {
    var lower = range.lowerBound
    var upper = range.upperBound
    while lower < upper, byte(at: lower).isBlank { lower += 1 }
    while upper > lower, byte(at: upper - 1).isBlank { upper -= 1 }
    return lower..<upper
  }

  /// Whether the bytes of `range` are exactly `text`.
  @inline(__always) func equals(_ range: Range<Int>, _ text: StaticString) -> Bool {
    range.count == text.utf8CodeUnitCount && starts(with: text, at: range.lowerBound)
  }

  /// Whether the bytes at `offset`, which must be that many, are exactly `text`.
  @inline(__always) func starts(with text: StaticString, at offset: Int) -> Bool {
    var index = 0
    while index < text.utf8CodeUnitCount {
      if byte(at: offset + index) != text.utf8Start[index] { return false }
      index += 1
    }
    return true
  }

  /// Whether the bytes of `range` are `text`, letters of either case. `text` must be in lower case.
  @inline(__always) func equalsIgnoringCase(_ range: Range<Int>, _ text: StaticString) -> Bool {
    guard range.count == text.utf8CodeUnitCount else { return false }
    var index = 0
    while index < range.count {
      if byte(at: range.lowerBound + index).folded != text.utf8Start[index] { return false }
      index += 1
    }
    return true
  }

  /// The number written in `range`: digits alone, no leading zero (`0` aside), at most 18 of them.
  func decimal(_ range: Range<Int>) -> Int? {
    guard range.count > 0, range.count <= 18 else { return nil }
    guard range.count == 1 || byte(at: range.lowerBound) != UInt8(ascii: "0") else { return nil }
    var value = 0
    for at in range {
      guard byte(at: at).isDigit else { return nil }
      value = value &* 10 &+ Int(byte(at: at) &- UInt8(ascii: "0"))
    }
    return value
  }
}
