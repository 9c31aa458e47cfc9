internal import Core
internal import Feeds
internal import Replica
internal import Wire

/// What crosses from node to node becomes bytes and comes out of them again, as it does on links, where the plan says so.
extension SimulatedCluster {
  func crossing(_ message: ReplicaMessage, of shard: Int) throws(Problem) -> ReplicaMessage {
    guard plan.crossesAsBytes else { return message }
    guard case .replica(let to, let crossed) = try crossing(.replica(ShardID(shard), message)), to == ShardID(shard), crossed == message else {
      throw Problem("a message between replicas came out of its bytes as another: \(message)")
    }
    return crossed
  }

  func crossing(_ request: ShardRequest, of shard: ShardID) throws(Problem) -> ShardRequest {
    guard plan.crossesAsBytes else { return request }
    guard case .request(shard, let crossed) = try crossing(.request(shard, request)) else {
      throw Problem("a request came out of its bytes as something else: \(request)")
    }
    return crossed
  }

  func crossing(_ replies: [ShardReply], to edge: EdgeID) throws(Problem) -> [ShardReply] {
    guard plan.crossesAsBytes else { return replies }
    var crossed: [ShardReply] = []
    for reply in replies {
      guard case .reply(edge, let each) = try crossing(.reply(edge: edge, reply)) else {
        throw Problem("an answer came out of its bytes as something else: \(reply)")
      }
      crossed.append(each)
    }
    return crossed
  }

  private func crossing(_ message: NodeMessage) throws(Problem) -> NodeMessage {
    do throws(WireRefusal) {
      var buffer = ByteBuffer()
      try message.encode(into: &buffer)
      return try NodeMessage(decoding: buffer.freeze())
    } catch {
      throw Problem("what a node sends does not survive the link: \(error) in \(message)")
    }
  }
}
