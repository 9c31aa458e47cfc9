import Core
import JSON
import Testing

@Suite("Readers in place")
struct JSONReaderTests {
  private func members(_ text: String) throws(JSONError) -> [String] {
    let bytes = Bytes(text)
    var reader = JSONObjectReader(bytes.bytes)
    var found: [String] = []
    while let member = try reader.next() {
      found.append("\(bytes.slice(member.name).text)|\(member.kind)|\(bytes.slice(member.value).text)")
    }
    return found
  }

  private func elements(_ text: String) throws(JSONError) -> [String] {
    let bytes = Bytes(text)
    var reader = JSONArrayReader(bytes.bytes)
    var found: [String] = []
    while let element = try reader.next() { found.append("\(element.kind)|\(bytes.slice(element.range).text)") }
    return found
  }

  private func isNamed(_ member: JSONMember, _ bytes: Bytes, _ name: StaticString) -> Bool {
    JSONText.name(of: member, in: bytes.bytes, is: name)
  }

  private func integer(_ bytes: Bytes, _ range: Range<Int>) -> Int? { JSONText.integer(bytes.bytes, range) }

  @Test("a WebSocket operation is read member by member")
  func operation() throws {
    #expect(
      try members(#" {"op":"publish" , "topic":"a/b","data":{"x":[1, 2]}, "retain":true,"n":-1.5e3,"z":null } "#) == [
        "op|a string|\"publish\"", "topic|a string|\"a/b\"", "data|an object|{\"x\":[1, 2]}", "retain|true or false|true", "n|a number|-1.5e3",
        "z|null|null",
      ])
    #expect(try members("{}").isEmpty)
    #expect(try elements(" [ 1 , \"a\", [2,3],{} ] ") == ["a number|1", "a string|\"a\"", "an array|[2,3]", "an object|{}"])
    #expect(try elements("[]").isEmpty)
  }

  @Test("the readers refuse what the validator refuses, for the same reason", arguments: JSONTables.invalid)
  func refused(text: String) {
    let found = JSONValidator.validate(text.utf8.span.bytes)
    let opening = text.first { !$0.isWhitespace }
    do throws(JSONError) {
      if opening == "[" { _ = try elements(text) } else { _ = try members(text) }
      Issue.record("accepted")
    } catch {
      if opening == "{" || opening == "[" { #expect(error == found) }
    }
  }

  @Test("a reader within a range sees that range alone and counts from the start of the text")
  func nested() throws {
    let bytes = Bytes(#"[{"a":1},{"b":[true]}]"#)
    var events = JSONArrayReader(bytes.bytes)
    _ = try events.next()
    let second = try #require(try events.next())
    var event = JSONObjectReader(bytes.bytes, in: second.range)
    let member = try #require(try event.next())
    #expect(bytes.slice(member.name).text == "b")
    var inner = JSONArrayReader(bytes.bytes, in: member.value)
    let element = try #require(try inner.next())
    #expect(bytes.slice(element.range).text == "true")
    #expect(try inner.next() == nil)
    #expect(try event.next() == nil)
    #expect(try event.next() == nil)
    #expect(try events.next() == nil)
  }

  @Test("names are compared as they are meant, values decoded on demand")
  func names() throws {
    let bytes = Bytes(#"{"top\u0069c":"caf\u00e9 \ud83d\ude00","topics":12}"#)
    var reader = JSONObjectReader(bytes.bytes)
    let first = try #require(try reader.next())
    #expect(isNamed(first, bytes, "topic"))
    #expect(!isNamed(first, bytes, "topics"))
    var buffer = ByteBuffer()
    try JSONText.decodeString(bytes.bytes, first.value, into: &buffer)
    #expect(buffer.bytes.text(0..<buffer.count) == "café 😀")
    let second = try #require(try reader.next())
    #expect(isNamed(second, bytes, "topics"))
    #expect(!isNamed(second, bytes, "topic"))
    #expect(integer(bytes, second.value) == 12)
  }

  @Test("integers are read to their limits and no further")
  func integers() {
    let known: [(String, Int?)] = [
      ("0", 0), ("-7", -7), ("9223372036854775807", .max), ("-9223372036854775808", .min), ("9223372036854775808", nil),
      ("-9223372036854775809", nil), ("99999999999999999999", nil), ("1.0", nil), ("1e3", nil), ("-", nil),
    ]
    for (text, value) in known { #expect(integer(Bytes(text), 0..<text.utf8.count) == value, "\(text)") }
  }

  @Test("lines are split, trimmed and numbered, blank ones passed over")
  func lines() {
    let bytes = Bytes("{\"a\":1}\r\n\n  [2] \n\t\n3")
    var reader = JSONLinesReader(bytes.bytes)
    var found: [String] = []
    while let line = reader.next() { found.append("\(line.number)|\(bytes.slice(line.range).text)") }
    #expect(found == ["1|{\"a\":1}", "3|[2]", "5|3"])
  }
}
