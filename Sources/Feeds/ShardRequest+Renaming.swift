extension ShardRequest {
  /// The same request under another number; a batch is emptied by it.
  public func asked(by edge: EdgeID) -> ShardRequest {
    switch self {
    case .publish(let batch):
      let renamed = PublishBatch(edge: edge, capacity: 0)
      swap(&renamed.records, &batch.records)
      swap(&renamed.entries, &batch.entries)
      return .publish(renamed)
    case .read(var request):
      request.edge = edge
      return .read(request)
    case .history(var request):
      request.edge = edge
      return .history(request)
    case .interest(var change):
      change.edge = edge
      return .interest(change)
    case .consumer(var request):
      request.edge = edge
      return .consumer(request)
    case .presence(var request):
      request.edge = edge
      return .presence(request)
    case .session(var request):
      request.edge = edge
      return .session(request)
    case .group(var request):
      request.edge = edge
      return .group(request)
    }
  }

  /// The number of who asks.
  public var edge: EdgeID {
    switch self {
    case .publish(let batch): batch.edge
    case .read(let request): request.edge
    case .history(let request): request.edge
    case .interest(let change): change.edge
    case .consumer(let request): request.edge
    case .presence(let request): request.edge
    case .session(let request): request.edge
    case .group(let request): request.edge
    }
  }
}
