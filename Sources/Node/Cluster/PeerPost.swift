internal import Core
internal import Replica
internal import Wire

/// What one reactor has for other nodes in one turn: the beats of all shards for one node go as one message.
struct PeerPost {
  private struct Parcel {
    let node: NodeID
    var messages: [NodeMessage] = []
    var beats: [ShardHeartbeat] = []
  }

  private var parcels: [Parcel] = []

  mutating func add(_ message: ReplicaMessage, of shard: ShardID, to node: NodeID) {
    if ShardHeartbeat.carries(message) {
      parcels[place(of: node)].beats.append(ShardHeartbeat(shard: shard, message: message))
    } else {
      add(.replica(shard, message), to: node)
    }
  }

  mutating func add(_ message: NodeMessage, to node: NodeID) { parcels[place(of: node)].messages.append(message) }

  private mutating func place(of node: NodeID) -> Int {
    if let place = parcels.firstIndex(where: { $0.node == node }) { return place }
    parcels.append(Parcel(node: node))
    return parcels.count - 1
  }

  mutating func empty(_ body: (NodeID, [NodeMessage]) -> Void) {
    guard !parcels.isEmpty else { return }
    for parcel in parcels {
      var messages = parcel.messages
      for start in stride(from: 0, to: parcel.beats.count, by: WireLimits.heartbeats) {
        messages.append(.heartbeats(Array(parcel.beats[start..<min(start + WireLimits.heartbeats, parcel.beats.count)])))
      }
      body(parcel.node, messages)
    }
    parcels.removeAll(keepingCapacity: true)
  }
}
