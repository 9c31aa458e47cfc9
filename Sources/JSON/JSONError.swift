internal import Core

/// What is wrong with a text that should be JSON, and where.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
  public let reason: Reason
  /// The offending byte's offset.
  public let offset: Int
  /// Counted from 1; a line ends with LF, CR or CR LF.
  public let line: Int
  /// Counted from 1 in Unicode scalars, as editors count.
  public let column: Int

  public enum Reason: Hashable, Sendable {
    case empty
    case endInsideString
    case endInsideObject
    case endInsideArray
    case endInsideComment
    case expectedValue
    case expectedNameOrBrace
    case expectedName
    case nameNeedsQuotes
    case expectedColon
    case expectedCommaOrBrace
    case expectedCommaOrBracket
    case commaWithoutValue
    case expectedDigit
    case leadingZero
    case invalidEscape
    case invalidUnicodeEscape
    case loneSurrogate
    case controlCharacter
    case invalidUTF8
    case tooDeep
    case textAfterValue
    case duplicateName(String)
    case expectedObject
    case expectedArray
    case expectedString
  }

  /// Finds the line and column of `offset` in `bytes`; linear in `offset`, so for failures only.
  @inline(never) init(_ reason: Reason, in bytes: RawSpan, at offset: Int) {
    var place = JSONPlace()
    place.advance(to: offset, in: bytes)
    self.reason = reason
    self.offset = offset
    line = place.line
    column = place.column
  }

  public var description: String { "line \(line), column \(column): \(sentence)" }

  /// The reason without the place.
  public var sentence: String {
    switch reason {
    case .empty: "expected a value, but the text is empty"
    case .endInsideString: "the text ends inside a string"
    case .endInsideObject: "the text ends inside an object"
    case .endInsideArray: "the text ends inside an array"
    case .endInsideComment: "the text ends inside a comment"
    case .expectedValue: "expected a value: an object, an array, a string, a number, true, false or null"
    case .expectedNameOrBrace: "expected a member name in quotes or '}'"
    case .expectedName: "expected a member name in quotes after ','"
    case .nameNeedsQuotes: "a member name with this character needs quotes"
    case .expectedColon: "expected ':' after a member name"
    case .expectedCommaOrBrace: "expected ',' or '}' after a value"
    case .expectedCommaOrBracket: "expected ',' or ']' after a value"
    case .commaWithoutValue: "expected a value after ','"
    case .expectedDigit: "expected a digit"
    case .leadingZero: "a number must not begin with 0 followed by another digit"
    case .invalidEscape: "a backslash in a string must be followed by one of \" \\ / b f n r t u"
    case .invalidUnicodeEscape: "\\u must be followed by four hexadecimal digits"
    case .loneSurrogate: "a surrogate escape stands without its other half"
    case .controlCharacter: "a control character in a string must be written as an escape"
    case .invalidUTF8: "the bytes are not valid UTF-8"
    case .tooDeep: "values are nested deeper than \(JSONLimits.maximumDepth) levels"
    case .textAfterValue: "expected nothing more after the value"
    case .duplicateName(let name): "the member “\(name)” appears twice in one object"
    case .expectedObject: "expected an object"
    case .expectedArray: "expected an array"
    case .expectedString: "expected a string"
    }
  }
}

public enum JSONLimits {
  /// How deep objects and arrays may be nested; deeper texts are made to exhaust stacks, not to say something.
  public static let maximumDepth = 128
}

/// A line and column that walks forward over a text.
struct JSONPlace {
  private(set) var offset = 0
  private(set) var line = 1
  private(set) var column = 1

  mutating func advance(to target: Int, in bytes: RawSpan) {
    let end = min(target, bytes.byteCount)
    while offset < end {
      let byte = bytes.byte(at: offset)
      offset += 1
      if byte == 0x0A || (byte == 0x0D && !(offset < bytes.byteCount && bytes.byte(at: offset) == 0x0A)) {
        line += 1
        column = 1
      } else if byte & 0xC0 != 0x80 {
        column += 1
      }
    }
  }
}
