import Core

/// The line before a chunk: its size, and extensions, which are judged and dropped.
struct ChunkSizeLine {
  let size: Int
  /// Bytes between the size and the line end.
  let extensionBytes: Int
  /// Where the chunk begins.
  let end: Int

  /// More digits than any size has.
  static let maximumDigits = 16

  /// Reads the line that begins at `start`; nil while it has not ended. Refuses at the first wrong byte.
  static func read(_ input: RawSpan, from start: Int, limit: Int) throws(HTTPDecodeFailure) -> ChunkSizeLine? {
    var size: UInt64 = 0
    var at = start
    while at < input.byteCount, let digit = input.byte(at: at).hexadecimalValue {
      guard at - start < maximumDigits else { throw .malformedChunkSize }
      size = size << 4 | UInt64(digit)
      at += 1
    }
    guard at < input.byteCount else { return nil }
    guard at > start else { throw fault(input.byte(at: at), .malformedChunkSize) }
    guard let size = Int(exactly: size) else { throw .malformedChunkSize }
    let sizeEnd = at
    var grammar = ExtensionGrammar.afterSize
    while input.byte(at: at) != .carriageReturn || grammar.isInsideQuotes {
      guard let next = grammar.after(input.byte(at: at)) else {
        throw fault(input.byte(at: at), at == sizeEnd ? .malformedChunkSize : .malformedChunkExtension)
      }
      grammar = next
      at += 1
      guard at - start < limit else { throw .chunkLineTooLong }
      guard at < input.byteCount else { return nil }
    }
    guard grammar.mayEnd else { throw .malformedChunkExtension }
    guard at + 1 < input.byteCount else { return nil }
    guard input.byte(at: at + 1) == .lineFeed else { throw .bareCarriageReturn }
    return ChunkSizeLine(size: size, extensionBytes: at - sizeEnd, end: at + 2)
  }

  private static func fault(_ byte: UInt8, _ otherwise: HTTPDecodeFailure) -> HTTPDecodeFailure {
    switch byte {
    case .lineFeed: .bareLineFeed
    default: otherwise
    }
  }
}

/// Where in `*( BWS ";" BWS name [ BWS "=" BWS value ] )` a line stands.
private enum ExtensionGrammar {
  case afterSize, blankBeforeSemicolon, beforeName, name, blankAfterName, beforeValue, token, quoted, escaped, afterQuoted

  var mayEnd: Bool {
    switch self {
    case .afterSize, .name, .token, .afterQuoted: true
    case .blankBeforeSemicolon, .beforeName, .blankAfterName, .beforeValue, .quoted, .escaped: false
    }
  }

  var isInsideQuotes: Bool { self == .quoted || self == .escaped }

  /// The place after one more byte; nil when the byte may not stand here.
  func after(_ byte: UInt8) -> ExtensionGrammar? {
    switch self {
    case .afterSize, .blankBeforeSemicolon, .afterQuoted: return separator(byte, blank: .blankBeforeSemicolon)
    case .beforeName:
      if byte.isBlank { return .beforeName }
      return CharacterClass.token.contains(byte) ? .name : nil
    case .name:
      if CharacterClass.token.contains(byte) { return .name }
      return byte == UInt8(ascii: "=") ? .beforeValue : separator(byte, blank: .blankAfterName)
    case .blankAfterName:
      return byte == UInt8(ascii: "=") ? .beforeValue : separator(byte, blank: .blankAfterName)
    case .beforeValue:
      if byte.isBlank { return .beforeValue }
      if byte == UInt8(ascii: "\"") { return .quoted }
      return CharacterClass.token.contains(byte) ? .token : nil
    case .token: return CharacterClass.token.contains(byte) ? .token : separator(byte, blank: .blankBeforeSemicolon)
    case .quoted:
      if byte == UInt8(ascii: "\"") { return .afterQuoted }
      if byte == UInt8(ascii: "\\") { return .escaped }
      return ExtensionGrammar.isText(byte) ? .quoted : nil
    case .escaped: return ExtensionGrammar.isText(byte) ? .quoted : nil
    }
  }

  private func separator(_ byte: UInt8, blank: ExtensionGrammar) -> ExtensionGrammar? {
    if byte == UInt8(ascii: ";") { return .beforeName }
    return byte.isBlank ? blank : nil
  }

  private static func isText(_ byte: UInt8) -> Bool { byte == .tab || (byte >= 0x20 && byte != 0x7f) }
}
