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
  first.receive(request: bytes.span.bytes, from: GossipScene.there, at: GossipScene.start + .milliseconds(10), into: &output)
  first.join([GossipAddress(high: 1, low: 1, port: 1)], at: GossipScene.start + .milliseconds(20), into: &output)
  for stream in output.streams { first.receive(reply: bytes.span.bytes, of: stream.token, at: GossipScene.start + .milliseconds(30), into: &output) }
  first.tick(at: GossipScene.start + .milliseconds(5000), into: &output)
  return 0
}
