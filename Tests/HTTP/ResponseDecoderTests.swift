import Core
import HTTP
import TestSupport
import Testing

private func decodeResponses(
  _ pieces: [[UInt8]], to method: HTTPMethod = .get, limits: HTTPLimits = .response, closing: Bool = false
) -> [Outcome] {
  var decoder = HTTPResponseDecoder(limits: limits)
  decoder.expect(answerTo: method)
  var head = HTTPResponseHead()
  var outcomes: [Outcome] = []
  var left = pieces.reduce(0) { $0 + $1.count }
  CodecVerifier.feed(pieces) { input in
    switch decoder.next(input, head: &head) {
    case .needMore: return .needMore
    case .head(let consumed):
      var text = "\(head.status) \(input.text(head.reason)) 1.\(head.minorVersion)"
      for line in head.fields.lines { text += " [\(input.text(line.name))=\(input.text(line.value))]" }
      if head.keepAlive { text += " keep" }
      if head.isInterim { text += " interim" }
      outcomes.append(.head(text))
      left -= consumed
      return .took(consumed)
    case .body(let range, let consumed):
      outcomes += range.map { .byte(input.byte(at: $0)) }
      left -= consumed
      return .took(consumed)
    case .end(let consumed):
      outcomes.append(.end)
      left -= consumed
      return .took(consumed)
    case .failure(let failure):
      outcomes.append(.failure(failure))
      return .stop
    }
  }
  if closing {
    switch decoder.close(pending: left) {
    case .end: outcomes.append(.end)
    case .failure(let failure): outcomes.append(.failure(failure))
    default: break
    }
  }
  return outcomes
}

private func bytes(_ text: String) -> [Outcome] { latin(text).map { .byte($0) } }

@Suite("Responses")
struct ResponseDecoderTests {
  @Test("with a length, chunked, or without a body mean the same however they arrive")
  func good() throws {
    let sized = latin("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    let chunked = latin("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    let none = latin("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    let interim = latin("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n")
    #expect(
      try CodecVerifier.verify(sized) { decodeResponses($0) } == [.head("200 OK 1.1 [Content-Length=5] keep")] + bytes("hello")
        + [.end])
    #expect(
      try CodecVerifier.verify(chunked) { decodeResponses($0) }
        == [.head("200  1.1 [Transfer-Encoding=chunked] keep")] + bytes("hello") + [.end])
    #expect(try CodecVerifier.verify(none) { decodeResponses($0) } == [.head("204 No Content 1.1 [Connection=close]"), .end])
    #expect(
      try CodecVerifier.verify(interim) { decodeResponses($0) } == [
        .head("100 Continue 1.1 keep interim"), .end, .head("304 Not Modified 1.1 [Content-Length=9] keep"), .end,
      ])
    try CodecVerifier.verify(sized, followedBy: chunked) { decodeResponses($0) }
    try CodecVerifier.verify(chunked, followedBy: none) { decodeResponses($0) }
  }

  @Test("to HEAD end at their head")
  func answerToHead() {
    let text = latin("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    #expect(decodeResponses([text], to: .head) == [.head("200 OK 1.1 [Content-Length=5] keep"), .end])
  }

  @Test("without a length last until the peer closes")
  func untilClose() throws {
    let text = latin("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nhello")
    let outcomes = try CodecVerifier.verify(text) { decodeResponses($0) }
    #expect(outcomes == [.head("200 OK 1.0 [Connection=keep-alive]")] + bytes("hello"))
    #expect(decodeResponses([text], closing: true).last == .end)
    #expect(decodeResponses([text], limits: HTTPLimits(body: 4)).last == .failure(.bodyTooLarge))
    #expect(decodeResponses(text.map { [$0] }, limits: HTTPLimits(body: 4)).last == .failure(.bodyTooLarge))
  }

  @Test("cut short are failures, not short answers")
  func truncated() {
    for text in [
      "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
      "HTTP/1.1 200 O",
    ] {
      #expect(decodeResponses([latin(text)], closing: true).last == .failure(.truncated))
    }
    #expect(decodeResponses([latin("HTTP/1.1 204 No Content\r\n\r\n")], closing: true).last == .end)
  }

  @Test("that switch protocols leave the bytes behind them alone")
  func switching() {
    let outcomes = decodeResponses([latin("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\u{81}\u{1}a")])
    #expect(outcomes == [.head("101 Switching Protocols 1.1 [Upgrade=websocket] keep"), .end])
  }

  @Test(
    "that are malformed are refused",
    arguments: [
      ("HTTP/2.0 200 OK\r\n\r\n", HTTPDecodeFailure.versionNotSupported),
      ("ICY 200 OK\r\n\r\n", .malformedVersion),
      ("HTTP/1.1  200 OK\r\n\r\n", .malformedStartLine),
      ("HTTP/1.1 20 OK\r\n\r\n", .malformedStartLine),
      ("HTTP/1.1 2000 OK\r\n\r\n", .malformedStartLine),
      ("HTTP/1.1 099 OK\r\n\r\n", .malformedStartLine),
      ("HTTP/1.1 600 OK\r\n\r\n", .malformedStartLine),
      ("HTTP/1.1 2\r\n\r\n", .malformedStartLine),
      ("HTTP/1.1\r\n\r\n", .malformedVersion),
      ("HTTP/1.1 200 OK\n\n", .bareLineFeed),
      ("\r\nHTTP/1.1 200 OK\r\n\r\n", .malformedVersion),
      ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", .spaceBeforeColon),
      ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", .repeatedContentLength),
      ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .bothLengths),
      ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", .unknownTransferEncoding),
      ("HTTP/1.1 200 OK\r\nX: " + String(repeating: "a", count: 20_000), .headTooLarge),
    ])
  func malformed(_ text: String, _ failure: HTTPDecodeFailure) {
    #expect(decodeResponses([latin(text)]) == [.failure(failure)])
  }
}
