import Core
import Gossip

/// Two nodes that know each other, as the gossip targets find them.
struct GossipScene {
  static let here = GossipAddress(high: 0, low: 0x0100_007f_ffff_0000, port: 7400)
  static let there = GossipAddress(high: 0, low: 0x0200_007f_ffff_0000, port: 7400)
  static let start = Instant(nanoseconds: 1_000_000_000)
  static let known = GossipScene()

  /// The node that is to take the inputs.
  let first: GossipNode
  /// What the second one said on the way.
  let said: [[UInt8]]

  private init() {
    var first = GossipScene.node(1, at: GossipScene.here)
    var second = GossipScene.node(2, at: GossipScene.there)
    var said: [[UInt8]] = []
    var output = GossipOutput()
    second.join([GossipScene.here], at: GossipScene.start, into: &output)
    for stream in output.streams {
      said.append(stream.bytes.array)
      var answer = GossipOutput()
      first.receive(request: stream.bytes.bytes, from: GossipScene.there, at: GossipScene.start, into: &answer)
      if let reply = answer.streamReply { second.receive(reply: reply.bytes, of: stream.token, at: GossipScene.start, into: &output) }
    }
    for step in 1...40 {
      output.removeAll()
      second.tick(at: GossipScene.start + .milliseconds(step * 250), into: &output)
      said += output.packets.map(\.bytes.array) + output.streams.map(\.bytes.array)
    }
    self.first = first
    self.said = said
  }

  private static func node(_ id: UInt64, at address: GossipAddress) -> GossipNode {
    GossipNode(id: NodeID(id), address: address, profile: MemberProfile(role: .all, boot: 1, name: "n\(id)"), seed: id, at: start)
  }
}
