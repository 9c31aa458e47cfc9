/// Walks a header field's value by the grammar that extension and protocol lists share (RFC 9110 section 5.6).
struct FieldScanner {
  private let bytes: UnsafeRawBufferPointer
  private var at = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var isAtEnd: Bool { at >= bytes.count }

  var isAtComma: Bool { at < bytes.count && bytes[at] == UInt8(ascii: ",") }

  mutating func skipSpace() {
    while at < bytes.count, bytes[at] == UInt8(ascii: " ") || bytes[at] == UInt8(ascii: "\t") { at += 1 }
  }

  /// Takes `byte`, and the space around it, when it comes next.
  mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    guard at < bytes.count, bytes[at] == byte else { return false }
    at += 1
    skipSpace()
    return true
  }

  /// The next token; empty when there is none.
  mutating func token() -> UnsafeRawBufferPointer {
    let start = at
    while at < bytes.count, FieldScanner.isTokenByte(bytes[at]) { at += 1 }
    return UnsafeRawBufferPointer(rebasing: bytes[start..<at])
  }

  /// The next token, in quotes or not; nil when it is neither. Quoting with a backslash serves no token and is refused.
  mutating func tokenOrQuoted() -> UnsafeRawBufferPointer? {
    let isQuoted = at < bytes.count && bytes[at] == UInt8(ascii: "\"")
    if isQuoted { at += 1 }
    let found = token()
    if isQuoted {
      guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { return nil }
      at += 1
    }
    return found.isEmpty ? nil : found
  }

  /// Moves behind the next comma that is not in quotes.
  mutating func skipElement() {
    var isQuoted = false
    while at < bytes.count {
      let byte = bytes[at]
      at += 1
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      if isQuoted, byte == UInt8(ascii: "\\") { at += 1 }
      if !isQuoted, byte == UInt8(ascii: ",") { return }
    }
  }

  static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      return true
    case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"), UInt8(ascii: "'"),
      UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "_"),
      UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
      return true
    default:
      return false
    }
  }
}

/// Whether `bytes` spell `word`, byte for byte.
func spells(_ bytes: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
  guard bytes.count == word.utf8CodeUnitCount else { return false }
  return bytes.indices.allSatisfy { bytes[$0] == word.utf8Start[$0] }
}

/// Whether `bytes` spell `word`, which is in lower case, in any case.
func spellsIgnoringCase(_ bytes: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
  guard bytes.count == word.utf8CodeUnitCount else { return false }
  return bytes.indices.allSatisfy { index in
    let byte = bytes[index]
    let lower = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    return lower == word.utf8Start[index]
  }
}
