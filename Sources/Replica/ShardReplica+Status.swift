internal import Core
internal import Journal
internal import Presence
internal import Raft
internal import Shard

extension ShardReplica {
  public var status: ReplicaStatus {
    ReplicaStatus(
      shard: settings.shard, condition: condition, isServing: isServing, raft: group.status, first: log.first, committed: committed, bytes: log.retainedBytes,
      pendingBytes: pendingBytes, topics: state.topics.count, retainedValues: state.topics.retainedCount,
      keys: state.keys.count, consumers: state.consumers.count, sessions: state.sessions.count, connectedSessions: state.sessions.connectedCount,
      groups: state.groups.count, groupMembers: groups.members,
      feeds: feeds.count, members: presence.memberCount, waitingReads: desk.waitingCount,
      counters: counters)
  }

  private var condition: ReplicaStatus.Condition {
    if let failure { return .failed(failure) }
    if let ailment { return .repairing(ailment.reason) }
    if relearnsUntil != nil { return .repairing("learning the log anew") }
    switch log.admission {
    case .accepting: return .ok
    case .full: return .full
    case .dead(let error): return .failed("\(error)")
    case .damaged(let damage): return .failed("\(damage)")
    }
  }
}
