import Core
import JSON
import Testing

@Suite("Writing")
struct JSONWriterTests {
  private func written(_ body: (inout ByteBuffer) -> Void) -> String {
    var buffer = ByteBuffer()
    body(&buffer)
    return buffer.bytes.text(0..<buffer.count)
  }

  private func isValid(_ text: String) -> Bool { JSONValidator.validate(text.utf8.span.bytes) == nil }

  @Test("commas and colons come by themselves")
  func structure() throws {
    let text = written { buffer in
      var json = JSONWriter()
      json.beginObject(into: &buffer)
      json.member("name", "node \"1\"", into: &buffer)
      json.member("count", -3, into: &buffer)
      json.name("list", into: &buffer)
      json.beginArray(into: &buffer)
      json.integer(1, into: &buffer)
      json.boolean(true, into: &buffer)
      json.null(into: &buffer)
      json.beginObject(into: &buffer)
      json.endObject(into: &buffer)
      json.beginArray(into: &buffer)
      json.endArray(into: &buffer)
      json.double(0.25, into: &buffer)
      json.endArray(into: &buffer)
      json.name("raw", into: &buffer)
      json.raw("{\n  \"a\": 1\n}".utf8.span.bytes, into: &buffer)
      json.name(text: "t\n", into: &buffer)
      json.timestamp(WallTime(milliseconds: 0), into: &buffer)
      json.endObject(into: &buffer)
      #expect(json.isComplete)
    }
    #expect(
      text
        == #"{"name":"node \"1\"","count":-3,"list":[1,true,null,{},[],0.25],"raw":{"a": 1},"t\n":"1970-01-01T00:00:00.000Z"}"#)
    #expect(isValid(text))
  }

  @Test("strings are escaped wherever the special byte stands, and read back as they were")
  func escapes() throws {
    let specials = ["\"", "\\", "\n", "\r", "\t", "\u{8}", "\u{C}", "\u{0}", "\u{1F}", "\u{1A}", "é", "日", "😀", "\u{2028}", "/", "\u{7F}", " ", "!", "#"]
    for special in specials {
      for distance in 0..<20 {
        let text = String(repeating: "a", count: distance) + special + special + "tail of text"
        let json = written { $0.append(jsonText: text) }
        #expect(try JSONValue(parsing: json).string == text)
      }
    }
    #expect(written { $0.append(jsonText: "\u{1}\u{b}\u{1f}\u{10}\u{8}\u{2028}") } == "\"\\u0001\\u000b\\u001f\\u0010\\b\u{2028}\"")
    #expect(written { $0.append(jsonText: "") } == "\"\"")
  }

  @Test("doubles are the shortest that read back the same")
  func doubles() throws {
    let known: [(Double, String)] = [
      (0, "0"), (-0.0, "-0"), (1, "1"), (0.1, "0.1"), (1.5, "1.5"), (1e21, "1e+21"), (.leastNonzeroMagnitude, "5e-324"), (1e-7, "1e-07"), (100, "100"),
      (.pi, "3.141592653589793"), (.infinity, "null"), (.nan, "null"), (12345678.0, "12345678"),
    ]
    for (number, text) in known {
      #expect(written { $0.append(jsonNumber: number) } == text)
      if number.isFinite { #expect(try JSONValue(parsing: text).double == number) }
    }
  }

  @Test("compacting puts any valid value on one line without changing it", arguments: JSONTables.valid)
  func compacting(text: String) throws {
    let compact = written { $0.append(compacting: text.utf8.span.bytes) }
    #expect(!compact.utf8.contains { $0 < 0x20 })
    #expect(isValid(compact))
    let spaced = text.replacing(",", with: ",\r\n\t  ").replacing("[", with: "[\n\n  ")
    if !text.contains("\"") {
      let again = written { $0.append(compacting: spaced.utf8.span.bytes) }
      #expect(again.filter { $0 != " " } == compact.filter { $0 != " " })
    }
  }
}
