import Core

extension MQTTChannel {
  /// Appends `packet`, without its reason string and user properties where they are not wanted or make it too large. False
  /// if the client does not take it even so ([MQTT-3.1.2-24]).
  @discardableResult
  mutating func send<Packet: MQTTOwnedPacket>(_ packet: Packet, into output: inout MQTTChannelOutput) -> Bool {
    guard let version else { preconditionFailure("an answer in no version") }
    var packet = packet
    if !tellsReasons, !packet.properties.isEmpty {
      // [MQTT-3.1.2-29]; CONNACK and DISCONNECT might have them, but who asks for few bytes wants few.
      packet.properties.set(.reasonString, nil)
      packet.properties.set(.userProperty, nil)
    }
    packet = packet.fitted(to: clientMaximumPacketSize, version)
    guard packet.encodedSize(version) <= clientMaximumPacketSize else {
      output.counters.answersTooLarge += 1
      return false
    }
    packet.append(version, into: &output.bytes)
    output.counters.answersSent += 1
    return true
  }

  /// A packet of two bytes.
  mutating func send(_ type: MQTTPacketType, into output: inout MQTTChannelOutput) {
    guard clientMaximumPacketSize >= 2 else { return output.counters.answersTooLarge += 1 }
    output.bytes.append(type.firstByte)
    output.bytes.append(0)
    output.counters.answersSent += 1
  }

  /// A success with nothing to add, which is nearly every one, in its four bytes.
  mutating func send(_ step: MQTTDeliveryAck.Step, _ identifier: UInt16, into output: inout MQTTChannelOutput) {
    guard clientMaximumPacketSize >= 4 else { return output.counters.answersTooLarge += 1 }
    output.bytes.append(step.type.firstByte)
    output.bytes.append(2)
    output.bytes.append(bigEndian: identifier)
    output.counters.answersSent += 1
  }

  mutating func send(
    _ step: MQTTDeliveryAck.Step, _ identifier: UInt16, _ code: MQTTReasonCode, _ text: Bytes?, into output: inout MQTTChannelOutput
  ) {
    guard code != .success || text != nil else { return send(step, identifier, into: &output) }
    var ack = MQTTDeliveryAck(step, identifier, code)
    ack.properties.reasonString = text
    send(ack, into: &output)
  }
}

extension Bytes {
  /// A sentence of ours.
  init(sentence: StaticString) {
    self.init(copying: UnsafeRawBufferPointer(start: sentence.utf8Start, count: sentence.utf8CodeUnitCount))
  }

  /// A reason as a reason string: not longer than is told, without null characters. Nil for none.
  static func reason(_ text: String?) -> Bytes? {
    guard let text, !text.isEmpty else { return nil }
    var kept = String.UnicodeScalarView()
    for scalar in text.unicodeScalars.prefix(MQTTChannelSettings.reasonLength) where scalar != "\0" { kept.append(scalar) }
    return Bytes(String(kept))
  }
}
