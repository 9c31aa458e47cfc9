import Core
import JSON
import Testing

@Suite("The tree")
struct JSONValueTests {
  private func reason(_ text: String, as dialect: JSONDialect = .json) -> JSONError.Reason? {
    do {
      _ = try JSONValue(parsing: text, as: dialect)
      return nil
    } catch {
      return error.reason
    }
  }

  @Test("objects keep the order of their members, and every value its bytes and its line")
  func placesKept() throws {
    let text = "{\n  \"zeta\": [1, 2],\n  \"alpha\":\n    {\"x\": \"y\"}\n}"
    let value = try JSONValue(parsing: text)
    let members = try #require(value.object).members
    #expect(members.map(\.name) == ["zeta", "alpha"])
    #expect(members.map(\.nameLine) == [2, 3])
    #expect(members.map { $0.value.line } == [2, 4])
    let bytes = Bytes(text)
    #expect(bytes.slice(members[0].nameRange).text == "\"zeta\"")
    #expect(bytes.slice(members[0].value.range).text == "[1, 2]")
    #expect(bytes.slice(members[1].value.range).text == "{\"x\": \"y\"}")
    #expect(value["alpha"]?["x"]?.string == "y")
    #expect(value["nothing"] == nil)
  }

  @Test("strings are decoded, surrogate pairs joined")
  func strings() throws {
    let value = try JSONValue(parsing: #"["\"\\\/\b\f\n\r\t", "\u0041\u00e9\u65e5", "\uD83D\uDE00", "日 é", "\u0000"]"#)
    let texts = try #require(value.array).map(\.string)
    #expect(texts == ["\"\\/\u{8}\u{C}\n\r\t", "Aé日", "😀", "日 é", "\u{0}"])
  }

  @Test("lone surrogates have no text", arguments: [#""\ud800""#, #""\udc00""#, #""\ud800x""#, #""\ud800\u0041""#, #""\ud800\ud800""#, #""\ud83d\n""#])
  func loneSurrogates(text: String) {
    let found = JSONValidator.validate(text.utf8.span.bytes)
    #expect(found == nil)
    #expect(reason(text) == .loneSurrogate)
    #expect(reason(text, as: .json5) == .loneSurrogate)
  }

  @Test("numbers keep their text and become integers only when they are")
  func numbers() throws {
    let known: [(String, Int?, Double?)] = [
      ("0", 0, 0), ("-0", 0, -0.0), ("42", 42, 42), ("9223372036854775807", .max, 9_223_372_036_854_775_808), ("-9223372036854775808", .min, -9_223_372_036_854_775_808),
      ("9223372036854775808", nil, 9_223_372_036_854_775_808), ("1e3", 1000, 1000), ("2.0", 2, 2), ("1.5", nil, 1.5),
      ("1e999", nil, nil), ("1e300", nil, 1e300), ("5e-324", nil, .leastNonzeroMagnitude), ("0.1", nil, 0.1),
    ]
    for (text, integer, double) in known {
      let value = try JSONValue(parsing: text)
      #expect(value.number?.text == text)
      #expect(value.integer == integer, "\(text)")
      #expect(value.double == double, "\(text)")
    }
  }

  @Test("a name that appears twice is refused by name, however it is spelled, in both dialects")
  func duplicates() {
    #expect(reason(#"{"a":1,"b":2,"a":3}"#) == .duplicateName("a"))
    #expect(reason(#"{"a":1,"\u0061":3}"#) == .duplicateName("a"))
    #expect(reason("{a:1, 'a':2}", as: .json5) == .duplicateName("a"))
    #expect(reason(#"{"a":{"a":1},"b":{"a":1}}"#) == nil)
  }

  @Test("an object with very many members is read in reasonable time")
  func manyMembers() throws {
    let text = "{" + (0..<20_000).map { "\"k\($0)\":\($0)" }.joined(separator: ",") + "}"
    let value = try JSONValue(parsing: text)
    #expect(value["k19999"]?.integer == 19_999)
  }

  @Test("kinds say what they are")
  func kinds() throws {
    let value = try JSONValue(parsing: "[{}, [], \"\", 1, true, null]")
    #expect(value.array?.map(\.kind) == [.object, .array, .string, .number, .boolean, .null])
    #expect(value.array?[4].boolean == true)
    #expect(value.array?[5].isNull == true)
    #expect(value.array?[0].string == nil)
    #expect(value.kind.description == "an array")
  }
}
