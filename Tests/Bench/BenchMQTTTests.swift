import Core
import Testing

@testable import Bench

@Suite("Packets as the generator reads and writes them")
struct BenchMQTTTests {
  func read(_ bytes: some Collection<UInt8>) -> MQTTClientPacket.Outcome { Array(bytes).withUnsafeBytes { MQTTClientPacket.read($0) } }

  func written(_ body: (inout ByteBuffer) -> Void) -> [UInt8] {
    var buffer = ByteBuffer()
    body(&buffer)
    return buffer.freeze().array
  }

  @Test("what a client sends, byte by byte")
  func exact() {
    #expect(
      written { MQTTClientPacket.writeConnect("b1", into: &$0) }
        == [0x10, 14, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, 2, 0x62, 0x31])
    #expect(
      written { MQTTClientPacket.writeSubscribe("a/7", qos: 1, into: &$0) } == [0x82, 8, 0, 1, 0, 3, 0x61, 0x2f, 0x37, 1])
    #expect(
      written { MQTTClientPacket.writePublish(Array("a/".utf8), 10, identifier: 0x102, payloadLength: 2, into: &$0) }
        == [0x32, 10, 0, 4, 0x61, 0x2f, 0x31, 0x30, 1, 2])
    #expect(written { MQTTClientPacket.writeAcknowledgement(0x102, into: &$0) } == [0x40, 2, 1, 2])
  }

  @Test("a packet is read at its last byte and not before", arguments: [0, 1, 127, 128, 16_383, 16_384])
  func lengths(count: Int) throws {
    // The topic `t/0` and the identifier are 7 bytes.
    var bytes = written { MQTTClientPacket.writePublish(Array("t/".utf8), 0, identifier: 513, payloadLength: count, into: &$0) }
    let head = bytes.count
    bytes += [UInt8](repeating: 7, count: count)
    #expect(read(bytes.dropLast(count > 0 ? 1 : 3)) == .needMore)
    guard case .packet(let packet) = read(bytes + [0]) else {
      Issue.record("no packet in \(count) bytes")
      return
    }
    #expect(packet.kind == .publish && packet.length == bytes.count)
    let message = try #require(bytes.withUnsafeBytes { packet.message($0) })
    #expect(message.identifier == 513 && message.payload == head..<bytes.count)
  }

  @Test("a message of QoS 0 has no identifier")
  func atMostOnce() throws {
    let bytes: [UInt8] = [0x30, 5, 0, 1, 0x61, 0x78, 0x79]
    guard case .packet(let packet) = read(bytes) else {
      Issue.record("no packet")
      return
    }
    let message = try #require(bytes.withUnsafeBytes { packet.message($0) })
    #expect(message.identifier == 0 && message.payload == 5..<7)
  }

  @Test("what is no packet is refused, and a PUBLISH that is shorter than its topic")
  func malformed() {
    #expect(read([0x30, 0x80, 0x80, 0x80, 0x80, 0x01]) == .malformed)
    for bytes in [[0x30, 1, 0], [0x30, 3, 0, 9, 0x61], [0x32, 4, 0, 1, 0x61, 0]] as [[UInt8]] {
      guard case .packet(let packet) = read(bytes) else {
        Issue.record("no packet in \(bytes)")
        continue
      }
      #expect(bytes.withUnsafeBytes { packet.message($0) } == nil)
    }
  }
}
