import Client
import Core
import Testing

@Suite("Where the node is")
struct ServerURLTests {
  @Test("addresses are read as people write them")
  func known() throws {
    let known: [(String, String, UInt16, String)] = [
      ("http://127.0.0.1:8080", "127.0.0.1", 8080, ""), ("http://node", "node", 80, ""), ("node:9000", "node", 9000, ""), ("node", "node", 8080, ""),
      ("HTTP://Node:1/", "Node", 1, ""), ("http://[::1]:8080/base/", "::1", 8080, "/base"), ("[::1]", "::1", 8080, ""),
    ]
    for (text, host, port, path) in known {
      #expect(try ServerURL(reading: text) == ServerURL(host: host, port: port, basePath: path), "\(text)")
    }
    #expect(try ServerURL(reading: "http://[::1]:8080/base/").description == "http://[::1]:8080/base")
  }

  @Test(
    "what is not an address is refused",
    arguments: ["", "http://", "https://node", "ftp://node", "http://node:0", "http://node:65536", "http://node:x", "http://node:", "http://[::1",
      "http://[::1]x", "http://user@node", "http://node?x", "http://a b"])
  func refused(text: String) {
    #expect(throws: UnreadableText.self) { try ServerURL(reading: text) }
  }

  @Test("an option beats the environment, which beats the standard place")
  func choice() throws {
    let environment = ["TIDINGS_URL": "http://b:2"]
    #expect(try ServerURL.choose(option: "http://a:1", environment: environment).host == "a")
    #expect(try ServerURL.choose(option: nil, environment: environment).host == "b")
    #expect(try ServerURL.choose(option: nil, environment: [:]) == .standard)
    #expect(throws: UnreadableText.self) { try ServerURL.choose(option: nil, environment: ["TIDINGS_URL": "https://b"]) }
  }
}
