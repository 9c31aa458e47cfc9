public import Core

/// Why a request is not answered with a WebSocket.
public enum WebSocketRefusal: Error, Equatable, Sendable {
  case upgradeMissing
  case connectionNotUpgrade
  case keyInvalid
  case versionUnsupported

  /// The HTTP status of the answer. 426 must carry `Sec-WebSocket-Version: 13` and `Upgrade: websocket`.
  public var status: Int {
    switch self {
    case .upgradeMissing, .versionUnsupported: return 426
    case .connectionNotUpgrade, .keyInvalid: return 400
    }
  }

  public var reason: StaticString {
    switch self {
    case .upgradeMissing: return "This address speaks WebSocket: send Upgrade: websocket."
    case .connectionNotUpgrade: return "The Connection field must name Upgrade."
    case .keyInvalid: return "Sec-WebSocket-Key must be given once and be 16 bytes in base64."
    case .versionUnsupported: return "Sec-WebSocket-Version must be 13."
    }
  }
}

/// What the server answers a handshake with.
public struct WebSocketAcceptance: Equatable, Sendable {
  /// The value of `Sec-WebSocket-Accept`.
  public var accept: Bytes
  /// Which of the server's protocols was chosen: the one the client named first. None when none is common.
  public var protocolIndex: Int?
  /// None when messages are not compressed.
  public var compression: DeflateAgreement?
}

/// The server's side of an opening handshake (RFC 6455 section 4.2), fed with header fields.
///
/// That the request is a GET of HTTP/1.1 or later is for the caller to see to.
public struct WebSocketHandshake {
  private let protocols: [StaticString]
  private let allowsCompression: Bool
  private var upgrades = false
  private var connects = false
  private var hasVersion = false
  private var versionIsBad = false
  private var accept: Bytes?
  private var keyIsBad = false
  private var protocolIndex: Int?
  private var compression: DeflateAgreement?

  /// `protocols` are the subprotocols the server speaks at this address.
  public init(protocols: [StaticString] = [], allowsCompression: Bool = true) {
    self.protocols = protocols
    self.allowsCompression = allowsCompression
  }

  /// Takes one header field of the request, in the order they came; those that do not matter here are ignored.
  public mutating func note(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
    let value = WebSocketHandshake.trimmed(value)
    switch name.count {
    case 7 where spellsIgnoringCase(name, "upgrade"):
      upgrades = upgrades || WebSocketHandshake.lists(value, "websocket")
    case 10 where spellsIgnoringCase(name, "connection"):
      connects = connects || WebSocketHandshake.lists(value, "upgrade")
    case 17 where spellsIgnoringCase(name, "sec-websocket-key"):
      noteKey(value)
    case 21 where spellsIgnoringCase(name, "sec-websocket-version"):
      versionIsBad = versionIsBad || !spells(value, "13")
      hasVersion = true
    case 22 where spellsIgnoringCase(name, "sec-websocket-protocol"):
      noteProtocols(value)
    case 24 where spellsIgnoringCase(name, "sec-websocket-extensions"):
      if allowsCompression, compression == nil { compression = DeflateAgreement.accept(offers: value) }
    default:
      break
    }
  }

  /// Decides, once every field was noted.
  public func answer() throws(WebSocketRefusal) -> WebSocketAcceptance {
    guard upgrades else { throw .upgradeMissing }
    guard connects else { throw .connectionNotUpgrade }
    guard hasVersion, !versionIsBad else { throw .versionUnsupported }
    guard let accept, !keyIsBad else { throw .keyInvalid }
    return WebSocketAcceptance(accept: accept, protocolIndex: protocolIndex, compression: compression)
  }

  /// Appends the answer's header fields, each with its line end; the status line, and the empty line that ends the
  /// head, are the caller's.
  public func append(fieldsOf acceptance: WebSocketAcceptance, into buffer: inout ByteBuffer) {
    buffer.append("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
    buffer.append(acceptance.accept)
    if let index = acceptance.protocolIndex {
      buffer.append("\r\nSec-WebSocket-Protocol: ")
      buffer.append(protocols[index])
    }
    if let compression = acceptance.compression {
      buffer.append("\r\nSec-WebSocket-Extensions: ")
      compression.append(into: &buffer)
    }
    buffer.append("\r\n")
  }

  /// Appends the value of `Sec-WebSocket-Accept` that answers `key`.
  public static func append(acceptOf key: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
    var joined = ByteBuffer(capacity: 64)
    joined.append(key)
    joined.append("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
    var digest = ByteBuffer(capacity: SHA1.digestLength)
    joined.withUnsafeBytes { SHA1.append(digestOf: $0, into: &digest) }
    digest.withUnsafeBytes { Base64.append(encoded: $0, into: &buffer) }
  }

  private static let keyLength = 24

  private mutating func noteKey(_ key: UnsafeRawBufferPointer) {
    var nonce = ByteBuffer()
    guard accept == nil, key.count == WebSocketHandshake.keyLength else { return keyIsBad = true }
    guard Base64.append(decoded: key, into: &nonce), nonce.count == 16 else { return keyIsBad = true }
    var value = ByteBuffer(capacity: 28)
    WebSocketHandshake.append(acceptOf: key, into: &value)
    accept = value.freeze()
  }

  private mutating func noteProtocols(_ value: UnsafeRawBufferPointer) {
    var scanner = FieldScanner(value)
    while protocolIndex == nil, !scanner.isAtEnd {
      scanner.skipSpace()
      let name = scanner.token()
      scanner.skipSpace()
      if scanner.isAtEnd || scanner.isAtComma { protocolIndex = protocols.firstIndex { spells(name, $0) } }
      scanner.skipElement()
    }
  }

  private static func lists(_ value: UnsafeRawBufferPointer, _ word: StaticString) -> Bool {
    var scanner = FieldScanner(value)
    while !scanner.isAtEnd {
      scanner.skipSpace()
      let name = scanner.token()
      scanner.skipSpace()
      if spellsIgnoringCase(name, word), scanner.isAtEnd || scanner.isAtComma { return true }
      scanner.skipElement()
    }
    return false
  }

  private static func trimmed(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    var lower = 0
    var upper = value.count
    func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
    while lower < upper, isSpace(value[lower]) { lower += 1 }
    while upper > lower, isSpace(value[upper - 1]) { upper -= 1 }
    return UnsafeRawBufferPointer(rebasing: value[lower..<upper])
  }
}
