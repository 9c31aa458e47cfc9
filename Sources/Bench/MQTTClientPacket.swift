import Core

/// A packet of MQTT 3.1.1 as a client sees it, read and written without the MQTT module, which is what is being measured.
///
/// 3.1.1 is what every server speaks, and its packets have nothing in them that need not be there.
struct MQTTClientPacket: Equatable {
  enum Kind: UInt8 {
    case connectAcknowledgement = 2
    case publish = 3
    case publishAcknowledgement = 4
    case subscribeAcknowledgement = 9
    case other = 15
  }

  var kind: Kind
  /// The low half of the first byte.
  var flags: UInt8
  /// What follows the length.
  var body: Range<Int>
  var length: Int { body.upperBound }

  enum Outcome: Equatable {
    case needMore
    case malformed
    case packet(MQTTClientPacket)
  }

  /// The packet at the start of `bytes`.
  static func read(_ bytes: UnsafeRawBufferPointer) -> Outcome {
    guard bytes.count >= 2 else { return .needMore }
    var remaining = 0
    var at = 1
    while true {
      guard at < bytes.count else { return .needMore }
      let byte = bytes[at]
      remaining |= Int(byte & 127) << (7 * (at - 1))
      at += 1
      if byte & 128 == 0 { break }
      guard at <= 4 else { return .malformed }
    }
    guard bytes.count >= at + remaining else { return .needMore }
    return .packet(MQTTClientPacket(kind: Kind(rawValue: bytes[0] >> 4) ?? .other, flags: bytes[0] & 15, body: at..<at + remaining))
  }

  /// Of a PUBLISH: its packet identifier, 0 with QoS 0, and where its payload begins; nil if it is none.
  func message(_ bytes: UnsafeRawBufferPointer) -> (identifier: UInt16, payload: Range<Int>)? {
    guard body.count >= 2 else { return nil }
    var at = body.lowerBound + 2 + Int(MQTTClientPacket.number(bytes, body.lowerBound))
    var identifier: UInt16 = 0
    if flags & 6 != 0 {
      guard at + 2 <= body.upperBound else { return nil }
      identifier = MQTTClientPacket.number(bytes, at)
      at += 2
    }
    return at <= body.upperBound ? (identifier, at..<body.upperBound) : nil
  }

  /// The number that stands at `place`.
  static func number(_ bytes: UnsafeRawBufferPointer, _ place: Int) -> UInt16 { UInt16(bytes[place]) << 8 | UInt16(bytes[place + 1]) }

  // MARK: Writing

  /// A clean session, no keep-alive.
  static func writeConnect(_ client: String, into buffer: inout ByteBuffer) {
    begin(0x10, 10 + 2 + client.utf8.count, into: &buffer)
    buffer.append([0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0] as [UInt8])
    write(text: client, into: &buffer)
  }

  static func writeSubscribe(_ filter: String, qos: UInt8, into buffer: inout ByteBuffer) {
    begin(0x82, 2 + 2 + filter.utf8.count + 1, into: &buffer)
    buffer.append(bigEndian: UInt16(1))
    write(text: filter, into: &buffer)
    buffer.append(qos)
  }

  /// Everything of a PUBLISH with QoS 1 up to its payload, which has `payloadLength` bytes.
  static func writePublish(_ prefix: [UInt8], _ topic: Int, identifier: UInt16, payloadLength: Int, into buffer: inout ByteBuffer) {
    let topicLength = prefix.count + decimalLength(topic)
    begin(0x32, 2 + topicLength + 2 + payloadLength, into: &buffer)
    buffer.append(bigEndian: UInt16(topicLength))
    buffer.append(prefix)
    buffer.append(decimal: topic)
    buffer.append(bigEndian: identifier)
  }

  static func writeAcknowledgement(_ identifier: UInt16, into buffer: inout ByteBuffer) {
    buffer.append(bigEndian: UInt32(0x4002_0000) | UInt32(identifier))
  }

  private static func begin(_ first: UInt8, _ remaining: Int, into buffer: inout ByteBuffer) {
    buffer.append(first)
    var rest = remaining
    while rest > 127 {
      buffer.append(UInt8(rest & 127) | 128)
      rest >>= 7
    }
    buffer.append(UInt8(rest))
  }

  private static func write(text: String, into buffer: inout ByteBuffer) {
    buffer.append(bigEndian: UInt16(text.utf8.count))
    buffer.append(text: text)
  }

  private static func decimalLength(_ number: Int) -> Int {
    var length = 1
    var rest = number / 10
    while rest > 0 {
      length += 1
      rest /= 10
    }
    return length
  }
}
