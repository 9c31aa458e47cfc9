import Core
import HTTP
import TestSupport
import Testing

/// A request and the head that it must give.
struct GoodRequest: Sendable, CustomTestStringConvertible {
  let text: String
  let head: String
  var body = ""
  var testDescription: String { head }
}

let goodRequests: [GoodRequest] = [
  .init(text: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", head: "GET / 1.1 at a [Host=a] keep"),
  .init(
    text:
      "POST /v1/topics/orders/42?x=1&y HTTP/1.1\r\nHost: a:8080\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
    head:
      "POST /v1/topics/orders/42?x=1&y 1.1 at a:8080 [Host=a:8080] [Content-Type=text/plain] [Content-Length=5] keep length 5",
    body: "hello"),
  .init(
    text: "PUT /t HTTP/1.1\r\nhost:a\r\ntransfer-encoding: Chunked\r\n\r\n5\r\nhello\r\n006\r\n world\r\n0\r\n\r\n",
    head: "PUT /t 1.1 at a [host=a] [transfer-encoding=Chunked] keep chunked", body: "hello world"),
  .init(
    text: "POST /t HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\tchunked \r\n\r\n"
      + "1;a\r\nx\r\nA ; b=c;d = \"e\\\"\t;\u{e9}\" ;f\r\n0123456789\r\n00;g\r\nContent-Length: 7\r\nX:\r\n\r\n",
    head: "POST /t 1.1 at a [Host=a] [Transfer-Encoding=chunked] keep chunked", body: "x0123456789"),
  .init(text: "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", head: "GET / 1.1 at a [Host=a] keep"),
  .init(text: "GET / HTTP/1.0\r\n\r\n", head: "GET / 1.0"),
  .init(text: "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", head: "GET / 1.0 [Connection=Keep-Alive] keep"),
  .init(
    text: "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\nExpect: 100-continue\r\n\r\n",
    head: "GET / 1.0 [Connection=upgrade] [Upgrade=websocket] [Expect=100-continue]"),
  .init(text: "GET / HTTP/1.2\r\nHost: a\r\n\r\n", head: "GET / 1.1 at a [Host=a] keep"),
  .init(text: "get / HTTP/1.1\r\nHost: a\r\n\r\n", head: "(get) / 1.1 at a [Host=a] keep"),
  .init(text: "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", head: "(TRACE) / 1.1 at a [Host=a] keep"),
  .init(text: "QUERY /v1/events HTTP/1.1\r\nHost: a\r\n\r\n", head: "QUERY /v1/events 1.1 at a [Host=a] keep"),
  .init(text: "DELETE /t HTTP/1.1\r\nHost: a\r\n\r\n", head: "DELETE /t 1.1 at a [Host=a] keep"),
  .init(text: "PATCH /t HTTP/1.1\r\nHost: a\r\n\r\n", head: "PATCH /t 1.1 at a [Host=a] keep"),
  .init(text: "HEAD /t HTTP/1.1\r\nHost: a\r\n\r\n", head: "HEAD /t 1.1 at a [Host=a] keep"),
  .init(text: "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", head: "OPTIONS * 1.1 at a [Host=a] keep"),
  .init(text: "GET http://b:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n", head: "GET /x?y 1.1 at b:80 [Host=a] keep"),
  .init(text: "GET HTTPS://b HTTP/1.1\r\nHost: a\r\n\r\n", head: "GET  1.1 at b [Host=a] keep"),
  .init(text: "GET http://b?q HTTP/1.1\r\nHost: a\r\n\r\n", head: "GET ?q 1.1 at b [Host=a] keep"),
  .init(text: "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", head: "GET / 1.1 at [::1]:80 [Host=[::1]:80] keep"),
  .init(text: "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", head: "GET / 1.1 at a: [Host=a:] keep"),
  .init(
    text: "GET /room/{42}/a|b?c=[d]\\^` HTTP/1.1\r\nHost: a\r\n\r\n",
    head: "GET /room/{42}/a|b?c=[d]\\^` 1.1 at a [Host=a] keep"),
  .init(text: "GET /? HTTP/1.1\r\nHost: a\r\n\r\n", head: "GET /? 1.1 at a [Host=a] keep"),
  .init(text: "GET /a?b?c/d HTTP/1.1\r\nHost: a\r\n\r\n", head: "GET /a?b?c/d 1.1 at a [Host=a] keep"),
  .init(
    text: "GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \t a\t b \t\r\nZ: \u{e9}\r\n\r\n",
    head: "GET / 1.1 at a [Host=a] [X=] [Y=a\t b] [Z=\u{fffd}] keep"),
  .init(
    text: "GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n", head: "GET / 1.1 at a [Host=a] [Connection=foo, Close]"
  ),
  .init(
    text: "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: h2c, WebSocket\r\n\r\n",
    head: "GET / 1.1 at a [Host=a] [Connection=keep-alive, Upgrade] [Upgrade=h2c, WebSocket] keep websocket"),
  .init(
    text: "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", head: "GET / 1.1 at a [Host=a] [Upgrade=websocket] keep"),
  .init(
    text: "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
    head: "POST / 1.1 at a [Host=a] [Expect=100-Continue] [Content-Length=1] keep continue length 1", body: "x"),
  .init(
    text: "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
    head: "POST / 1.1 at a [Host=a] [Expect=100-continue] [Content-Length=0] keep length 0"),
  .init(
    text: "GET / HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\nTransfer_Encoding: chunked\r\n\r\n",
    head: "GET / 1.1 at a [Host=a] [Content_Length=5] [Transfer_Encoding=chunked] keep"),
]

@Suite("Requests")
struct RequestDecoderTests {
  @Test("mean the same however their bytes arrive", arguments: goodRequests)
  func good(_ row: GoodRequest) throws {
    let outcomes = try CodecVerifier.verify(latin(row.text)) { decodeRequests($0) }
    #expect(outcomes == [.head(row.head)] + latin(row.body).map { .byte($0) } + [.end])
  }

  @Test("follow one another on a connection, bodies or not", arguments: goodRequests)
  func pipelined(_ row: GoodRequest) throws {
    try CodecVerifier.verify(latin(goodRequests[1].text), followedBy: latin(row.text)) { decodeRequests($0) }
    try CodecVerifier.verify(latin(row.text), followedBy: latin(goodRequests[2].text)) { decodeRequests($0) }
  }

  @Test("with a sized body that has wholly come give it in one piece")
  func onePiece() {
    let bytes = latin(goodRequests[1].text)
    var decoder = HTTPRequestDecoder()
    var head = HTTPRequestHead()
    let first = decoder.next(bytes.span.bytes, head: &head)
    #expect(first == .head(consumed: bytes.count - 5))
    let rest = Array(bytes.suffix(5))
    let second = decoder.next(rest.span.bytes, head: &head)
    let third = decoder.next([UInt8]().span.bytes, head: &head)
    #expect(second == .body(0..<5, consumed: 5))
    #expect(third == .end(consumed: 0))
  }

  @Test("cost an idle connection 64 bytes at most")
  func decoderIsSmall() {
    #expect(MemoryLayout<HTTPRequestDecoder>.stride <= 64)
  }

  @Test("tell a connection between requests from one within")
  func insideMessage() {
    var decoder = HTTPRequestDecoder()
    var head = HTTPRequestHead()
    let before = decoder.isInsideMessage(pending: 0)
    let half = latin("GET / HT")
    let step = decoder.next(half.span.bytes, head: &head)
    #expect(step == .needMore)
    let within = decoder.isInsideMessage(pending: half.count)
    #expect(!before)
    #expect(within)
  }

  /// Plants a control character in bytes that were shown before: a decoder that looked at them again would refuse it.
  private func looksAgain(_ text: String, at position: Int) -> Bool {
    var decoder = HTTPRequestDecoder()
    var head = HTTPRequestHead()
    var bytes = latin(text)
    var step = decoder.next(bytes.span.bytes, head: &head)
    if case .head(let consumed) = step {
      bytes.removeFirst(consumed)
      step = decoder.next(bytes.span.bytes, head: &head)
    }
    #expect(step == .needMore)
    bytes[bytes.count - position] = 7
    bytes.append(UInt8(ascii: "a"))
    return decoder.next(bytes.span.bytes, head: &head) != .needMore
  }

  @Test("are scanned once even when they arrive byte by byte")
  func scannedOnce() {
    #expect(!looksAgain("GET /aaaaaaaaaaaaaaaa", at: 1))
    #expect(!looksAgain("GET / HTTP/1.1\r\nHost: a\r\nX: aaaaaaaa", at: 1))
    #expect(!looksAgain("GET / HTTP/1.1\r\nHost: a\r\nX: a\tb", at: 2))
    #expect(!looksAgain("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: aaaaaaaa", at: 1))
  }

  @Test("that are damaged anywhere never decode differently by how they are cut")
  func fuzzed() {
    let seed: UInt64 = 0x7171_d1d6_5eed_0001
    print("seed \(seed)")
    var state = seed
    func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(bound))
    }
    let alphabet = latin("\r\n\r\n:;,= \t\0\"\\/?#%0159aAzZ\u{7f}\u{80}\u{ff}")
    for _ in 0..<3000 {
      var bytes = latin(goodRequests[next(goodRequests.count)].text)
      for _ in 0...next(3) {
        switch next(3) {
        case 0: bytes[next(bytes.count)] = alphabet[next(alphabet.count)]
        case 1: bytes.insert(alphabet[next(alphabet.count)], at: next(bytes.count))
        default: bytes.remove(at: next(bytes.count))
        }
      }
      let whole = decodeRequests([bytes])
      let cut = next(bytes.count)
      let once = decodeRequests([Array(bytes[..<cut]), Array(bytes[cut...])])
      let bytewise = decodeRequests(bytes.map { [$0] })
      #expect(once == whole, "\(bytes)")
      #expect(bytewise == whole, "\(bytes)")
    }
  }
}
