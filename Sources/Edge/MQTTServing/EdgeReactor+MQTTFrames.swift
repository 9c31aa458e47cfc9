internal import Core
internal import HTTP
internal import MQTT
internal import Reactor
internal import WebSocket

/// MQTT over WebSocket: the same channel, in binary messages.
extension EdgeReactor {
  /// Answers how many of the bytes are done with.
  func unframe(_ bytes: UnsafeMutableRawBufferPointer, _ connection: Connection, _ session: MQTTSession) -> Int {
    var offset = 0
    guard takeUnframed(connection, session) else { return bytes.count }
    // What is not taken yet holds back what comes behind it.
    while !isHeldBack(connection) {
      switch session.framing!.receiver.next(bytes, &offset, inflater: inflater) {
      case .needMore:
        return offset
      case .message(let message):
        // [MQTT-6.0.0-1].
        guard message.kind == .binary else { return fail(.unsupportedData, "MQTT comes in binary messages", bytes, connection) }
        session.framing!.input.append(message.bytes)
        guard takeUnframed(connection, session) else { return bytes.count }
      case .ping(let range):
        WebSocketEncoder.append(.pong, UnsafeRawBufferPointer(rebasing: bytes[range]), into: &connection.output.own)
        list(connection)
      case .pong: break
      case .close(let close):
        WebSocketEncoder.append(answerToClose: close.code, into: &connection.output.own)
        closeWhenSent(connection)
        return bytes.count
      case .failed(let failure):
        counters.protocolErrors += 1
        WebSocketEncoder.append(close: failure.code, reason: failure.reason, into: &connection.output.own)
        closeWhenSent(connection)
        return bytes.count
      case .finished:
        return bytes.count
      }
    }
    return offset
  }

  private func fail(_ code: WebSocketCloseCode, _ reason: StaticString, _ bytes: UnsafeMutableRawBufferPointer, _ connection: Connection) -> Int {
    counters.protocolErrors += 1
    failSocket(connection, code, reason)
    return bytes.count
  }

  /// False when the connection is one of MQTT no more.
  private func takeUnframed(_ connection: Connection, _ session: MQTTSession) -> Bool {
    while !session.framing!.input.isEmpty, !session.channel.isPaused {
      var input = ByteBuffer()
      swap(&input, &session.framing!.input)
      let taken = speak(connection, session) { channel, output in channel.receive(input.bytes, at: now, into: &output) }
      guard connection.isMQTT else { return false }
      input.removeFirst(taken)
      swap(&input, &session.framing!.input)
      if taken == 0 { break }
    }
    return true
  }
}
