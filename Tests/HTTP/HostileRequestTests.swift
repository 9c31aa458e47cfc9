import HTTP
import TestSupport
import Testing

/// One request that must be refused, and why.
struct HostileRequest: Sendable, CustomTestStringConvertible {
  let name: String
  let text: String
  let failure: HTTPDecodeFailure

  init(_ name: String, _ text: String, _ failure: HTTPDecodeFailure) {
    self.name = name
    self.text = text
    self.failure = failure
  }

  var testDescription: String { name }
}

private func post(_ fields: String, _ body: String = "") -> String {
  "POST /x HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\(body)"
}

private func chunked(_ body: String) -> String { post("Transfer-Encoding: chunked\r\n", body) }

let hostileLines: [HostileRequest] = [
  .init("a bare line feed after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", .bareLineFeed),
  .init("a bare line feed after a field", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", .bareLineFeed),
  .init("a bare line feed as the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n", .bareLineFeed),
  .init("bare carriage returns for line ends", "GET / HTTP/1.1\rHost: a\r\r", .bareCarriageReturn),
  .init("a bare carriage return within a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", .bareCarriageReturn),
  .init("two carriage returns before a line feed", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", .bareCarriageReturn),
  .init("a carriage return first", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", .bareCarriageReturn),
  .init("a line feed first", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .bareLineFeed),
  .init("two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedStartLine),
  .init("a space first", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedStartLine),
  .init("NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", .controlCharacter),
  .init("NUL in a name", "GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n", .controlCharacter),
  .init("NUL in the target", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", .controlCharacter),
  .init("a bell in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\u{7}\r\n\r\n", .controlCharacter),
  .init("DEL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\u{7f}\r\n\r\n", .controlCharacter),
  .init("an escape sequence in a cookie", "GET / HTTP/1.1\r\nHost: a\r\nCookie: a=\u{1b}[0m\r\n\r\n", .controlCharacter),
  .init("the start of a TLS connection", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0", .controlCharacter),
]

let hostileStartLines: [HostileRequest] = [
  .init("no version, as in HTTP/0.9", "GET /\r\n\r\n", .malformedStartLine),
  .init("no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", .malformedStartLine),
  .init("an empty target", "GET  HTTP/1.1\r\nHost: a\r\n\r\n", .malformedStartLine),
  .init("two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", .malformedVersion),
  .init("a space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", .malformedVersion),
  .init("a tab for a space", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", .malformedStartLine),
  .init("a tab before the version", "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", .targetCharacter),
  .init("a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", .malformedVersion),
  .init("a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", .targetCharacter),
  .init("a fragment after a query", "GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n", .targetCharacter),
  .init("bytes beyond ASCII in the target", "GET /\u{c3}\u{a9} HTTP/1.1\r\nHost: a\r\n\r\n", .targetCharacter),
  .init("an overlong slash in the target", "GET /\u{c0}\u{af} HTTP/1.1\r\nHost: a\r\n\r\n", .targetCharacter),
  .init("a backslash in the path", "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", .targetCharacter),
  .init("angle brackets in the query", "GET /?<b> HTTP/1.1\r\nHost: a\r\n\r\n", .targetCharacter),
  .init("a method that is no token", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedStartLine),
  .init("a byte order mark", "\u{ef}\u{bb}\u{bf}GET / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedStartLine),
  .init("an empty method", " / HTTP/1.1\r\nHost: a\r\n\r\n", .malformedStartLine),
  .init("a method of 33 letters", String(repeating: "M", count: 33) + " / HTTP/1.1\r\nHost: a\r\n\r\n", .methodTooLong),
  .init("an endless method", String(repeating: "M", count: 100_000), .methodTooLong),
  .init("an endless target", "GET /" + String(repeating: "a", count: 100_000), .targetTooLong),
  .init("CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", .connectMethod),
  .init("an asterisk for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget),
  .init("an asterisk with a query", "OPTIONS *?a HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget),
  .init("an authority for GET", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget),
  .init("a path without its slash", "GET a/b HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget),
  .init("another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget),
  .init("a whole address without a host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget),
  .init("a user in a whole address", "GET http://me@a/x HTTP/1.1\r\nHost: a\r\n\r\n", .malformedTarget),
  .init("a whole address without Host", "GET http://a/x HTTP/1.1\r\n\r\n", .missingHost),
  .init("HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", .versionNotSupported),
  .init("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .versionNotSupported),
  .init("HTTP/0.9 said aloud", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", .versionNotSupported),
  .init("HTTP/3.0", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", .versionNotSupported),
  .init("a version without a minor digit", "GET / HTTP/1\r\nHost: a\r\n\r\n", .malformedVersion),
  .init("a version with leading zeros", "GET / HTTP/01.01\r\nHost: a\r\n\r\n", .malformedVersion),
  .init("a version with two minor digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", .malformedVersion),
  .init("a version in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n", .malformedVersion),
  .init("a version with a space", "GET / HTTP/ 1.1\r\nHost: a\r\n\r\n", .malformedVersion),
  .init("a version with a letter", "GET / HTTP/1.x\r\nHost: a\r\n\r\n", .malformedVersion),
  .init("another protocol", "GET / RTSP/1.0\r\nHost: a\r\n\r\n", .malformedVersion),
]

let hostileFields: [HostileRequest] = [
  .init("a folded value", post("X: a\r\n b\r\n"), .foldedField),
  .init("a value folded with a tab", post("X: a\r\n\tb\r\n"), .foldedField),
  .init("white space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", .foldedField),
  .init("Transfer-Encoding folded", post("Transfer-Encoding:\r\n chunked\r\n"), .malformedTransferEncoding),
  .init("a space before the colon", post("X : a\r\n"), .spaceBeforeColon),
  .init("a tab before the colon", post("X\t: a\r\n"), .spaceBeforeColon),
  .init("Content-Length with a space before the colon", post("Content-Length : 3\r\n", "abc"), .spaceBeforeColon),
  .init("an empty name", post(": a\r\n"), .emptyFieldName),
  .init("a line without a colon", post("nonsense\r\n"), .missingColon),
  .init("a name with a bracket", post("X[1]: a\r\n"), .malformedFieldName),
  .init("a name with a space in it", post("X Y: a\r\n"), .malformedFieldName),
  .init("a name beyond ASCII", post("\u{e9}: a\r\n"), .malformedFieldName),
  .init("a name with a slash", post("X/Y: a\r\n"), .malformedFieldName),
  .init("a name in quotes", post("\"X\": a\r\n"), .malformedFieldName),
  .init("no Host", "GET / HTTP/1.1\r\n\r\n", .missingHost),
  .init("an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", .malformedHost),
  .init("two Hosts that differ", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", .repeatedHost),
  .init("two Hosts that agree", "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", .repeatedHost),
  .init("two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", .repeatedHost),
  .init("two Hosts in one line", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", .malformedHost),
  .init("a Host with a user", "GET / HTTP/1.1\r\nHost: me@a\r\n\r\n", .malformedHost),
  .init("a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .malformedHost),
  .init("a Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .malformedHost),
  .init("a Host with a port that is no number", "GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n", .malformedHost),
  .init("a Host with a port too large", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", .malformedHost),
  .init("a Host that is only a port", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", .malformedHost),
  .init("a Host with a bracket left open", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", .malformedHost),
  .init("a Host of empty brackets", "GET / HTTP/1.1\r\nHost: []:80\r\n\r\n", .malformedHost),
  .init("a Host with text behind its brackets", "GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", .malformedHost),
  .init("a Host beyond ASCII", "GET / HTTP/1.1\r\nHost: \u{e9}\r\n\r\n", .malformedHost),
  .init("an unknown expectation", post("Expect: 200-maybe\r\nContent-Length: 1\r\n"), .unknownExpectation),
  .init("a known and an unknown expectation", post("Expect: 100-continue, more\r\nContent-Length: 1\r\n"), .unknownExpectation),
]

let hostileFraming: [HostileRequest] = [
  .init("length then chunked", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), .bothLengths),
  .init("chunked then length", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), .bothLengths),
  .init("length and an unknown coding", post("Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n"), .bothLengths),
  .init("length and identity", post("Content-Length: 5\r\nTransfer-Encoding: identity\r\n"), .bothLengths),
  .init("two lengths that differ", post("Content-Length: 5\r\nContent-Length: 6\r\n"), .repeatedContentLength),
  .init("two lengths that agree", post("Content-Length: 5\r\nContent-Length: 5\r\n"), .repeatedContentLength),
  .init("a list of lengths that agree", post("Content-Length: 5, 5\r\n"), .repeatedContentLength),
  .init("a list of lengths that differ", post("Content-Length: 5,6\r\n"), .repeatedContentLength),
  .init("an empty length", post("Content-Length:\r\n"), .malformedContentLength),
  .init("a negative length", post("Content-Length: -1\r\n"), .malformedContentLength),
  .init("minus zero", post("Content-Length: -0\r\n"), .malformedContentLength),
  .init("a length with a plus", post("Content-Length: +5\r\n"), .malformedContentLength),
  .init("a length with a space in it", post("Content-Length: 1 0\r\n"), .malformedContentLength),
  .init("a length with an underscore", post("Content-Length: 1_0\r\n"), .malformedContentLength),
  .init("a hexadecimal length", post("Content-Length: 0x5\r\n"), .malformedContentLength),
  .init("a length that is a word", post("Content-Length: five\r\n"), .malformedContentLength),
  .init("a length with a fraction", post("Content-Length: 5.0\r\n"), .malformedContentLength),
  .init("a length that looks octal", post("Content-Length: 0200\r\n"), .malformedContentLength),
  .init("a double zero", post("Content-Length: 00\r\n"), .malformedContentLength),
  .init("a length past 64 bits", post("Content-Length: 18446744073709551621\r\n"), .malformedContentLength),
  .init(
    "a length of a hundred digits", post("Content-Length: " + String(repeating: "9", count: 100) + "\r\n"),
    .malformedContentLength),
  .init("a length past the limit", post("Content-Length: 999999999999\r\n"), .bodyTooLarge),
  .init("an unknown coding", post("Transfer-Encoding: gzip\r\n"), .unknownTransferEncoding),
  .init("almost chunked", post("Transfer-Encoding: xchunked\r\n"), .unknownTransferEncoding),
  .init("identity", post("Transfer-Encoding: identity\r\n"), .unknownTransferEncoding),
  .init("an unknown coding before chunked", post("Transfer-Encoding: gzip, chunked\r\n"), .unknownTransferEncoding),
  .init("a coding after chunked", post("Transfer-Encoding: chunked, gzip\r\n"), .chunkedNotLast),
  .init(
    "a coding after chunked on its own line", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n"), .chunkedNotLast
  ),
  .init("chunked twice", post("Transfer-Encoding: chunked, chunked\r\n"), .chunkedNotLast),
  .init("chunked twice on two lines", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), .chunkedNotLast),
  .init("an empty coding", post("Transfer-Encoding:\r\n"), .malformedTransferEncoding),
  .init("a comma before chunked", post("Transfer-Encoding: , chunked\r\n"), .malformedTransferEncoding),
  .init("a comma after chunked", post("Transfer-Encoding: chunked,\r\n"), .malformedTransferEncoding),
  .init("chunked with a parameter", post("Transfer-Encoding: chunked;a=b\r\n"), .malformedTransferEncoding),
  .init("chunked in quotes", post("Transfer-Encoding: \"chunked\"\r\n"), .malformedTransferEncoding),
  .init("chunked and another word", post("Transfer-Encoding: chunked gzip\r\n"), .malformedTransferEncoding),
  .init("chunked with a byte beyond ASCII", post("Transfer-Encoding: chunked\u{a0}\r\n"), .malformedTransferEncoding),
  .init("chunked with a vertical tab", post("Transfer-Encoding: \u{b}chunked\r\n"), .controlCharacter),
  .init("chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", .transferEncodingInOldVersion),
]

let hostileChunks: [HostileRequest] = [
  .init("an empty size", chunked("\r\n"), .malformedChunkSize),
  .init("a size that is no number", chunked("xyz\r\n"), .malformedChunkSize),
  .init("a size with a prefix", chunked("0x5\r\nhello\r\n0\r\n\r\n"), .malformedChunkSize),
  .init("a size with a plus", chunked("+5\r\nhello\r\n"), .malformedChunkSize),
  .init("a negative size", chunked("-5\r\nhello\r\n"), .malformedChunkSize),
  .init("a space before the size", chunked(" 5\r\nhello\r\n"), .malformedChunkSize),
  .init("a space after the size", chunked("5 \r\nhello\r\n"), .malformedChunkExtension),
  .init("a size with an underscore", chunked("1_0\r\n"), .malformedChunkSize),
  .init("a size of 17 digits", chunked("00000000000000005\r\nhello\r\n"), .malformedChunkSize),
  .init("a size past 63 bits", chunked("FFFFFFFFFFFFFFFF\r\n"), .malformedChunkSize),
  .init("a size past the limit", chunked("FFFFFFFF\r\n"), .bodyTooLarge),
  .init("a size past the limit with what came before", chunked("1\r\na\r\n100000\r\n"), .bodyTooLarge),
  .init("a size ended by a bare line feed", chunked("5\nhello\r\n"), .bareLineFeed),
  .init("a size ended by a bare carriage return", chunked("5\rhello\r\n"), .bareCarriageReturn),
  .init("a bare semicolon", chunked("5;\r\nhello\r\n"), .malformedChunkExtension),
  .init("an extension that is no token", chunked("5;a@b\r\nhello\r\n"), .malformedChunkExtension),
  .init("an extension without its value", chunked("5;a=\r\nhello\r\n"), .malformedChunkExtension),
  .init("an extension with NUL", chunked("5;a\0\r\nhello\r\n"), .malformedChunkExtension),
  .init("an extension with a bare line feed", chunked("5;a\nhello\r\n"), .bareLineFeed),
  .init("an extension with a bare carriage return", chunked("5;a\rX\r\nhello\r\n"), .bareCarriageReturn),
  .init("a line end within quotes", chunked("5;a=\"\r\n\"\r\nhello\r\n"), .malformedChunkExtension),
  .init("a bare line feed within quotes", chunked("5;a=\"\n\"\r\nhello\r\n"), .bareLineFeed),
  .init("an extension without end", chunked("5;" + String(repeating: "a", count: 70_000)), .chunkLineTooLong),
  .init("a chunk longer than its size", chunked("5\r\nhello!!\r\n0\r\n\r\n"), .unterminatedChunk),
  .init("a chunk that ends in a bare line feed", chunked("5\r\nhello\n0\r\n\r\n"), .unterminatedChunk),
  .init("a chunk that ends in a bare carriage return", chunked("5\r\nhello\r0\r\n\r\n"), .unterminatedChunk),
  .init("a chunk without its line end", chunked("5\r\nhello0\r\n\r\n"), .unterminatedChunk),
  .init("a trailer without a colon", chunked("0\r\nnonsense\r\n\r\n"), .missingColon),
  .init("a trailer with a space before the colon", chunked("0\r\nX : a\r\n\r\n"), .spaceBeforeColon),
  .init("a folded trailer", chunked("0\r\nX: a\r\n b\r\n\r\n"), .foldedField),
  .init("a trailer ended by a bare line feed", chunked("0\r\nX: a\n\r\n"), .bareLineFeed),
  .init("trailers ended by a bare line feed", chunked("0\r\n\n"), .bareLineFeed),
  .init("a request hidden where trailers are", chunked("0\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n"), .malformedFieldName),
  .init("trailers without end", chunked("0\r\n" + String(repeating: "X: a\r\n", count: 20_000)), .trailersTooLarge),
]

@Suite("Hostile requests")
struct HostileRequestTests {
  @Test(
    "are refused for the right reason, whole and byte by byte",
    arguments: hostileLines + hostileStartLines + hostileFields + hostileFraming + hostileChunks)
  func refused(_ row: HostileRequest) {
    let bytes = latin(row.text)
    let whole = decodeRequests([bytes])
    #expect(whole.last == .failure(row.failure))
    // The byte that is wrong is enough; what comes after it need not be waited for.
    let pieces = bytes.prefix(20_000).map { [$0] }
    #expect(decodeRequests(pieces) == whole)
    #expect(!whole.contains(.end), "nothing of it may pass for a whole message")
  }

  @Test("leave nothing decoded after the refusal, whatever follows")
  func staysFailed() {
    var decoder = HTTPRequestDecoder()
    var head = HTTPRequestHead()
    let bad = latin("GET / HTTP/1.1\nHost: a\r\n\r\n")
    let good = latin("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    let first = decoder.next(bad.span.bytes, head: &head)
    let second = decoder.next(good.span.bytes, head: &head)
    #expect(first == .failure(.bareLineFeed))
    #expect(second == .failure(.bareLineFeed))
  }

  @Test("are answered with the status that fits, and a sentence")
  func statuses() {
    #expect(HTTPDecodeFailure.bothLengths.status == .badRequest)
    #expect(HTTPDecodeFailure.bodyTooLarge.status == .contentTooLarge)
    #expect(HTTPDecodeFailure.targetTooLong.status == .targetTooLong)
    #expect(HTTPDecodeFailure.unknownExpectation.status == .expectationFailed)
    #expect(HTTPDecodeFailure.headTooLarge.status == .headTooLarge)
    #expect(HTTPDecodeFailure.tooManyFields.status == .headTooLarge)
    #expect(HTTPDecodeFailure.unknownTransferEncoding.status == .notImplemented)
    #expect(HTTPDecodeFailure.connectMethod.status == .notImplemented)
    #expect(HTTPDecodeFailure.versionNotSupported.status == .versionNotSupported)
    for failure in HTTPDecodeFailure.allCases {
      #expect(failure.sentence.description.hasSuffix("."))
      #expect(failure.status.rawValue >= 400)
    }
  }
}
