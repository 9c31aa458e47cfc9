// rooms: MQTT
// max_len: 512
import Core
import MQTT

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_: UnsafeMutableRawPointer?, _: UnsafeMutableRawPointer?) -> CInt {
  plant {
    func hello(_ name: String, _ level: UInt8, _ properties: [UInt8]) -> [UInt8] {
      let body = [0, UInt8(name.utf8.count)] + Array(name.utf8) + [level, 2, 0, 9] + properties + [0, 1, 0x63]
      return [0, 0x10, UInt8(body.count)] + body
    }
    var five = MQTTProperties()
    five.messageExpiry = 9
    five.contentType = Bytes("t")
    five.responseTopic = Bytes("r")
    five.correlationData = Bytes([0])
    five.appendUserProperty(Bytes("k"), Bytes("ü"))
    let message = written {
      MQTTPublishHead(qos: .atLeastOnce, packetIdentifier: 7).append(.v5, topic: Bytes("a/b"), payload: Bytes("p"), properties: five, into: &$0)
    }
    var connect = MQTTConnect(.v5, clientIdentifier: Bytes("c"))
    connect.will = MQTTWill(topic: Bytes("w"), payload: Bytes("gone"))
    connect.will?.properties.willDelay = 3
    connect.userName = Bytes("u")
    connect.password = Bytes("p")
    connect.properties.receiveMaximum = 4
    return [
      hello("MQIsdp", 3, []) + [0x6a, 2, 0, 1, 0xc0, 0, 0xe0, 0], hello("MQTT", 4, []) + [0x30, 4, 0, 1, 0x61, 0x62, 0x82, 6, 0, 1, 0, 1, 0x23, 1],
      hello("MQTT", 5, [3, 0x21, 0, 9]) + message + [0x40, 3, 0, 7, 0x10, 0xa2, 6, 0, 2, 0, 0, 1, 0x61], [0] + written { connect.append(into: &$0) },
      [4, 0x20, 5, 1, 0, 2, 0x24, 1, 0x90, 4, 0, 1, 2, 0x80], [4, 0x20, 6, 0, 0, 3, 0x21, 0, 9] + message + [0xd0, 0, 0xe0, 1, 0x8e],
      [3, 0x20, 2, 1, 0, 0x90, 4, 0, 1, 2, 0x80, 0xb0, 2, 0, 1], [2, 0x20, 2, 0, 5],
    ]
  }
  return 0
}

/// The first byte says who decodes: a server, or a client of some version.
@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = copied(start, count)
  guard let form = input.first else { return 0 }
  let bytes = Array(input.dropFirst())
  let whole = outcomes(bytes, form, step: bytes.count, checks: true)
  insist(outcomes(bytes, form, step: 1, checks: false) == whole, "where the bytes are cut changes what they mean")
  insist(outcomes(bytes, form, step: 5 + bytes.count / 8, checks: false) == whole, "where the bytes are cut changes what they mean")
  return 0
}

private let limits = MQTTLimits(maximumPacketSize: 400, filters: 8, userProperties: 4)

private func decoder(_ form: UInt8) -> MQTTDecoder {
  let versions: [MQTTVersion] = [.v31, .v311, .v5]
  let number = Int(form & 7)
  return (2...4).contains(number) ? MQTTDecoder(client: versions[number - 2], limits: limits) : MQTTDecoder(serverWith: limits)
}

/// What comes out, each packet as the bytes that it is written as again.
private func outcomes(_ bytes: [UInt8], _ form: UInt8, step: Int, checks: Bool) -> [[UInt8]] {
  var decoder = decoder(form)
  var outcomes: [[UInt8]] = []
  var kept: [UInt8] = []
  var shown = 0
  while shown < bytes.count {
    let next = min(bytes.count, shown + max(1, step))
    kept += bytes[shown..<next]
    shown = next
    var offset = 0
    reading: while true {
      let before = offset
      let known = decoder.version
      switch decoder.next(kept.span.bytes, &offset) {
      case .needMore(let least):
        insist(least > 0 && offset == before, "wants nothing, or took something")
        break reading
      case .packet(let packet):
        insist(offset > before && offset - before <= limits.maximumPacketSize, "a packet of \(offset - before) bytes")
        guard let version = decoder.version else { return outcomes }
        let again = written { packet.append(version, from: kept.span.bytes, into: &$0) }
        if checks { insist(isSame(packet, again, form, known), "written and read again it is another: \(packet)") }
        outcomes.append(again)
      case .failed(let failure):
        insist(offset == kept.count, "something is left after a failure")
        return outcomes + [Array("failed \(failure)".utf8)]
      case .finished: return outcomes
      }
    }
    kept.removeFirst(offset)
    insist(kept.count < limits.maximumPacketSize, "\(kept.count) bytes are waited for")
  }
  return outcomes
}

/// Whether `bytes`, which `packet` was written as, are that packet and written as themselves.
private func isSame(_ packet: MQTTPacket, _ bytes: [UInt8], _ form: UInt8, _ version: MQTTVersion?) -> Bool {
  var decoder = decoder(form)
  var offset = 0
  if let version, form & 7 < 2 || form & 7 > 4 {
    let hello = written { MQTTConnect(version, clientIdentifier: Bytes("c")).append(into: &$0) }
    guard case .packet(.connect) = decoder.next(hello.span.bytes, &offset) else { return false }
    offset = 0
  }
  guard case .packet(let again) = decoder.next(bytes.span.bytes, &offset), offset == bytes.count, let spoken = decoder.version else { return false }
  // A PUBLISH is places, which are others here.
  if case .publish = packet { return written { again.append(spoken, from: bytes.span.bytes, into: &$0) } == bytes }
  return again == packet
}
