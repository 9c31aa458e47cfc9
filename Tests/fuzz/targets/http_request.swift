// rooms: HTTP
// max_len: 1024
import Core
import HTTP

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_: UnsafeMutableRawPointer?, _: UnsafeMutableRawPointer?) -> CInt {
  plant {
    [
      "GET /v1/topics/a%2Fb?last=3&filter=a/%2B HTTP/1.1\r\nHost: [::1]:80\r\nAccept: text/html;q=0.5, */*\r\nCookie: a=b; c=\"d\"\r\n\r\n",
      "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nIf-Match: \"1.2\", W/\"x\"\r\n\r\nhelloGET / HTTP/1.0\r\n\r\n",
      "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: x\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nOrigin: https://a.b:4\r\n\r\n",
      "OPTIONS * HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nAuthorization: Bearer x\r\nContent-Type: application/json; charset=\"utf-8\"\r\n\r\n",
    ].map { Array($0.utf8) }
  }
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = copied(start, count)
  let whole = outcomes(bytes, step: bytes.count)
  // Byte by byte costs the square of the length.
  if bytes.count <= 256 { insist(outcomes(bytes, step: 1) == whole, "where the bytes are cut changes what they mean") }
  insist(outcomes(bytes, step: 7 + bytes.count / 8) == whole, "where the bytes are cut changes what they mean")
  return 0
}

/// What a connection makes of the bytes, shown `step` more of them at a time.
private func outcomes(_ bytes: [UInt8], step: Int) -> [UInt64] {
  var decoder = HTTPRequestDecoder(limits: HTTPLimits(body: 300))
  var head = HTTPRequestHead()
  var outcomes: [UInt64] = []
  var body: UInt64 = 0
  var at = 0
  var shown = 0
  while shown < bytes.count {
    shown = min(bytes.count, shown + max(1, step))
    decoding: while true {
      // A copy, so that the sanitizer sees who reads past it.
      let input = Array(bytes[at..<shown])
      switch decoder.next(input.span.bytes, head: &head) {
      case .needMore: break decoding
      case .head(let consumed):
        insist(consumed <= input.count, "a head that is longer than what there was")
        outcomes += [1, UInt64(consumed), UInt64(head.contentLength ?? 0)]
        visit(head, input.span.bytes)
        at += consumed
      case .body(let range, let consumed):
        for byte in input[range] { body = body &* 31 &+ UInt64(byte) &+ 1 }
        at += consumed
      case .end(let consumed):
        outcomes += [2, body]
        at += consumed
      case .failure(let failure): return outcomes + failure.code
      }
    }
  }
  return outcomes + [body]
}

extension HTTPDecodeFailure {
  fileprivate var code: [UInt64] { "\(self)".utf8.map { UInt64($0) } }
}

/// Everything a handler may ask of a head.
private func visit(_ head: HTTPRequestHead, _ input: RawSpan) {
  var value = ByteBuffer()
  var query = HTTPQuery(head.query)
  while let pair = query.next(in: input) { _ = pair.decodeValue(in: input, into: &value) }
  _ = PercentCoding.decode(head.path, in: input, into: &value)
  _ = HTTPCookie.value(named: "a", in: head.fields, input)
  _ = MediaPreference.best(of: ["text/html", "application/json"], for: head.fields, in: input)
  for name in [HTTPFieldName.accept, .ifMatch, .host, .origin, .contentType, .connection] {
    guard let found = head.fields.first(name) else { continue }
    var list = HTTPList(found)
    while list.next(in: input) != nil {}
    var tags = EntityTags(found)
    while tags.next(in: input) != nil {}
    _ = HTTPAuthority.read(found, in: input)
    if let origin = HTTPOrigin.read(found, in: input) { _ = (origin.effectivePort(in: input), origin.isLoopback(in: input)) }
    _ = (MediaType.isJSON(found, in: input), MediaType.isWellFormed(found, in: input))
  }
}
