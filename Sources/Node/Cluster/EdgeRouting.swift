internal import Core
internal import Feeds

/// The router of one reactor's edge, where there are brokers to choose from.
final class EdgeRouting {
  private var router: ShardRouter
  private var output = RouterOutput()
  private let send: (RoutedSend) -> Void
  private var toEdge: [ShardReply] = []

  init(shards: Int, seed: UInt64, send: @escaping (RoutedSend) -> Void) {
    router = ShardRouter(shards: shards, seed: seed)
    self.send = send
  }

  var reachesABroker: Bool { router.reachesABroker }

  var counters: RouterCounters { router.counters }

  func ask(_ shard: ShardID, _ request: ShardRequest, at now: Instant) {
    router.ask(shard, request, at: now, into: &output)
    collect()
  }

  func receive(_ replies: [ShardReply], from broker: NodeID, at now: Instant) {
    for reply in replies { router.receive(reply, from: broker, at: now, into: &output) }
    collect()
  }

  func came(_ broker: NodeID) { router.came(broker) }

  func went(_ broker: NodeID, at now: Instant) {
    router.went(broker, at: now, into: &output)
    collect()
  }

  func heard(_ leader: NodeID, of shard: ShardID, at now: Instant) {
    router.heard(leader, of: shard, at: now, into: &output)
    collect()
  }

  func tick(at now: Instant) {
    router.tick(at: now, into: &output)
    collect()
  }

  func flush(at now: Instant) {
    router.flush(at: now, into: &output)
    collect()
  }

  /// What is for the edge since it was last asked.
  func takeReplies() -> [ShardReply] {
    var replies: [ShardReply] = []
    swap(&replies, &toEdge)
    return replies
  }

  var hasReplies: Bool { !toEdge.isEmpty }

  private func collect() {
    toEdge += output.replies
    // Sending may end in an answer within the same call.
    let sends = output.sends
    output.removeAll()
    for each in sends { send(each) }
  }
}
