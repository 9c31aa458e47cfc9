import Core
import JSON
import Testing

@Suite("Strict JSON")
struct JSONValidatorTests {
  private func error(_ text: String) -> JSONError? {
    JSONValidator.validate(text.utf8.span.bytes)
  }

  @Test("every valid text is accepted, by the validator and by the tree", arguments: JSONTables.valid)
  func accepted(text: String) {
    #expect(error(text) == nil)
    // The tree also refuses what has no single meaning: lone surrogates and repeated names.
    if text != "\"\\ud800\"" && text != "{\"a\":1,\"\\u0061\":2}" {
      #expect(throws: Never.self) { try JSONValue(parsing: text) }
    }
  }

  @Test("every invalid text is refused at the same place by the validator and by the tree", arguments: JSONTables.invalid)
  func refused(text: String) {
    let found = error(text)
    #expect(found != nil)
    do {
      _ = try JSONValue(parsing: text)
      Issue.record("the tree accepted it")
    } catch {
      #expect(error == found)
    }
  }

  @Test("bytes that are not UTF-8 are refused where they begin", arguments: JSONTables.invalidUTF8)
  func invalidUTF8(sequence: [UInt8]) {
    for padding in 0..<10 {
      let prefix = [UInt8(ascii: "\"")] + Array(repeating: UInt8(ascii: "x"), count: padding)
      let text = Bytes(prefix + sequence + [UInt8(ascii: "\"")])
      let found = JSONValidator.validate(text.bytes)
      #expect(found?.reason == .invalidUTF8)
      #expect(found?.offset == prefix.count)
    }
  }

  @Test("every valid text cut short anywhere is refused, numbers aside")
  func cutShort() {
    for text in JSONTables.valid where text.first != "-" && text.first?.isNumber != true && text.utf8.count < 200 {
      let bytes = Bytes(text)
      let whole = text.utf8.count - text.reversed().prefix { $0.isWhitespace }.count
      for end in 0..<whole where text != " 1 " {
        let found = JSONValidator.validate(bytes.slice(0..<end).bytes)
        #expect(found != nil, "\(text) cut at \(end)")
      }
    }
  }

  @Test("a special byte is seen at every distance from the start of a string")
  func everyAlignment() {
    for distance in 0..<40 {
      let run = String(repeating: "a", count: distance)
      #expect(error("\"\(run)\"") == nil)
      #expect(error("\"\(run)\\n\(run)\"") == nil)
      #expect(error("\"\(run)é\(run)\"") == nil)
      #expect(error("\"\(run)\u{1}\(run)\"")?.offset == distance + 1)
      #expect(error("\"\(run)")?.reason == .endInsideString)
    }
  }

  static let places: [(String, JSONError.Reason, Int, Int, Int)] = [
    ("", .empty, 0, 1, 1),
    ("{\"a\":1 \"b\":2}", .expectedCommaOrBrace, 7, 1, 8),
    ("{\n  \"a\": 1\n  \"b\": 2\n}", .expectedCommaOrBrace, 13, 3, 3),
    ("[1,\r\n2,\r\n\r\n x]", .expectedValue, 12, 4, 2),
    ("[1,\r2,\r x]", .expectedValue, 8, 3, 2),
    ("[\"é日😀\" 1]", .expectedCommaOrBracket, 13, 1, 8),
    ("[1,2", .endInsideArray, 4, 1, 5),
    ("{\"a\":[1,2", .endInsideArray, 9, 1, 10),
    ("{\"a\":[1,2]", .endInsideObject, 10, 1, 11),
    ("{\"a\"\n1}", .expectedColon, 5, 2, 1),
    ("{\"a\":1,}", .expectedName, 7, 1, 8),
    ("{a:1}", .expectedNameOrBrace, 1, 1, 2),
    ("[1,]", .commaWithoutValue, 3, 1, 4),
    ("[01]", .leadingZero, 1, 1, 2),
    ("[1.]", .expectedDigit, 3, 1, 4),
    ("\"\\x\"", .invalidEscape, 1, 1, 2),
    ("\"ab\\u12x4\"", .invalidUnicodeEscape, 3, 1, 4),
    ("\"a\nb\"", .controlCharacter, 2, 1, 3),
    ("{}\n\n  x", .textAfterValue, 6, 3, 3),
  ]

  @Test("errors name the byte, the line and the column", arguments: places)
  func namesPlaces(text: String, reason: JSONError.Reason, offset: Int, line: Int, column: Int) {
    let found = error(text)
    #expect(found?.reason == reason)
    #expect(found?.offset == offset)
    #expect(found?.line == line)
    #expect(found?.column == column)
  }

  @Test("an error is a sentence with its place")
  func sentence() {
    #expect(error("{\n  \"a\": 1\n  \"b\": 2\n}")?.description == "line 3, column 3: expected ',' or '}' after a value")
  }

  @Test("depth is refused at the bracket that goes too far")
  func depth() {
    let found = error(String(repeating: "[", count: 500))
    #expect(found?.reason == .tooDeep)
    #expect(found?.offset == JSONLimits.maximumDepth)
  }
}
