import Core
import Testing

@testable import Edge

/// An MQTT 5.0 client whose packets are written by hand, byte by byte, so that nothing of ours judges itself.
struct MQTTHand {
  let harness: EdgeHarness
  let client: TestClient

  /// Connected; its CONNACK is looked at by nobody.
  init(_ harness: EdgeHarness, _ name: String = "hand") throws {
    self.harness = harness
    client = try harness.connect(speaksMQTT: true)
    client.send(MQTTHand.packet(0x10, MQTTHand.text("MQTT") + [5, 2, 0, 0, 0] + MQTTHand.text(name)))
    _ = packets()
  }

  /// What came since the last time, packet by packet.
  func packets() -> [[UInt8]] {
    harness.settle()
    var packets: [[UInt8]] = []
    var rest = client.takeBytes()[...]
    while rest.count > 1 {
      var length = 0
      var at = rest.startIndex + 1
      var shift = 0
      while true {
        length |= Int(rest[at] & 127) << shift
        shift += 7
        at += 1
        if rest[at - 1] & 128 == 0 { break }
      }
      packets.append(Array(rest[rest.startIndex..<at + length]))
      rest = rest[(at + length)...]
    }
    return packets
  }

  /// What comes after SUBSCRIBE, its answer among it.
  func subscribe(_ filters: [(String, options: UInt8)], identifier: UInt8 = 1, properties: [UInt8] = []) -> [[UInt8]] {
    var body: [UInt8] = [0, identifier, UInt8(properties.count)] + properties
    for (filter, options) in filters { body += MQTTHand.text(filter) + [options] }
    client.send(MQTTHand.packet(0x82, body))
    return packets()
  }

  static func packet(_ first: UInt8, _ body: [UInt8]) -> [UInt8] {
    var bytes = [first]
    var rest = body.count
    while rest > 127 {
      bytes.append(UInt8(rest & 127) | 128)
      rest >>= 7
    }
    return bytes + [UInt8(rest)] + body
  }

  static func text(_ text: String) -> [UInt8] { [UInt8(text.utf8.count >> 8), UInt8(text.utf8.count & 255)] + Array(text.utf8) }

  static func userProperty(_ name: String, _ value: String) -> [UInt8] { [0x26] + text(name) + text(value) }

  /// A PUBLISH of 5.0; the identifier is left out with QoS 0.
  static func publish(_ topic: String, identifier: UInt16 = 0, properties: [UInt8] = [], retain: Bool = false, _ payload: String) -> [UInt8] {
    let qos: UInt8 = identifier > 0 ? 2 : 0
    let number = identifier > 0 ? [UInt8(identifier >> 8), UInt8(identifier & 255)] : []
    var body = text(topic) + number
    precondition(properties.count < 128)
    body.append(UInt8(properties.count))
    body += properties
    return packet(0x30 | qos | (retain ? 1 : 0), body + Array(payload.utf8))
  }
}
