import JSON
import Testing

@Suite("JSON5, for files that people write")
struct JSON5Tests {
  private func parse(_ text: String) throws -> JSONValue { try JSONValue(parsing: text, as: .json5) }

  @Test("a configuration file as a person would write it")
  func configuration() throws {
    let text = """
      // how this node is reached
      {
        http: '0.0.0.0:8080', // everyone
        "max-message": 0x100000,
        /* kept
           for a day */
        retention: "24h,\\
      1GiB",
        origins: [
          'https://example.com',
        ],
        ratio: +.5,
        $limit_1: Infinity,
      }
      """
    let value = try parse(text)
    #expect(value["http"]?.string == "0.0.0.0:8080")
    #expect(value["max-message"]?.integer == 1 << 20)
    #expect(value["retention"]?.string == "24h,1GiB")
    #expect(value["retention"]?.line == 7)
    #expect(value["origins"]?.line == 9)
    #expect(value["origins"]?.array?.count == 1)
    #expect(value["ratio"]?.double == 0.5)
    #expect(value["$limit_1"]?.double == .infinity)
    #expect(value.object?.members.map(\.nameLine) == [3, 4, 7, 9, 12, 13])
  }

  @Test("every strict text is also JSON5", arguments: JSONTables.valid)
  func superset(text: String) {
    if text != "\"\\ud800\"" && text != "{\"a\":1,\"\\u0061\":2}" {
      #expect(throws: Never.self) { try parse(text) }
    }
  }

  @Test("numbers")
  func numbers() throws {
    let known: [(String, Int?, Double)] = [
      ("+5", 5, 5), (".5", nil, 0.5), ("5.", 5, 5), ("5.e2", 500, 500), ("-.25", nil, -0.25), ("0x1F", 31, 31), ("-0xff", -255, -255),
      ("+0XA", 10, 10), ("Infinity", nil, .infinity), ("-Infinity", nil, -.infinity), ("+Infinity", nil, .infinity), ("0", 0, 0),
      ("1e2", 100, 100), ("0.", 0, 0),
    ]
    for (text, integer, double) in known {
      let value = try parse(text)
      #expect(value.integer == integer, "\(text)")
      #expect(value.double == double, "\(text)")
    }
    #expect(try parse("NaN").double?.isNaN == true)
    #expect(try parse("-NaN").double?.isNaN == true)
  }

  @Test("strings")
  func strings() throws {
    let known: [(String, String)] = [
      ("'it\\'s'", "it's"), ("'a \"b\"'", "a \"b\""), ("\"it's\"", "it's"), ("'\\x41\\u0042\\0\\v\\q'", "AB\u{0}\u{B}q"),
      ("'a\\\nb'", "ab"), ("'a\\\r\nb'", "ab"), ("'a\\\u{2028}b'", "ab"), ("'\\uD83D\\uDE00'", "😀"), ("'a\tb'", "a\tb"), ("'\\é'", "é"),
    ]
    for (text, decoded) in known { #expect(try parse(text).string == decoded, "\(text)") }
  }

  @Test("every white space of JSON5 stands between tokens")
  func space() throws {
    #expect(try parse("\u{FEFF}\u{A0}\u{B}\u{C}[\u{2028}1,\u{3000}2]\u{2029}").array?.count == 2)
    #expect(try parse("/**/[/*1*/1//\n,/***/2]//").array?.count == 2)
  }

  @Test(
    "what is not JSON5 either is refused",
    arguments: [
      "", "//", "/*", "/* *", "/", "[,]", "[1,,]", "{,}", "{a}", "{a:}", "{a b:1}", "{1a:1}", "01", "0x", "0xG", "+", "-", ".", "+ 1", "1e", ".e1",
      "infinity", "nan", "'a", "'a\nb'", "'\\1'", "'\\01'", "'\\xG0'", "'\\u12'", "undefined", "[1 2]", "{a:1}}", "\"a'", "{a:1,,b:2}", "#",
      "tru", "{é\u{A0}:}",
    ])
  func refused(text: String) {
    #expect(throws: JSONError.self) { try parse(text) }
  }

  @Test("a name that needs quotes is told so, with its line")
  func needsQuotes() {
    do {
      _ = try parse("{\n  http: 'a',\n  max-message: 1\n}")
      Issue.record("accepted")
    } catch let error as JSONError {
      #expect(error.reason == .nameNeedsQuotes)
      #expect(error.line == 3)
      #expect(error.column == 6)
    } catch {
      Issue.record(error)
    }
  }
}
