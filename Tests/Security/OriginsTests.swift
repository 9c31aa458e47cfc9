import Core
import Security
import Testing

@Suite("Origins")
struct OriginsTests {
  @Test("without a list, the node's own pages and this machine's may use it")
  func defaults() {
    let origins = Origins()
    let allowed: [(String, String)] = [
      ("http://example.com", "example.com"), ("https://example.com", "example.com"), ("https://example.com", "example.com:443"),
      ("http://example.com:8080", "example.com:8080"), ("http://EXAMPLE.com", "Example.COM"), ("http://localhost:3000", "node:8080"),
      ("https://localhost", "node"), ("http://127.0.0.1:5173", "node"), ("http://127.9.8.7", "node"), ("http://[::1]:3000", "node"),
      ("http://[fe80::1]:8080", "[fe80::1]:8080"),
    ]
    for (origin, host) in allowed { #expect(origins.decide(origin: origin, host: host) == .allowed(origin), "\(origin) at \(host)") }
    let refused: [(String, String)] = [
      ("http://evil.com", "example.com"), ("http://example.com:8081", "example.com:8080"), ("http://example.com", "example.com:443"),
      ("http://example.com.evil.com", "example.com"), ("http://localhost.evil.com", "node"), ("http://127.0.0.1.evil.com", "node"),
      ("http://127.evil.com", "node"), ("http://127.0.0.256", "node"), ("http://128.0.0.1", "node"), ("null", "node"), ("", "node"),
      ("localhost", "node"), ("http://localhost/", "node"), ("http://user@localhost", "node"), ("http://localhost:99999", "node"),
      ("http://localhost:", "node"), ("file://localhost", "node"), ("http://[::2]", "node"), ("http://[::1", "node"), ("http://", "node"),
      ("http://a b", "a b"), ("http://localhost, http://evil.com", "node"),
    ]
    for (origin, host) in refused { #expect(origins.decide(origin: origin, host: host) == .refused, "\(origin) at \(host)") }
  }

  @Test("a request without an origin is not a browser's business")
  func notAsked() {
    #expect(Origins().decide(origin: nil, host: "node") == .notAsked)
  }

  @Test("a list allows what it names, and the node's own pages still")
  func listed() throws {
    let origins = try Origins(reading: "https://app.example.com, https://*.example.org,http://intranet:8080,https://*.example.net:8443")
    for origin in ["https://app.example.com", "https://app.example.com:443", "https://a.example.org", "https://a.b.example.org",
      "http://intranet:8080", "https://x.example.net:8443", "https://APP.example.com"]
    {
      #expect(origins.decide(origin: origin, host: "node") == .allowed(origin), "\(origin)")
    }
    for origin in ["http://app.example.com", "https://example.org", "https://.example.org", "https://aexample.org", "https://a.example.org:444",
      "http://a.example.org", "http://intranet", "http://localhost", "https://x.example.net", "https://a.example.org.evil.com"]
    {
      #expect(origins.decide(origin: origin, host: "node") == .refused, "\(origin)")
    }
    #expect(origins.decide(origin: "http://node", host: "node") == .allowed("http://node"))
    #expect(try Origins(reading: "https://a.com,loopback").decide(origin: "http://localhost:1", host: nil) == .allowed("http://localhost:1"))
  }

  @Test("a star allows every page, with a header that carries no credentials")
  func star() throws {
    let origins = try Origins(reading: "*")
    #expect(origins.decide(origin: "https://anything.example", host: "node") == .allowed("*"))
    #expect(origins.decide(origin: "null", host: nil) == .allowed("*"))
  }

  @Test(
    "what is not an origin is refused with a hint",
    arguments: ["", "example.com", "https://example.com/", "https://example.com/path", "https://*", "https://a.*.com", "https://*.*.com", "https://*.",
      "https://exa*mple.com", "https://a.com,,https://b.com", "://x", "https://a.com:0x50", "https://a b"])
  func unreadable(list: String) {
    #expect(throws: UnreadableText.self) { try Origins(reading: list) }
  }
}

@Suite("What a listener is exposed to")
struct ListenExposureTests {
  @Test(
    "loopback addresses", arguments: ["127.0.0.1:8080", "127.0.0.1", "127.1.2.3:1", "localhost:8080", "LOCALHOST", "[::1]:8080", "::1", "[::1]",
      "[::ffff:127.0.0.1]:80", "unix:/run/tidings.sock"])
  func loopback(address: String) {
    #expect(ListenExposure.of(address) == .loopback)
  }

  @Test(
    "addresses beyond loopback",
    arguments: ["0.0.0.0:8080", "[::]:8080", "::", "*:8080", ":8080", "", "10.0.0.1:8080", "example.com:80", "128.0.0.1", "127.0.0.1.evil.com:80",
      "localhost.evil.com", "127.0.0", "[::ffff:10.0.0.1]:80", "[fe80::1]:80", "0127.0.0.1"])
  func beyond(address: String) {
    #expect(ListenExposure.of(address) == .beyond)
  }

  @Test("an open door needs a guard, or the word that there is none")
  func refusal() {
    let inside = ListenExposure.Listener(option: "--http", address: "127.0.0.1:8080")
    let outside = ListenExposure.Listener(option: "--mqtt", address: "0.0.0.0:1883")
    #expect(ListenExposure.refusal(of: [inside], authentication: .unspecified) == nil)
    #expect(ListenExposure.refusal(of: [inside, outside], authentication: .configured) == nil)
    #expect(ListenExposure.refusal(of: [inside, outside], authentication: .declinedInWords) == nil)
    let sentence = ListenExposure.refusal(of: [inside, outside], authentication: .unspecified)
    #expect(sentence?.hasPrefix("--mqtt 0.0.0.0:1883 can be reached from outside this machine") == true)
    #expect(sentence?.contains("--auth none") == true)
  }
}
