import Core

/// Subscribers and publishers over MQTT. It knows of the server nothing but the protocol: any server can be measured.
extension Generator {
  /// CONNECT, and SUBSCRIBE right behind it.
  func askMQTT(_ subscriber: Subscriber, into buffer: inout ByteBuffer) {
    MQTTClientPacket.writeConnect("bench-\(String(run, radix: 16))-s\(subscriber.index)", into: &buffer)
    MQTTClientPacket.writeSubscribe("\(topicPrefix)\(subscriber.topic)", qos: plan.qos.rawValue, into: &buffer)
  }

  func askMQTT(_ publisher: Publisher, into buffer: inout ByteBuffer) {
    MQTTClientPacket.writeConnect("bench-\(String(run, radix: 16))-p\(publisher.number)", into: &buffer)
  }

  func readPackets(_ subscriber: Subscriber, _ bytes: UnsafeMutableRawBufferPointer, now: UInt64) -> Range<Int>? {
    let all = UnsafeRawBufferPointer(bytes)
    var at = 0
    var owesAnswers = false
    reading: while true {
      let rest = UnsafeRawBufferPointer(rebasing: all[at...])
      switch MQTTClientPacket.read(rest) {
      case .needMore: break reading
      case .malformed: return refusedMQTT(subscriber, "a packet that is none")
      case .packet(let packet):
        switch packet.kind {
        case .publish:
          guard let (identifier, payload) = packet.message(rest) else { return refusedMQTT(subscriber, "a PUBLISH that is none") }
          _ = scan(subscriber, UnsafeRawBufferPointer(rebasing: rest[payload]), now: now)
          if identifier > 0 {
            subscriber.socket.queue { MQTTClientPacket.writeAcknowledgement(identifier, into: &$0) }
            owesAnswers = true
          }
        case .connectAcknowledgement:
          guard packet.body.count == 2, rest[packet.body][packet.body.lowerBound + 1] == 0 else {
            return refusedMQTT(subscriber, "the server does not let a subscriber in")
          }
          subscriber.state = .waiting
        case .subscribeAcknowledgement:
          guard let granted = rest[packet.body].last, granted == plan.qos.rawValue else {
            return refusedMQTT(subscriber, "the server does not grant QoS \(plan.qos.rawValue)")
          }
          follows(subscriber)
        case .publishAcknowledgement, .other: break
        }
        at += packet.length
      }
    }
    if owesAnswers, !subscriber.socket.awaitsRoom, !flush(subscriber) { return nil }
    return at..<bytes.count
  }

  /// Takes what answers a publisher; how many bytes are done with, nil when the connection is gone.
  func readPublisherPackets(_ publisher: Publisher, _ bytes: UnsafeRawBufferPointer) -> Int? {
    let now = Generator.now()
    var at = 0
    while true {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[at...])
      let packet: MQTTClientPacket
      switch MQTTClientPacket.read(rest) {
      case .needMore: return at
      case .malformed: return lostMQTT(publisher, "a packet that is none")
      case .packet(let found): packet = found
      }
      switch packet.kind {
      case .connectAcknowledgement:
        guard packet.body.count == 2, rest[packet.body][packet.body.lowerBound + 1] == 0 else {
          return lostMQTT(publisher, "the server does not let it in")
        }
        publisher.isReady = true
      case .publishAcknowledgement:
        // [MQTT-4.6.0-2]: in the order of the messages.
        guard packet.body.count == 2, MQTTClientPacket.number(rest, packet.body.lowerBound) == publisher.identifierAnswered,
          let sentAt = publisher.answered()
        else { return lostMQTT(publisher, "a message was acknowledged that was not its turn") }
        publisher.identifierAnswered = Generator.identifier(after: publisher.identifierAnswered)
        tally.acknowledged += 1
        if isMeasuring { tally.acknowledgement.record(now - sentAt) }
      case .publish, .subscribeAcknowledgement, .other: break
      }
      at += packet.length
    }
  }

  func sendMQTT(_ publisher: Publisher, topic: Int, _ marker: Marker) {
    publisher.socket.queue { buffer in
      MQTTClientPacket.writePublish(
        topicPrefixBytes, topic, identifier: publisher.identifierSent, payloadLength: Marker.length + filler.count, into: &buffer)
      marker.write(into: &buffer)
      buffer.append(filler)
    }
    publisher.identifierSent = Generator.identifier(after: publisher.identifierSent)
  }

  /// Never 0. No more are under way than there are: the window is smaller.
  private static func identifier(after identifier: UInt16) -> UInt16 { identifier == UInt16.max ? 1 : identifier + 1 }

  private func refusedMQTT(_ subscriber: Subscriber, _ what: String) -> Range<Int>? {
    tally.badAnswers += 1
    complain(what)
    lost(subscriber, nil)
    return nil
  }

  private func lostMQTT(_ publisher: Publisher, _ what: String) -> Int? {
    tally.badAnswers += 1
    lost(publisher, what)
    return nil
  }
}
