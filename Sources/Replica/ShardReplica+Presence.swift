internal import Core
internal import Feeds
internal import Presence

/// Who is present: the leader alone knows, and keeps it in memory.
extension ShardReplica {
  mutating func presence(_ request: PresenceRequest, into output: inout ReplicaOutput) {
    let answer: Result<PresenceReply.Answer, Refusal>
    if !isServing {
      answer = .failure(consensusRefusal ?? .electing)
    } else {
      switch request.operation {
      case .announce(let announcement): answer = .success(.receipt(presence.announce(announcement, from: request.edge, at: clock)))
      case .ask(let question): answer = .success(.list(presence.answer(question)))
      }
    }
    output.replies.append(
      AddressedReply(edge: request.edge, reply: .presence(PresenceReply(shard: settings.shard, ticket: request.ticket, result: answer))))
    if presence.owesStates { pushPresence(changes: false, into: &output) }
  }

  /// With a tick: who is gone, and what those who watch are owed.
  mutating func tickPresence(into output: inout ReplicaOutput) {
    guard isServing else { return }
    presence.tick(at: clock)
    pushPresence(changes: true, into: &output)
  }

  private mutating func pushPresence(changes: Bool, into output: inout ReplicaOutput) {
    for delivery in presence.takePushes(changes: changes) {
      output.replies.append(AddressedReply(edge: delivery.edge, reply: .presencePush(delivery.push)))
    }
  }
}
