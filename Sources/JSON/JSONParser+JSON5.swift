internal import Core

/// What JSON5 writes differently.
extension JSONParser {
  @_lifetime(self: copy self)
  mutating func skipSpaceAndComments() throws(JSONError) {
    while at < count {
      switch byte {
      case 0x09...0x0D, 0x20: at += 1
      case UInt8(ascii: "/"):
        guard at + 1 < count else { return }
        switch bytes.byte(at: at + 1) {
        case UInt8(ascii: "/"): skipLine()
        case UInt8(ascii: "*"): try skipBlockComment()
        default: return
        }
      case 0x80...:
        let scalar = try scalar()
        guard JSONParser.isSpace(scalar.value) else { return }
        at += scalar.length
      default: return
      }
    }
  }

  @_lifetime(self: copy self)
  private mutating func skipLine() {
    while at < count, byte != 0x0A, byte != 0x0D { at += 1 }
  }

  @_lifetime(self: copy self)
  private mutating func skipBlockComment() throws(JSONError) {
    let start = at
    at += 2
    while at + 1 < count {
      if byte == UInt8(ascii: "*"), bytes.byte(at: at + 1) == UInt8(ascii: "/") {
        at += 2
        return
      }
      at += 1
    }
    throw failure(.endInsideComment, at: start)
  }

  /// The no-break space, the byte order mark, the line and paragraph separators and Unicode's space separators.
  private static func isSpace(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0xA0, 0xFEFF, 0x2028, 0x2029, 0x1680, 0x2000...0x200A, 0x202F, 0x205F, 0x3000: true
    default: false
    }
  }

  /// The scalar at `at`, which begins with a byte beyond ASCII.
  private func scalar() throws(JSONError) -> (value: UInt32, length: Int) {
    let length = try JSONSkimmer.scalarLength(bytes, at: at)
    var value = UInt32(byte) & (0x7F >> UInt32(length))
    for place in at + 1..<at + length { value = value << 6 | UInt32(bytes.byte(at: place) & 0x3F) }
    return (value, length)
  }

  @_lifetime(self: copy self)
  mutating func nameWithOrWithoutQuotes(elseExpected reason: JSONError.Reason) throws(JSONError) -> String {
    if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") { return try looseString() }
    guard !byte.isDigit else { throw failure(.nameNeedsQuotes, at: at) }
    let start = at
    while at < count {
      if byte >= 0x80 {
        let scalar = try scalar()
        guard !JSONParser.isSpace(scalar.value) else { break }
        at += scalar.length
      } else if JSONParser.isNameByte(byte) {
        at += 1
      } else {
        break
      }
    }
    guard at > start else { throw failure(reason, at: start) }
    return bytes.text(start..<at)
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte | 0x20 {
    case UInt8(ascii: "a")...UInt8(ascii: "z"): true
    default: byte.isDigit || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "$")
    }
  }

  /// `max-message: 1` is the usual mistake: the name would be fine in quotes.
  var reasonForMissingColon: JSONError.Reason {
    let breaksName = byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "/")
    return dialect == .json5 && breaksName ? .nameNeedsQuotes : .expectedColon
  }

  @_lifetime(self: copy self)
  mutating func looseString() throws(JSONError) -> String {
    let quote = byte
    at += 1
    var text = ByteBuffer()
    while at < count {
      switch byte {
      case quote:
        at += 1
        return text.bytes.text(0..<text.count)
      case UInt8(ascii: "\\"): try decodeLooseEscape(into: &text)
      case 0x0A, 0x0D: throw failure(.controlCharacter, at: at)
      case 0x80...:
        let length = try JSONSkimmer.scalarLength(bytes, at: at)
        text.append(bytes.extracting(at..<at + length))
        at += length
      default:
        text.append(byte)
        at += 1
      }
    }
    throw failure(.endInsideString, at: at)
  }

  @_lifetime(self: copy self)
  private mutating func decodeLooseEscape(into text: inout ByteBuffer) throws(JSONError) {
    let start = at
    at += 1
    guard at < count else { throw failure(.endInsideString, at: at) }
    let escaped = byte
    at += 1
    switch escaped {
    case UInt8(ascii: "b"): text.append(0x08 as UInt8)
    case UInt8(ascii: "f"): text.append(0x0C as UInt8)
    case UInt8(ascii: "n"): text.append(0x0A as UInt8)
    case UInt8(ascii: "r"): text.append(0x0D as UInt8)
    case UInt8(ascii: "t"): text.append(0x09 as UInt8)
    case UInt8(ascii: "v"): text.append(0x0B as UInt8)
    case UInt8(ascii: "0"):
      guard !byte.isDigit else { throw failure(.invalidEscape, at: start) }
      text.append(0 as UInt8)
    case UInt8(ascii: "1")...UInt8(ascii: "9"): throw failure(.invalidEscape, at: start)
    case UInt8(ascii: "x"):
      try requireHexadecimal(2, orElse: .invalidEscape, at: start)
      text.append(scalar: JSONText.hexadecimal(bytes, at..<at + 2))
      at += 2
    case UInt8(ascii: "u"):
      try requireHexadecimal(4, orElse: .invalidUnicodeEscape, at: start)
      if at + 6 <= count, bytes.byte(at: at + 4) == UInt8(ascii: "\\"), bytes.byte(at: at + 5) == UInt8(ascii: "u"),
        JSONText.hexadecimal(bytes, at..<at + 4) & 0xFC00 == 0xD800
      {
        let first = at
        at += 6
        try requireHexadecimal(4, orElse: .invalidUnicodeEscape, at: first + 4)
      }
      let scalar = try JSONText.unicodeEscape(bytes, from: start, until: count)
      text.append(scalar: scalar.value)
      at = scalar.end
    case 0x0D: if byte == 0x0A { at += 1 }
    case 0x0A: break
    case 0x80...:
      at -= 1
      let scalar = try scalar()
      if scalar.value != 0x2028, scalar.value != 0x2029 { text.append(scalar: scalar.value) }
      at += scalar.length
    default: text.append(escaped)
    }
  }

  private func requireHexadecimal(_ digits: Int, orElse reason: JSONError.Reason, at start: Int) throws(JSONError) {
    guard at + digits <= count else { throw failure(.endInsideString, at: count) }
    for place in at..<at + digits where !bytes.byte(at: place).isHexadecimalDigit { throw failure(reason, at: start) }
  }

  @_lifetime(self: copy self)
  mutating func skipLooseNumber() throws(JSONError) {
    let start = at
    if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { at += 1 }
    switch byte {
    case UInt8(ascii: "I"): at = try JSONSkimmer.literal("Infinity", bytes, from: at)
    case UInt8(ascii: "N"): at = try JSONSkimmer.literal("NaN", bytes, from: at)
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."): try skipLooseDigits()
    default: throw failure(at == start ? .expectedValue : .expectedDigit, at: at)
    }
  }

  @_lifetime(self: copy self)
  private mutating func skipLooseDigits() throws(JSONError) {
    let start = at
    if byte == UInt8(ascii: "0"), at + 1 < count, bytes.byte(at: at + 1) | 0x20 == UInt8(ascii: "x") {
      at += 2
      let first = at
      while byte.isHexadecimalDigit { at += 1 }
      guard at > first else { throw failure(.expectedDigit, at: at) }
      return
    }
    while byte.isDigit { at += 1 }
    var digits = at - start
    if digits > 1, bytes.byte(at: start) == UInt8(ascii: "0") { throw failure(.leadingZero, at: start) }
    if byte == UInt8(ascii: ".") {
      at += 1
      let first = at
      while byte.isDigit { at += 1 }
      digits += at - first
    }
    guard digits > 0 else { throw failure(.expectedDigit, at: at) }
    guard byte | 0x20 == UInt8(ascii: "e") else { return }
    at += 1
    if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { at += 1 }
    guard byte.isDigit else { throw failure(.expectedDigit, at: at) }
    while byte.isDigit { at += 1 }
  }
}
