import Core
import Testing
import WebSocket

@Suite struct HandshakeTests {
  private static let plain = [
    ("Host", "server.example.com"), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13"),
  ]

  private func handshake(
    _ fields: [(String, String)], protocols: [StaticString] = ["chat", "superchat"], allowsCompression: Bool = true
  ) -> WebSocketHandshake {
    var handshake = WebSocketHandshake(protocols: protocols, allowsCompression: allowsCompression)
    for (name, value) in fields {
      Array(name.utf8).withUnsafeBytes { name in
        Array(value.utf8).withUnsafeBytes { handshake.note(name: name, value: $0) }
      }
    }
    return handshake
  }

  private func answer(_ more: [(String, String)], without: String = "") throws(WebSocketRefusal) -> WebSocketAcceptance {
    try handshake(HandshakeTests.plain.filter { $0.0 != without } + more).answer()
  }

  @Test("The example of RFC 6455 section 1.3")
  func example() throws {
    let acceptance = try answer([])
    #expect(acceptance.accept == Bytes("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
    #expect(acceptance.protocolIndex == nil && acceptance.compression == nil)
  }

  @Test("Names, Upgrade and Connection are compared in any case and within lists")
  func cases() throws {
    let fields = [
      ("UPGRADE", "h2c, WebSocket"), ("connection", "keep-alive , UPGRADE"),
      ("sec-websocket-key", " dGhlIHNhbXBsZSBub25jZQ== "), ("SEC-WEBSOCKET-VERSION", "13"),
    ]
    #expect(try handshake(fields).answer().accept == Bytes("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
  }

  @Test("What is missing or wrong is named")
  func refusals() {
    func expect(_ refusal: WebSocketRefusal, without: String, _ more: [(String, String)] = []) {
      #expect(throws: refusal) { try answer(more, without: without) }
    }
    expect(.upgradeMissing, without: "Upgrade")
    expect(.upgradeMissing, without: "Upgrade", [("Upgrade", "websockets")])
    expect(.upgradeMissing, without: "Upgrade", [("Upgrade", "websocket x")])
    expect(.connectionNotUpgrade, without: "Connection")
    expect(.connectionNotUpgrade, without: "Connection", [("Connection", "keep-alive")])
    expect(.versionUnsupported, without: "Sec-WebSocket-Version")
    expect(.versionUnsupported, without: "Sec-WebSocket-Version", [("Sec-WebSocket-Version", "8")])
    expect(.versionUnsupported, without: "", [("Sec-WebSocket-Version", "14")])
    expect(.keyInvalid, without: "Sec-WebSocket-Key")
    expect(.keyInvalid, without: "", [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")])
    for key in ["", "short", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQAA", "dGhlIHNhbXBsZSBub25 ZQ=="] {
      expect(.keyInvalid, without: "Sec-WebSocket-Key", [("Sec-WebSocket-Key", key)])
    }
    #expect(WebSocketRefusal.versionUnsupported.status == 426 && WebSocketRefusal.keyInvalid.status == 400)
  }

  @Test("The client's first protocol that the server speaks is chosen")
  func protocols() throws {
    func chosen(_ values: String...) throws -> Int? {
      try answer(values.map { ("Sec-WebSocket-Protocol", $0) }).protocolIndex
    }
    #expect(try chosen("superchat, chat") == 1)
    #expect(try chosen("other,chat") == 0)
    #expect(try chosen("other", "superchat") == 1)
    #expect(try chosen("Chat") == nil)
    #expect(try chosen("chatter, superchatter, , ") == nil)
  }

  @Test("The answer's fields are complete")
  func answerFields() throws {
    let more = [
      ("Sec-WebSocket-Protocol", "chat"), ("Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=10"),
    ]
    let handshake = handshake(HandshakeTests.plain + more)
    let acceptance = try handshake.answer()
    let fields = written { handshake.append(fieldsOf: acceptance, into: &$0) }
    #expect(
      String(decoding: fields, as: UTF8.self) == """
        Upgrade: websocket\r
        Connection: Upgrade\r
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r
        Sec-WebSocket-Protocol: chat\r
        Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
        server_max_window_bits=10\r

        """)
  }

  @Test(
    "Offers of compression, and what becomes of them",
    arguments: [
      ("permessage-deflate", 15, false),
      ("permessage-deflate; client_max_window_bits", 15, false),
      ("permessage-deflate; client_max_window_bits=8", 15, false),
      ("permessage-deflate;client_max_window_bits=15;server_no_context_takeover;client_no_context_takeover", 15, false),
      ("permessage-deflate; server_max_window_bits=9", 9, true),
      ("permessage-deflate ; server_max_window_bits = \"12\"", 12, true),
      ("permessage-deflate; server_max_window_bits=15", 15, true),
      ("permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=11", 11, true),
      ("x-webkit-deflate-frame, permessage-deflate", 15, false),
      ("permessage-deflate; unknown, permessage-deflate; server_max_window_bits=10", 10, true),
      ("permessage-bzip2; note=\"a, b; c\", permessage-deflate", 15, false),
      ("  ,, permessage-deflate  ", 15, false),
    ])
  func offers(value: String, bits: Int, repeats: Bool) throws {
    let expected = DeflateAgreement(serverWindowBits: bits, repeatsServerWindow: repeats)
    #expect(try answer([("Sec-WebSocket-Extensions", value)]).compression == expected)
    let refusing = handshake(HandshakeTests.plain + [("Sec-WebSocket-Extensions", value)], allowsCompression: false)
    #expect(try refusing.answer().compression == nil)
  }

  @Test(
    "Offers that cannot be met are declined, and the handshake goes on",
    arguments: [
      "permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits",
      "permessage-deflate; server_max_window_bits=16", "permessage-deflate; server_max_window_bits=09",
      "permessage-deflate; server_max_window_bits=7", "permessage-deflate; server_max_window_bits=",
      "permessage-deflate; server_max_window_bits=1", "permessage-deflate; server_max_window_bits=150",
      "permessage-deflate; client_max_window_bits=0", "permessage-deflate; client_max_window_bits=16",
      "permessage-deflate; client_max_window_bits=\"15", "permessage-deflate; server_no_context_takeover=1",
      "permessage-deflate; client_no_context_takeover=true", "permessage-deflate; unknown",
      "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
      "permessage-deflate; client_max_window_bits; client_max_window_bits",
      "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
      "permessage-deflate; client_no_context_takeover; client_no_context_takeover", "permessage-deflate;",
      "permessage-deflate x", "permessage-deflate-frame", "mux; max-channels=4", "", ";", "\"",
    ])
  func declined(value: String) throws {
    #expect(try answer([("Sec-WebSocket-Extensions", value)]).compression == nil)
  }

  @Test("Offers are tried in order across repeated fields")
  func repeatedFields() throws {
    let fields = [
      ("Sec-WebSocket-Extensions", "permessage-deflate; bogus"),
      ("Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=13"),
      ("Sec-WebSocket-Extensions", "permessage-deflate"),
    ]
    #expect(try answer(fields).compression?.serverWindowBits == 13)
  }

  @Test("A client's handshake is accepted by a server, and the answer by the client")
  func bothEnds() throws {
    let client = Array("the sample nonce".utf8).withUnsafeBytes { WebSocketClientHandshake(nonce: $0) }
    #expect(client.key == Bytes("dGhlIHNhbXBsZSBub25jZQ=="))
    let request = written { client.appendFields(protocols: ["other", "chat"], offersCompression: true, into: &$0) }
    let fields = String(decoding: request, as: UTF8.self).split(separator: "\r\n").map { line in
      let parts = line.split(separator: ":", maxSplits: 1)
      return (String(parts[0]), String(parts[1]))
    }
    let acceptance = try handshake(fields).answer()
    #expect(acceptance.protocolIndex == 0)
    #expect(acceptance.accept.withUnsafeBytes { client.isAnswered(by: $0) })
    #expect(!Array("s3pPLMBiTxaQ9kYGzzhZRbK+xO0=".utf8).withUnsafeBytes { client.isAnswered(by: $0) })
    let compression = try #require(acceptance.compression)
    let answer = written { compression.append(into: &$0) }
    #expect(answer.withUnsafeBytes { DeflateAgreement.check(answer: $0) } == compression)
  }

  @Test(
    "A client refuses an answer it did not offer",
    arguments: [
      "permessage-deflate", "permessage-deflate; server_no_context_takeover; client_max_window_bits=10",
      "permessage-deflate; server_no_context_takeover; other", "mux", "",
      "permessage-deflate; server_no_context_takeover, permessage-deflate; server_no_context_takeover",
    ])
  func foreignAnswers(value: String) {
    #expect(Array(value.utf8).withUnsafeBytes { DeflateAgreement.check(answer: $0) } == nil)
  }
}
