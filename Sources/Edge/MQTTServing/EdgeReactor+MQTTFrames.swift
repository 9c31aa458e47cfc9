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
        guard message.kind == .binary else {
          refuseFrames(.unsupportedData, "MQTT comes in binary messages", connection)
          return bytes.count
        }
        session.framing!.input.append(message.bytes)
        guard takeUnframed(connection, session) else { return bytes.count }
      case .ping(let range): answerPing(bytes[range], connection)
      case .pong: break
      case .close(let close):
        answerClose(close.code, connection)
        return bytes.count
      case .failed(let failure):
        refuseFrames(failure.code, failure.reason, connection)
        return bytes.count
      case .finished:
        return bytes.count
      }
    }
    return offset
  }

  /// The channel takes again: first what it left.
  func goOnTaking(_ connection: Connection, _ session: MQTTSession) {
    guard session.framing == nil || takeUnframed(connection, session) else { return }
    resumeReading(connection)
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
