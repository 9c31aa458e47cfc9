import Core
import HTTP
import Testing

@Suite("Negotiation")
struct NegotiationTests {
  private let offers: [StaticString] = ["application/json", "text/event-stream", "application/x-ndjson"]

  private func best(_ lines: String) throws -> Int? {
    try withFields(lines) { fields, input in MediaPreference.best(of: offers, for: fields, in: input) }
  }

  @Test("chooses the form that the client likes best")
  func best() throws {
    #expect(try best("") == 0)
    #expect(try best("Accept: */*\r\n") == 0)
    #expect(try best("Accept: text/event-stream\r\n") == 1)
    #expect(try best("Accept: Text/Event-Stream;charset=utf-8\r\n") == 1)
    #expect(try best("Accept: application/json;q=0.5, text/event-stream;q=0.8\r\n") == 1)
    #expect(try best("Accept: application/json;q=0.5\r\nAccept: application/x-ndjson\r\n") == 2)
    #expect(try best("Accept: text/*, application/json;q=0.9\r\n") == 1)
    #expect(try best("Accept: */*;q=0.1, application/*;q=0.2, application/json;q=0\r\n") == 2)
    #expect(try best("Accept: text/html, */*;q=0.8\r\n") == 0)
    #expect(try best("Accept: image/png\r\n") == nil)
    #expect(try best("Accept: */*;q=0\r\n") == nil)
    #expect(try best("Accept: */*;q=0.000\r\n") == nil)
    #expect(try best("Accept:\r\n") == 0)
    #expect(try best("Accept: ,,\r\n") == 0)
    #expect(try best("Accept: text/event-stream;a=\"x,y;q=0\";Q=1.000\r\n") == 1)
    #expect(try best("Accept: text/event-stream;q=2, application/json;q=0.1\r\n") == 0)
    #expect(try best("Accept: text/event-stream;q=0.1234, application/json;q=0.1\r\n") == 0)
    #expect(try best("Accept: \"never closed\r\n") == nil)
    #expect(try best("Accept: text/*;q=, */*;q=0.001\r\n") == 0)
  }

  @Test("knows a type named outright from one let in by a wildcard")
  func names() throws {
    func named(_ lines: String) throws -> Bool {
      try withFields(lines) { fields, input in MediaPreference.names("text/event-stream", in: fields, input) }
    }
    #expect(try named("Accept: text/event-stream\r\n"))
    #expect(try named("Accept: text/html, TEXT/event-stream;q=0.1\r\n"))
    #expect(try !named("Accept: */*\r\n"))
    #expect(try !named("Accept: text/*\r\n"))
    #expect(try !named("Accept: text/event-stream;q=0\r\n"))
    #expect(try !named("Accept: text/event-streams\r\n"))
    #expect(try !named(""))
  }

  @Test("compresses only for those who say so")
  func gzip() throws {
    func accepts(_ lines: String) throws -> Bool {
      try withFields(lines) { fields, input in ContentCoding.acceptsGzip(fields, in: input) }
    }
    #expect(try accepts("Accept-Encoding: gzip\r\n"))
    #expect(try accepts("Accept-Encoding: deflate, GZip;q=0.5, br\r\n"))
    #expect(try accepts("Accept-Encoding: br\r\nAccept-Encoding: x-gzip\r\n"))
    #expect(try accepts("Accept-Encoding: *\r\n"))
    #expect(try !accepts("Accept-Encoding: *, gzip;q=0\r\n"))
    #expect(try !accepts("Accept-Encoding: gzip;q=0\r\n"))
    #expect(try !accepts("Accept-Encoding: gzippy\r\n"))
    #expect(try !accepts("Accept-Encoding: *;q=0\r\n"))
    #expect(try !accepts("Accept-Encoding:\r\n"))
    #expect(try !accepts(""))
  }

  @Test("holds entity tags against the current one, weakly and strongly")
  func entityTags() throws {
    func verdict(
      _ lines: String, _ current: String? = "v1~a", weak: Bool = false, by comparison: EntityTags.Comparison = .weak
    ) throws -> EntityTags.Verdict {
      try withFields(lines) { fields, input in
        guard let current else {
          return EntityTags.judge(.ifNoneMatch, of: fields, in: input, current: nil, by: comparison)
        }
        let tag = Array(current.utf8)
        return EntityTags.judge(.ifNoneMatch, of: fields, in: input, current: tag.span.bytes, isWeak: weak, by: comparison)
      }
    }
    #expect(try verdict("") == .absent)
    #expect(try verdict("If-None-Match: \"v1~a\"\r\n") == .matches)
    #expect(try verdict("If-None-Match: W/\"v1~a\"\r\n") == .matches)
    #expect(try verdict("If-None-Match: W/\"v1~a\"\r\n", by: .strong) == .differs)
    #expect(try verdict("If-None-Match: \"v1~a\"\r\n", by: .strong) == .matches)
    #expect(try verdict("If-None-Match: \"v1~a\"\r\n", weak: true, by: .strong) == .differs)
    #expect(try verdict("If-None-Match: \"b\", \"c,d\" ,\t\"v1~a\"\r\n") == .matches)
    #expect(try verdict("If-None-Match: \"b\"\r\nIf-None-Match: \"v1~a\"\r\n") == .matches)
    #expect(try verdict("If-None-Match: \"\"\r\n") == .differs)
    #expect(try verdict("If-None-Match: *\r\n") == .matches)
    #expect(try verdict("If-None-Match: *\r\n", nil) == .differs)
    for bad in ["v1~a", "\"v1~a", "w/\"v1~a\"", "\"a\" \"b\"", "\"a\"b", "* x", "W/", "W", "\""] {
      #expect(try verdict("If-None-Match: \(bad)\r\n") == .malformed)
    }
  }

  @Test("finds a cookie by its exact name")
  func cookies() throws {
    func value(_ lines: String) throws -> String? {
      try withFields(lines) { fields, input in HTTPCookie.value(named: "token", in: fields, input).map { input.text($0) } }
    }
    #expect(try value("Cookie: token=abc\r\n") == "abc")
    #expect(try value("Cookie: a=b; token=abc; token=d\r\n") == "abc")
    #expect(try value("Cookie: a=b;token=\"a=b\"\r\n") == "a=b")
    #expect(try value("Cookie: a=b\r\nCookie: token=\r\n") == "")
    #expect(try value("Cookie: xtoken=a; tokens=b; Token=c; token\r\n") == nil)
    #expect(try value("Cookie: token=\";\r\n") == "\"")
    #expect(try value("Cookie: ;;;\r\n") == nil)
    #expect(try value("") == nil)
  }

  @Test("reads origins and tells the same place from another")
  func origins() throws {
    func relation(_ origin: String, host: String = "example.org") throws -> String? {
      try withHead("GET / HTTP/1.1\r\nHost: \(host)\r\nOrigin: \(origin)\r\n\r\n") { head, input in
        guard let value = head.first(.origin), let authority = head.authority, let origin = HTTPOrigin.read(value, in: input)
        else { return nil }
        return origin.isSame(as: authority, in: input) ? "same" : origin.isLoopback(in: input) ? "loopback" : "other"
      }
    }
    #expect(try relation("http://example.org") == "same")
    #expect(try relation("https://EXAMPLE.org:443") == "same")
    #expect(try relation("http://example.org:80", host: "example.org") == "same")
    #expect(try relation("http://example.org:8080", host: "example.org:8080") == "same")
    #expect(try relation("http://example.org:8080") == "other")
    #expect(try relation("http://example.org.evil.com") == "other")
    #expect(try relation("http://localhost:3000") == "loopback")
    #expect(try relation("http://127.0.0.1") == "loopback")
    #expect(try relation("http://[::1]:3000") == "loopback")
    #expect(try relation("http://[::1]:3000", host: "[::1]:3000") == "same")
    #expect(try relation("http://localhost.evil.com") == "other")
    for bad in [
      "null", "example.org", "http://", "http:///", "http://a/", "http://a/b", "http://me@a", "://a", "http://a:b", "http:/a",
    ] {
      #expect(try relation(bad) == nil)
    }
  }

  @Test("takes media types apart")
  func mediaTypes() throws {
    func about(_ type: String) -> String {
      let bytes = latin(type)
      let all = 0..<bytes.count
      let input = bytes.span.bytes
      return input.text(MediaType.essence(all, in: input)) + (MediaType.isJSON(all, in: input) ? " json" : "")
        + (MediaType.isWellFormed(all, in: input) ? "" : " malformed")
    }
    #expect(about("application/json") == "application/json json")
    #expect(about("Application/JSON ; charset=utf-8") == "Application/JSON json")
    #expect(about("application/problem+json;a=\"b;c\\\"\"") == "application/problem+json json")
    #expect(about("application/jsonp") == "application/jsonp")
    #expect(about("+json") == "+json malformed")
    #expect(about("text/plain;") == "text/plain")
    for bad in ["", "text", "text/", "/plain", "te xt/plain", "text/pl ain", "text/plain/more"] {
      #expect(about(bad) == bad + " malformed")
    }
    for bad in ["a", "a=", "=b", "a=b c", "a=\"b", "a=\"b\"c", "a=\"b\\\"", "a = b"] {
      #expect(about("text/plain;\(bad)") == "text/plain malformed")
    }
    let bytes = latin("Text/Event-Stream; a=b")
    #expect(MediaType.names("text/event-stream", 0..<bytes.count, in: bytes.span.bytes) == true)
  }

  @Test("finds tokens in lists on several lines")
  func tokens() throws {
    try withFields("Upgrade: h2c , \"a,websocket\"\r\nUpgrade:,WebSocket,\r\n") { fields, input in
      #expect(HTTPList.contains("websocket", in: .upgrade, of: fields, input) == true)
      #expect(HTTPList.contains("h2c", in: .upgrade, of: fields, input) == true)
      #expect(HTTPList.contains("h2", in: .upgrade, of: fields, input) == false)
      #expect(HTTPList.contains("a", in: .upgrade, of: fields, input) == false)
    }
  }
}
