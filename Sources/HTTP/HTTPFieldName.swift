import Core

/// The fields whose names are recognised while a head is read, so that asking for one compares no text.
public enum HTTPFieldName: UInt8, CaseIterable, Sendable {
  /// A name not in this list.
  case other
  case accept
  case acceptEncoding
  case acceptLanguage
  case accessControlRequestHeaders
  case accessControlRequestMethod
  case allow
  case authorization
  case cacheControl
  case connection
  case contentEncoding
  case contentLength
  case contentType
  case cookie
  case date
  case entityTag
  case expect
  case forwarded
  case host
  case idempotencyKey
  case ifMatch
  case ifModifiedSince
  case ifNoneMatch
  case keepAlive
  case lastEventID
  case location
  case origin
  case range
  case referer
  case retryAfter
  case secWebSocketAccept
  case secWebSocketExtensions
  case secWebSocketKey
  case secWebSocketProtocol
  case secWebSocketVersion
  case server
  case setCookie
  case tidingsAck
  case tidingsCursor
  case tidingsEvent
  case tidingsTTL
  case trailer
  case transferEncoding
  case upgrade
  case userAgent
  case vary
  case via
  case wwwAuthenticate
  case xForwardedFor
  case xForwardedProto

  /// The name in lower case, as it is compared; empty for `other`.
  public var name: StaticString {
    switch self {
    case .other: ""
    case .accept: "accept"
    case .acceptEncoding: "accept-encoding"
    case .acceptLanguage: "accept-language"
    case .accessControlRequestHeaders: "access-control-request-headers"
    case .accessControlRequestMethod: "access-control-request-method"
    case .allow: "allow"
    case .authorization: "authorization"
    case .cacheControl: "cache-control"
    case .connection: "connection"
    case .contentEncoding: "content-encoding"
    case .contentLength: "content-length"
    case .contentType: "content-type"
    case .cookie: "cookie"
    case .date: "date"
    case .entityTag: "etag"
    case .expect: "expect"
    case .forwarded: "forwarded"
    case .host: "host"
    case .idempotencyKey: "idempotency-key"
    case .ifMatch: "if-match"
    case .ifModifiedSince: "if-modified-since"
    case .ifNoneMatch: "if-none-match"
    case .keepAlive: "keep-alive"
    case .lastEventID: "last-event-id"
    case .location: "location"
    case .origin: "origin"
    case .range: "range"
    case .referer: "referer"
    case .retryAfter: "retry-after"
    case .secWebSocketAccept: "sec-websocket-accept"
    case .secWebSocketExtensions: "sec-websocket-extensions"
    case .secWebSocketKey: "sec-websocket-key"
    case .secWebSocketProtocol: "sec-websocket-protocol"
    case .secWebSocketVersion: "sec-websocket-version"
    case .server: "server"
    case .setCookie: "set-cookie"
    case .tidingsAck: "tidings-ack"
    case .tidingsCursor: "tidings-cursor"
    case .tidingsEvent: "tidings-event"
    case .tidingsTTL: "tidings-ttl"
    case .trailer: "trailer"
    case .transferEncoding: "transfer-encoding"
    case .upgrade: "upgrade"
    case .userAgent: "user-agent"
    case .vary: "vary"
    case .via: "via"
    case .wwwAuthenticate: "www-authenticate"
    case .xForwardedFor: "x-forwarded-for"
    case .xForwardedProto: "x-forwarded-proto"
    }
  }

  /// Which known field a name is. `range` must hold token characters only.
  public static func recognise(_ range: Range<Int>, in input: RawSpan) -> HTTPFieldName {
    let name = FoldedName(range, in: input)
    switch range.count {
    case 3:
      if name.equals("via") { return .via }
    case 4:
      if name.equals("date") { return .date }
      if name.equals("etag") { return .entityTag }
      if name.equals("host") { return .host }
      if name.equals("vary") { return .vary }
    case 5:
      if name.equals("allow") { return .allow }
      if name.equals("range") { return .range }
    case 6:
      if name.equals("accept") { return .accept }
      if name.equals("cookie") { return .cookie }
      if name.equals("expect") { return .expect }
      if name.equals("origin") { return .origin }
      if name.equals("server") { return .server }
    case 7:
      if name.equals("referer") { return .referer }
      if name.equals("trailer") { return .trailer }
      if name.equals("upgrade") { return .upgrade }
    case 8:
      if name.equals("if-match") { return .ifMatch }
      if name.equals("location") { return .location }
    case 9:
      if name.equals("forwarded") { return .forwarded }
    case 10:
      if name.equals("connection") { return .connection }
      if name.equals("keep-alive") { return .keepAlive }
      if name.equals("set-cookie") { return .setCookie }
      if name.equals("user-agent") { return .userAgent }
    case 11:
      if name.equals("retry-after") { return .retryAfter }
      if name.equals("tidings-ack") { return .tidingsAck }
      if name.equals("tidings-ttl") { return .tidingsTTL }
    case 12:
      if name.equals("content-type") { return .contentType }
    case 13:
      if name.equals("authorization") { return .authorization }
      if name.equals("cache-control") { return .cacheControl }
      if name.equals("if-none-match") { return .ifNoneMatch }
      if name.equals("last-event-id") { return .lastEventID }
      if name.equals("tidings-event") { return .tidingsEvent }
    case 14:
      if name.equals("content-length") { return .contentLength }
      if name.equals("tidings-cursor") { return .tidingsCursor }
    case 15:
      if name.equals("accept-encoding") { return .acceptEncoding }
      if name.equals("accept-language") { return .acceptLanguage }
      if name.equals("idempotency-key") { return .idempotencyKey }
      if name.equals("x-forwarded-for") { return .xForwardedFor }
    case 16:
      if name.equals("content-encoding") { return .contentEncoding }
      if name.equals("www-authenticate") { return .wwwAuthenticate }
    case 17:
      if name.equals("if-modified-since") { return .ifModifiedSince }
      if name.equals("sec-websocket-key") { return .secWebSocketKey }
      if name.equals("transfer-encoding") { return .transferEncoding }
      if name.equals("x-forwarded-proto") { return .xForwardedProto }
    case 20:
      if name.equals("sec-websocket-accept") { return .secWebSocketAccept }
    case 21:
      if name.equals("sec-websocket-version") { return .secWebSocketVersion }
    case 22:
      if name.equals("sec-websocket-protocol") { return .secWebSocketProtocol }
    case 24:
      if name.equals("sec-websocket-extensions") { return .secWebSocketExtensions }
    case 29:
      if name.equals("access-control-request-method") { return .accessControlRequestMethod }
    case 30:
      if name.equals("access-control-request-headers") { return .accessControlRequestHeaders }
    default: break
    }
    return .other
  }

  @inline(__always) var bit: UInt64 { 1 << UInt64(rawValue) }
}

/// A field name whose letters are compared in either case, eight at a time.
private struct FoldedName: ~Escapable {
  let input: RawSpan
  let start: Int
  let count: Int

  @_lifetime(copy input)
  @inline(__always) init(_ range: Range<Int>, in input: RawSpan) {
    self.input = input
    start = range.lowerBound
    count = range.count
  }

  /// Compares with a lower-case name that has the same length.
  @inline(__always) func equals(_ text: StaticString) -> Bool {
    // Setting one bit folds letters, and makes no other token character look like a letter or a hyphen.
    let fold: UInt64 = 0x2020_2020_2020_2020
    let known = UnsafeRawPointer(text.utf8Start)
    guard count >= 8 else {
      for index in 0..<count where input.byte(at: start + index) | 0x20 != text.utf8Start[index] { return false }
      return true
    }
    var index = 0
    while index + 8 <= count {
      let word = UInt64(littleEndian: known.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      if input.word(at: start + index) | fold != word { return false }
      index += 8
    }
    let last = UInt64(littleEndian: known.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self))
    return input.word(at: start + count - 8) | fold == last
  }
}
