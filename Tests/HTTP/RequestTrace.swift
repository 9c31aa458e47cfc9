import Core
import HTTP
import TestSupport

/// What a decoder made of some bytes, in a form that can be compared.
enum Outcome: Equatable {
  case head(String)
  case byte(UInt8)
  case end
  case failure(HTTPDecodeFailure)
}

/// Decodes requests as a connection would and writes down what came out.
func decodeRequests(_ pieces: [[UInt8]], limits: HTTPLimits = .standard) -> [Outcome] {
  var decoder = HTTPRequestDecoder(limits: limits)
  var head = HTTPRequestHead()
  var outcomes: [Outcome] = []
  CodecVerifier.feed(pieces) { input in
    switch decoder.next(input, head: &head) {
    case .needMore: return .needMore
    case .head(let consumed):
      outcomes.append(.head(describe(head, input)))
      return .took(consumed)
    case .body(let range, let consumed):
      outcomes += range.map { .byte(input.byte(at: $0)) }
      return .took(consumed)
    case .end(let consumed):
      outcomes.append(.end)
      return .took(consumed)
    case .failure(let failure):
      outcomes.append(.failure(failure))
      return .stop
    }
  }
  return outcomes
}

func decodeRequests(_ text: String, limits: HTTPLimits = .standard) -> [Outcome] {
  decodeRequests([Array(text.utf8)], limits: limits)
}

/// Reads exactly one head and hands it, with the bytes, to `body`.
func withHead<R>(_ text: String, _ body: (HTTPRequestHead, RawSpan) throws -> R) throws -> R {
  let bytes = Array(text.utf8)
  var decoder = HTTPRequestDecoder()
  var head = HTTPRequestHead()
  guard case .head = decoder.next(bytes.span.bytes, head: &head) else { throw NoHead() }
  return try body(head, bytes.span.bytes)
}

/// The same for a GET with these field lines.
func withFields<R>(_ lines: String, _ body: (HTTPFields, RawSpan) throws -> R) throws -> R {
  try withHead("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n") { head, input in try body(head.fields, input) }
}

struct NoHead: Error {}

private func describe(_ head: HTTPRequestHead, _ input: RawSpan) -> String {
  var text = "\(head.method.label(input)) \(input.text(head.path))"
  if let query = head.query { text += "?\(input.text(query))" }
  text += " 1.\(head.minorVersion)"
  if let authority = head.authority { text += " at \(input.text(authority))" }
  for line in head.fields.lines { text += " [\(input.text(line.name))=\(input.text(line.value))]" }
  if head.keepAlive { text += " keep" }
  if head.expectsContinue { text += " continue" }
  if head.asksForWebSocket { text += " websocket" }
  if let length = head.contentLength { text += " length \(length)" }
  if head.isChunked { text += " chunked" }
  return text
}

extension HTTPMethod {
  func label(_ input: RawSpan) -> String {
    if case .other(let range) = self { return "(\(input.text(range)))" }
    return name?.description ?? "?"
  }
}

/// The bytes of `text` with every character below 256 as that one byte, so that tables can hold any byte.
func latin(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8($0.value) } }
