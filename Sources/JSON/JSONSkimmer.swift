internal import Core

/// Walks over JSON without building anything: every reader of this module that is strict stands on it.
///
/// One pass, no recursion (the open brackets are a stack of bits), no allocation unless something is wrong.
/// UTF-8 is checked, so that what was accepted may be sent on in a text frame. Surrogate escapes are left to
/// whoever decodes the string: the grammar allows lone ones.
enum JSONSkimmer {
  /// The end of the value that begins at `start`, which must not be white space. `depth` is how many
  /// objects and arrays already surround it.
  static func value(_ bytes: RawSpan, from start: Int, depth surrounding: Int = 0) throws(JSONError) -> Int {
    let count = bytes.byteCount
    var at = start
    var depth = 0
    // One bit for each open bracket, the innermost lowest: 1 for an object, 0 for an array.
    var objects: UInt128 = 0
    precondition(JSONLimits.maximumDepth <= UInt128.bitWidth, "the stack of brackets has a bit for every level")

    value: while true {
      guard at < count else { throw end(bytes, depth: depth, inObject: objects & 1 == 1) }
      switch bytes.byte(at: at) {
      case UInt8(ascii: "\""):
        at = try string(bytes, from: at).end
      case UInt8(ascii: "{"):
        guard depth + surrounding < JSONLimits.maximumDepth else { throw JSONError(.tooDeep, in: bytes, at: at) }
        at = space(bytes, from: at + 1)
        if at < count, bytes.byte(at: at) == UInt8(ascii: "}") {
          at += 1
        } else {
          depth += 1
          objects = objects << 1 | 1
          at = try name(bytes, from: at, expecting: .expectedNameOrBrace).value
          continue value
        }
      case UInt8(ascii: "["):
        guard depth + surrounding < JSONLimits.maximumDepth else { throw JSONError(.tooDeep, in: bytes, at: at) }
        at = space(bytes, from: at + 1)
        if at < count, bytes.byte(at: at) == UInt8(ascii: "]") {
          at += 1
        } else {
          depth += 1
          objects = objects << 1
          continue value
        }
      case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): at = try number(bytes, from: at)
      case UInt8(ascii: "t"): at = try literal("true", bytes, from: at)
      case UInt8(ascii: "f"): at = try literal("false", bytes, from: at)
      case UInt8(ascii: "n"): at = try literal("null", bytes, from: at)
      default: throw JSONError(.expectedValue, in: bytes, at: at)
      }

      while depth > 0 {
        at = space(bytes, from: at)
        let inObject = objects & 1 == 1
        guard at < count else { throw end(bytes, depth: depth, inObject: inObject) }
        switch (bytes.byte(at: at), inObject) {
        case (UInt8(ascii: ","), true):
          at = try name(bytes, from: space(bytes, from: at + 1), expecting: .expectedName).value
          continue value
        case (UInt8(ascii: ","), false):
          at = space(bytes, from: at + 1)
          if at < count, bytes.byte(at: at) == UInt8(ascii: "]") { throw JSONError(.commaWithoutValue, in: bytes, at: at) }
          continue value
        case (UInt8(ascii: "}"), true), (UInt8(ascii: "]"), false):
          at += 1
          depth -= 1
          objects >>= 1
        case (_, true): throw JSONError(.expectedCommaOrBrace, in: bytes, at: at)
        case (_, false): throw JSONError(.expectedCommaOrBracket, in: bytes, at: at)
        }
      }
      return at
    }
  }

  /// The first byte at or after `start` that is not white space.
  @inline(__always) static func space(_ bytes: RawSpan, from start: Int) -> Int {
    var at = start
    let count = bytes.byteCount
    while at < count {
      let byte = bytes.byte(at: at)
      guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { break }
      at &+= 1
    }
    return at
  }

  struct Name {
    /// The name without its quotes, escapes as they stand.
    var content: Range<Int>
    var isEscaped: Bool
    /// Where the value begins.
    var value: Int
  }

  /// A member's name and its colon.
  static func name(_ bytes: RawSpan, from start: Int, expecting: JSONError.Reason) throws(JSONError) -> Name {
    guard start < bytes.byteCount else { throw JSONError(.endInsideObject, in: bytes, at: start) }
    guard bytes.byte(at: start) == UInt8(ascii: "\"") else { throw JSONError(expecting, in: bytes, at: start) }
    let text = try string(bytes, from: start)
    let colon = space(bytes, from: text.end)
    guard colon < bytes.byteCount else { throw JSONError(.endInsideObject, in: bytes, at: colon) }
    guard bytes.byte(at: colon) == UInt8(ascii: ":") else { throw JSONError(.expectedColon, in: bytes, at: colon) }
    return Name(
      content: start + 1..<text.end - 1, isEscaped: text.isEscaped, value: space(bytes, from: colon + 1))
  }

  static func literal(_ word: StaticString, _ bytes: RawSpan, from start: Int) throws(JSONError) -> Int {
    let length = word.utf8CodeUnitCount
    guard start + length <= bytes.byteCount else { throw JSONError(.expectedValue, in: bytes, at: start) }
    for place in 0..<length where bytes.byte(at: start + place) != word.utf8Start[place] {
      throw JSONError(.expectedValue, in: bytes, at: start)
    }
    return start + length
  }

  static func number(_ bytes: RawSpan, from start: Int) throws(JSONError) -> Int {
    var at = start
    if bytes.byte(at: at) == UInt8(ascii: "-") { at += 1 }
    let first = at
    at = try digits(bytes, from: at)
    if bytes.byte(at: first) == UInt8(ascii: "0"), at > first + 1 { throw JSONError(.leadingZero, in: bytes, at: first) }
    if at < bytes.byteCount, bytes.byte(at: at) == UInt8(ascii: ".") { at = try digits(bytes, from: at + 1) }
    if at < bytes.byteCount, bytes.byte(at: at) | 0x20 == UInt8(ascii: "e") {
      at += 1
      if at < bytes.byteCount, bytes.byte(at: at) == UInt8(ascii: "+") || bytes.byte(at: at) == UInt8(ascii: "-") { at += 1 }
      at = try digits(bytes, from: at)
    }
    return at
  }

  /// The end of a run of at least one digit.
  private static func digits(_ bytes: RawSpan, from start: Int) throws(JSONError) -> Int {
    var at = start
    while at < bytes.byteCount, bytes.byte(at: at).isDigit { at &+= 1 }
    guard at > start else { throw JSONError(.expectedDigit, in: bytes, at: at) }
    return at
  }

  private static func end(_ bytes: RawSpan, depth: Int, inObject: Bool) -> JSONError {
    let reason: JSONError.Reason = depth == 0 ? .empty : inObject ? .endInsideObject : .endInsideArray
    return JSONError(reason, in: bytes, at: bytes.byteCount)
  }
}
