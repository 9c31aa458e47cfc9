public import Core

/// The client's side of an opening handshake (RFC 6455 section 4.1).
public struct WebSocketClientHandshake: Sendable {
  public static let nonceLength = 16

  /// The value of `Sec-WebSocket-Key`.
  public let key: Bytes

  /// `nonce` is 16 bytes chosen at random, anew for every connection.
  public init(nonce: UnsafeRawBufferPointer) {
    precondition(nonce.count == WebSocketClientHandshake.nonceLength, "a nonce is 16 bytes")
    var buffer = ByteBuffer(capacity: Base64.encodedLength(nonce.count))
    Base64.append(encoded: nonce, into: &buffer)
    key = buffer.freeze()
  }

  /// Appends the request's header fields, each with its line end.
  public func appendFields(protocols: [StaticString] = [], offersCompression: Bool, into buffer: inout ByteBuffer) {
    buffer.append("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ")
    buffer.append(key)
    for (index, name) in protocols.enumerated() {
      if index == 0 { buffer.append("\r\nSec-WebSocket-Protocol: ") } else { buffer.append(", ") }
      buffer.append(name)
    }
    if offersCompression {
      buffer.append("\r\nSec-WebSocket-Extensions: ")
      buffer.append(DeflateAgreement.offer)
    }
    buffer.append("\r\n")
  }

  /// Whether the server's `Sec-WebSocket-Accept` answers this handshake's key.
  public func isAnswered(by accept: UnsafeRawBufferPointer) -> Bool {
    var expected = ByteBuffer(capacity: 28)
    key.withUnsafeBytes { WebSocketHandshake.append(acceptOf: $0, into: &expected) }
    return expected.withUnsafeBytes { $0.elementsEqual(accept) }
  }
}
