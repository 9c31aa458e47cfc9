// rooms: Gossip
// max_len: 1400
import Core
@testable import Gossip

private let here = GossipAddress(high: 0, low: 0x0100_007f_ffff_0000, port: 7400)
private let there = GossipAddress(high: 0, low: 0x0200_007f_ffff_0000, port: 7400)
private let start = Instant(nanoseconds: 1_000_000_000)

private func node(_ id: UInt64, at address: GossipAddress) -> GossipNode {
  GossipNode(id: NodeID(id), address: address, profile: MemberProfile(role: .all, boot: 1, name: "n\(id)"), seed: id, at: start)
}

/// Two nodes that know each other, and what the second said on the way.
private let scene: (first: GossipNode, said: [[UInt8]]) = {
  var first = node(1, at: here)
  var second = node(2, at: there)
  var said: [[UInt8]] = []
  var output = GossipOutput()
  second.join([here], at: start, into: &output)
  for stream in output.streams {
    said.append(stream.bytes.array)
    var answer = GossipOutput()
    first.receive(request: stream.bytes.bytes, from: there, at: start, into: &answer)
    if let reply = answer.streamReply { second.receive(reply: reply.bytes, of: stream.token, at: start, into: &output) }
  }
  for step in 1...40 {
    output.removeAll()
    second.tick(at: start + .milliseconds(step * 250), into: &output)
    said += output.packets.map(\.bytes.array) + output.streams.map(\.bytes.array)
  }
  return (first, said)
}()

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_: UnsafeMutableRawPointer?, _: UnsafeMutableRawPointer?) -> CInt {
  plant { scene.said }
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ input: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = copied(input, count)
  var first = scene.first
  var output = GossipOutput()
  for round in 1...2 {
    first.receive(packet: bytes.span.bytes, from: there, at: start + .milliseconds(round * 10), into: &output)
    first.tick(at: start + .milliseconds(round * 1500), into: &output)
  }
  for packet in output.packets { insist(packet.bytes.count <= GossipLimits.plainPacket, "a packet of \(packet.bytes.count) bytes") }
  insist(first.members.count <= 200, "\(first.members.count) members from one packet")
  return 0
}
