import Core
import HTTP
import TestSupport
import Testing

private func written(_ body: (inout ByteBuffer) -> Void) -> String {
  var buffer = ByteBuffer()
  body(&buffer)
  return buffer.freeze().text
}

@Suite("Encoders")
struct EncoderTests {
  @Test("write a whole answer, and for HEAD the same without its body")
  func answer() {
    let body = latin("{}")
    let text = written {
      HTTPResponseEncoder.answer(
        .ok, type: "application/json", body: body.span.bytes, connection: .close, date: Bytes("Sat, 21 Nov 2026 03:00:00 GMT"),
        into: &$0)
    }
    let head =
      "HTTP/1.1 200 OK\r\nDate: Sat, 21 Nov 2026 03:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
    #expect(text == head + "{}")
    let headOnly = written {
      HTTPResponseEncoder.answer(
        .ok, type: "application/json", body: body.span.bytes, connection: .close, date: Bytes("Sat, 21 Nov 2026 03:00:00 GMT"),
        includesBody: false, into: &$0)
    }
    #expect(headOnly == head)
  }

  @Test("give an answer that has no body no length either")
  func noContent() {
    let nothing: [UInt8] = []
    let text = written {
      HTTPResponseEncoder.answer(.noContent, type: "text/plain", body: nothing.span.bytes, connection: .keepAlive, into: &$0)
    }
    #expect(text == "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n")
    #expect(written { HTTPResponseEncoder.goOn(into: &$0) } == "HTTP/1.1 100 Continue\r\n\r\n")
  }

  @Test("let nothing from outside end a line")
  func injection() {
    let hostile = "a\r\nSet-Cookie: b\0\u{7f}\tc"
    let text = written { HTTPFieldEncoder.field("X", text: hostile, into: &$0) }
    #expect(text == "X: a  Set-Cookie: b   c\r\n")
    let bytes = latin("X: evil")
    let empty: [UInt8] = []
    var buffer = ByteBuffer()
    #expect(HTTPFieldEncoder.field(name: bytes.span.bytes, bytes: bytes.span.bytes, into: &buffer) == false)
    #expect(HTTPFieldEncoder.field(name: empty.span.bytes, bytes: bytes.span.bytes, into: &buffer) == false)
    let count = buffer.count
    #expect(count == 0)
    let name = latin("X-Good")
    #expect(HTTPFieldEncoder.field(name: name.span.bytes, bytes: bytes.span.bytes, into: &buffer) == true)
    #expect(buffer.freeze().text == "X-Good: X: evil\r\n")
    let request = written { HTTPRequestEncoder.start(.get, target: "/a b\r\nX: y#z\u{e9}", host: "h\r\nY: z", into: &$0) }
    #expect(request == "GET /a%20b%0D%0AX:%20y%23z%C3%A9 HTTP/1.1\r\nHost: h  Y: z\r\n")
  }

  @Test("frame chunks that the decoder takes apart again, at every size of size")
  func chunks() {
    for count in [1, 9, 10, 15, 16, 255, 256, 4096, 65_535, 65_536] {
      let body = [UInt8](repeating: 7, count: count)
      let text = written { HTTPChunkEncoder.chunkStart(count: count, into: &$0) }
      #expect(text == "\(String(count, radix: 16))\r\n")
      var buffer = ByteBuffer()
      buffer.append("POST / HTTP/1.1\r\nHost: a\r\n")
      HTTPResponseEncoder.chunkedEncoding(into: &buffer)
      HTTPFieldEncoder.end(into: &buffer)
      HTTPChunkEncoder.chunk(body.span.bytes, into: &buffer)
      HTTPChunkEncoder.chunk([UInt8]().span.bytes, into: &buffer)
      HTTPChunkEncoder.last(into: &buffer)
      let outcomes = decodeRequests([buffer.freeze().array])
      #expect(outcomes.count == count + 2)
      #expect(outcomes.last == .end)
    }
  }

  @Test("write requests that the decoder reads back")
  func request() {
    let body = latin("hello")
    var buffer = ByteBuffer()
    HTTPRequestEncoder.request(
      .post, target: "/v1/topics/a?b=c", host: "[::1]:80", type: "text/plain", body: body.span.bytes, into: &buffer)
    #expect(
      decodeRequests([buffer.freeze().array]) == [
        .head(
          "POST /v1/topics/a?b=c 1.1 at [::1]:80 [Host=[::1]:80] [Content-Type=text/plain] [Content-Length=5] keep length 5")
      ] + body.map { .byte($0) } + [.end])
  }

  @Test("answer the connection as the request allows")
  func connection() throws {
    func manner(_ text: String, closing: Bool = false) throws -> String {
      try withHead(text) { head, _ in "\(HTTPResponseEncoder.connection(answering: head, closing: closing))" }
    }
    #expect(try manner("GET / HTTP/1.1\r\nHost: a\r\n\r\n") == "persistent")
    #expect(try manner("GET / HTTP/1.1\r\nHost: a\r\n\r\n", closing: true) == "close")
    #expect(try manner("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") == "close")
    #expect(try manner("GET / HTTP/1.0\r\n\r\n") == "close")
    #expect(try manner("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n") == "keepAlive")
  }

  @Test("know a phrase for every status")
  func statuses() {
    for status in HTTPStatus.allCases {
      let text = written { HTTPResponseEncoder.start(status, into: &$0) }
      #expect(text == "HTTP/1.1 \(status.rawValue) \(status.reason)\r\n")
      #expect(status.reason.utf8CodeUnitCount > 1)
    }
    #expect(HTTPStatus.notModified.hasNoBody && HTTPStatus.switchingProtocols.hasNoBody && !HTTPStatus.ok.hasNoBody)
  }
}
