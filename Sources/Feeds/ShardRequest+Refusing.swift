public import Core

extension ShardRequest {
  /// What a shard that does nothing of it says: of a batch, to those publishers alone that wait.
  public func refused(_ refusal: Refusal, by shard: ShardID) -> ShardReply {
    switch self {
    case .publish(let batch):
      let waiting = batch.entries.filter(\.wantsAnswer)
      return .published(shard, waiting.map { PublishResult(ticket: $0.ticket, outcome: .refused(refusal)) })
    case .read(let request): return .read(ReadReply(shard: shard, ticket: request.ticket, result: .failure(refusal)))
    case .history(let request): return .history(HistoryReply(shard: shard, ticket: request.ticket, result: .failure(refusal)))
    case .interest: return .feedEnded(shard, refusal)
    case .consumer(let request): return .consumer(ConsumerReply(shard: shard, ticket: request.ticket, result: .failure(refusal)))
    case .presence(let request): return .presence(PresenceReply(shard: shard, ticket: request.ticket, result: .failure(refusal)))
    case .session(let request): return .session(SessionReply(shard: shard, ticket: request.ticket, result: .failure(refusal)))
    case .group(let request): return .group(GroupReply(shard: shard, .answer(request.ticket, refusal)))
    }
  }
}
