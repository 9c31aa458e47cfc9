import HTTP
import TestSupport
import Testing

@Suite("Limits")
struct LimitTests {
  private func outcome(_ text: String, _ limits: HTTPLimits = .standard) -> Outcome? {
    let whole = decodeRequests(text, limits: limits)
    let bytewise = decodeRequests(text.utf8.map { [$0] }, limits: limits)
    #expect(whole == bytewise)
    return whole.last
  }

  private func padded(_ count: Int) -> String {
    let start = "GET / HTTP/1.1\r\nHost: a\r\nX: "
    return start + String(repeating: "a", count: count - start.utf8.count - 4) + "\r\n\r\n"
  }

  @Test("on a head let through 16 KiB and nothing more")
  func head() {
    #expect(outcome(padded(16 << 10)) == .end)
    #expect(outcome(padded((16 << 10) + 1)) == .failure(.headTooLarge))
    #expect(outcome("\r\n" + padded(16 << 10)) == .end)
    #expect(outcome("\r\n" + padded((16 << 10) + 1)) == .failure(.headTooLarge))
    #expect(outcome("GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "a", count: 17_000)) == .failure(.headTooLarge))
  }

  @Test("on fields let through 100 and nothing more")
  func fields() {
    func request(_ count: Int) -> String {
      "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: a\r\n", count: count - 1) + "\r\n"
    }
    #expect(outcome(request(100)) == .end)
    #expect(outcome(request(101)) == .failure(.tooManyFields))
  }

  @Test("on a target let through 8 KiB and nothing more")
  func target() {
    func request(_ count: Int) -> String { "GET /" + String(repeating: "a", count: count - 1) + " HTTP/1.1\r\nHost: a\r\n\r\n" }
    #expect(outcome(request(8 << 10)) == .end)
    #expect(outcome(request((8 << 10) + 1)) == .failure(.targetTooLong))
    #expect(outcome(request((8 << 10) + 400)) == .failure(.targetTooLong))
    #expect(outcome(request((8 << 10) - 4) + "") == .end)
    let method = String(repeating: "M", count: 32)
    #expect(outcome(request(8 << 10).replacing("GET", with: method)) == .end)
    #expect(outcome(request((8 << 10) + 1).replacing("GET", with: method)) == .failure(.targetTooLong))
    #expect(outcome("GET /?" + String(repeating: "a", count: (8 << 10) - 1) + " HTTP/1.1\r\n") == .failure(.targetTooLong))
  }

  @Test("on a method let through 32 letters and nothing more")
  func method() {
    func request(_ count: Int) -> String { String(repeating: "M", count: count) + " / HTTP/1.1\r\nHost: a\r\n\r\n" }
    #expect(outcome(request(32)) == .end)
    #expect(outcome(request(33)) == .failure(.methodTooLong))
  }

  @Test("on a body let through what was configured and nothing more, at the head where the length is known")
  func body() {
    let limits = HTTPLimits(body: 10)
    func sized(_ count: Int) -> String {
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(count)\r\n\r\n" + String(repeating: "a", count: count)
    }
    func chunked(_ sizes: [Int]) -> String {
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + sizes.map { "\(String($0, radix: 16))\r\n\(String(repeating: "a", count: $0))\r\n" }.joined() + "0\r\n\r\n"
    }
    #expect(outcome(sized(10), limits) == .end)
    #expect(decodeRequests(sized(11), limits: limits) == [.failure(.bodyTooLarge)])
    #expect(outcome(chunked([4, 6]), limits) == .end)
    #expect(outcome(chunked([4, 7]), limits) == .failure(.bodyTooLarge))
    #expect(outcome(chunked([11]), limits) == .failure(.bodyTooLarge))
    #expect(HTTPLimits.standard.body == 1 << 20)
  }

  @Test("on the line before a chunk, on all extensions together and on trailers hold at the byte")
  func chunkOverhead() {
    let limits = HTTPLimits(chunkLine: 20, chunkExtensions: 30, trailers: 12)
    func request(_ body: String) -> String { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body }
    func line(_ extensionBytes: Int) -> String { "1;" + String(repeating: "a", count: extensionBytes - 1) + "\r\nx\r\n" }
    #expect(outcome(request(line(17) + "0\r\n\r\n"), limits) == .end)
    #expect(outcome(request(line(18) + "0\r\n\r\n"), limits) == .end)
    #expect(outcome(request(line(19) + "0\r\n\r\n"), limits) == .failure(.chunkLineTooLong))
    #expect(outcome(request(line(15) + line(15) + "0\r\n\r\n"), limits) == .end)
    #expect(outcome(request(line(15) + line(16) + "0\r\n\r\n"), limits) == .failure(.tooManyChunkExtensions))
    #expect(outcome(request(line(15) + line(15) + "0;a\r\n\r\n"), limits) == .failure(.tooManyChunkExtensions))
    #expect(outcome(request("0\r\nX: 34567\r\n\r\n"), HTTPLimits(trailers: 12)) == .end)
    #expect(outcome(request("0\r\nX: 345678\r\n\r\n"), HTTPLimits(trailers: 12)) == .failure(.trailersTooLarge))
  }

  @Test("keep the bytes a caller must hold within the size that is promised")
  func largestKept() {
    let limits = HTTPLimits.standard
    var decoder = HTTPRequestDecoder()
    var head = HTTPRequestHead()
    for text in ["GET / HTTP/1.1\r\nX: ", "\r\nGET / HTTP/1.1\r\nX: "] {
      let bytes = latin(text + String(repeating: "a", count: limits.largestKept - text.utf8.count))
      decoder = HTTPRequestDecoder()
      let step = decoder.next(bytes.span.bytes, head: &head)
      #expect(step == .failure(.headTooLarge))
    }
  }
}
