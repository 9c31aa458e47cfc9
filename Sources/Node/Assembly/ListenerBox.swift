internal import Reactor

/// Keeps an acceptor, which cannot be copied, where an array can hold it.
final class ListenerBox {
  var acceptor: Acceptor<TCPListener>
  let speaksMQTT: Bool

  static let busy = Array("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".utf8)

  init(_ listener: TCPListener, farewell: [UInt8]) {
    acceptor = Acceptor(listener, farewell: farewell)
    speaksMQTT = false
  }

  /// MQTT has no word for "busy" that may be said before CONNECT.
  init(_ client: ClientListener) {
    acceptor = Acceptor(client.listener, farewell: client.speaksMQTT ? [] : ListenerBox.busy)
    speaksMQTT = client.speaksMQTT
  }

  func close() { acceptor.source.close() }
}
