import Testing

@testable import Reactor

@Suite("Addresses")
struct AddressTests {
  @Test(
    "good ones are read and written back",
    arguments: [
      ("127.0.0.1:8080", "127.0.0.1:8080"), ("localhost:0", "localhost:0"), (":8080", "*:8080"), ("*:1", "*:1"),
      ("[::1]:65535", "[::1]:65535"), ("[fe80::1%eth0]:80", "[fe80::1%eth0]:80"),
      ("broker-1.cluster_a.example:7400", "broker-1.cluster_a.example:7400"),
    ])
  func good(text: String, written: String) throws {
    #expect(try Address.parse(text).description == written)
  }

  @Test(
    "bad ones are refused by name",
    arguments: [
      "", "8080", "localhost", "localhost:", "localhost:http", "localhost:65536", "localhost:-1", "localhost:+1",
      "::1:8080", "[::1", "[::1]", "[::1]8080", "[localhost]:80", "[]:80", "ho st:80", "a/b:80", "http://host:80",
      "a:1:2", "*x:1", "localhost:٣",
    ])
  func bad(text: String) {
    #expect {
      try Address.parse(text)
    } throws: { error in
      guard case .malformedAddress(text, let reason) = error as? ReactorError else { return false }
      return !reason.isEmpty
    }
  }

  @Test("a default port stands in for a missing one only")
  func defaultPort() throws {
    #expect(try Address.parse("broker", defaultPort: 7400) == Address(host: "broker", port: 7400))
    #expect(try Address.parse("[::1]", defaultPort: 7400) == Address(host: "::1", port: 7400))
    #expect(try Address.parse("broker:1", defaultPort: 7400).port == 1)
    #expect(throws: ReactorError.self) { try Address.parse("broker:", defaultPort: 7400) }
  }

  @Test("a list names the piece that is wrong")
  func lists() throws {
    #expect(try Address.parseList("a:1, [::1]:2 ,:3").map(\.description) == ["a:1", "[::1]:2", "*:3"])
    #expect(throws: ReactorError.malformedAddress("b", reason: "the port is missing, as in b:8080")) {
      try Address.parseList("a:1,b")
    }
    for text in ["a:1,", ",a:1", "a:1,,b:2", "", " "] {
      #expect(throws: ReactorError.self, "\(text)") { try Address.parseList(text) }
    }
  }

  @Test("numbers resolve to themselves and know whether they are loopback")
  func resolution() throws {
    let v4 = try Address.parse("127.0.0.1:80").resolve()
    #expect(v4 == [.v4(127, 0, 0, 1, port: 80)] && v4[0].isLoopback && v4[0].description == "127.0.0.1:80")
    let v6 = try Address.parse("[::1]:80").resolve()
    #expect(v6 == [.v6(high: 0, low: 1, port: 80)] && v6[0].isLoopback && v6[0].description == "[::1]:80")
    let mapped = try Address.parse("[::ffff:127.0.0.1]:80").resolve()
    #expect(mapped[0].isLoopback)
    let outside = try Address.parse("192.0.2.1:80").resolve()
    #expect(!outside[0].isLoopback && !outside[0].isUnspecified)
    #expect(try Address.parse(":80").resolve().allSatisfy { $0.isUnspecified && !$0.isLoopback })
    #expect(try Address.parse("localhost:80").resolve().allSatisfy(\.isLoopback))
    #expect(throws: ReactorError.self) { try Address.parse("no-such-host.invalid:80").resolve() }
  }
}
