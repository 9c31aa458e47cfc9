// rooms: Gossip
// with: Tests/fuzz/GossipScene.swift
// max_len: 1400
import Core
import Gossip

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_: UnsafeMutableRawPointer?, _: UnsafeMutableRawPointer?) -> CInt {
  plant { GossipScene.known.said }
  return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ input: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = copied(input, count)
  var first = GossipScene.known.first
  var output = GossipOutput()
  for round in 1...2 {
    first.receive(packet: bytes.span.bytes, from: GossipScene.there, at: GossipScene.start + .milliseconds(round * 10), into: &output)
    first.tick(at: GossipScene.start + .milliseconds(round * 1500), into: &output)
  }
  for packet in output.packets { insist(packet.bytes.count <= GossipLimits.plainPacket, "a packet of \(packet.bytes.count) bytes") }
  insist(first.members.count <= 200, "\(first.members.count) members from one packet")
  return 0
}
