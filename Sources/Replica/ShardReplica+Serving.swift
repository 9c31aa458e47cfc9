internal import Core
internal import Feeds
internal import Presence
internal import Raft
internal import Shard

/// Who may be asked: publishes, consumers and feeds by the leader alone; single reads by any replica that has the log when
/// nobody is known to lead: what is committed stays so, though there may be more elsewhere.
extension ShardReplica {
  /// Whether this replica is all there is.
  var isAlone: Bool { group.membership.voters == [settings.node] && !group.membership.isJoint }

  /// The state is ahead of the log: a snapshot came in, and what led up to it is on its way.
  var isFilling: Bool { lastAppended < state.applied }

  var mayRead: Bool {
    if isServing || isAlone { return true }
    return group.leader == nil && group.membership.isVoter(settings.node) && failure == nil && ailment == nil && !isFilling
  }

  /// Whether nobody can know of more than is committed here, so that a cursor beyond it was never given out.
  var knowsTheEnd: Bool { isAlone || (isServing && group.leaseholds(at: clock)) }

  var readRefusal: Refusal { .notLeader(group.leader == settings.node ? nil : group.leader) }

  mutating func beginServing(into output: inout ReplicaOutput) {
    isServing = true
    if settings.faults.contains(.keysForgotten) { state.forgetKeys() }
    gate.reset()
    stamped = max(stamped, group.lastTime)
    presence.begin(group.term, at: clock)
    sessionDesk = SessionDesk()
    groups.begin(at: clock)
    output.facts.append(.leads(term: group.term))
  }

  /// Publishers whose messages are in the log wait on: they are told when it is known what became of them.
  mutating func stopServing(into output: inout ReplicaOutput) {
    guard isServing else { return }
    isServing = false
    presence.end()
    endGroups(into: &output)
    gate.reset()
    refuseWaiting(readRefusal, into: &output)
    endFeeds(into: &output)
    output.facts.append(.leadsNoMore(term: group.term))
  }

  /// Whoever waits for something that is not in the log is told that it will not be; what is there, and was held back, is told as it is.
  mutating func refuseWaiting(_ refusal: Refusal, into output: inout ReplicaOutput) {
    let waiting = gathered.take()
    refuse(.commands(waiting.askers), refusal, into: &output)
    for lookUp in waiting.lookUps { refuse(.lookUp(lookUp), refusal, into: &output) }
    for held in sessionDesk.takeHeld() { answer(held.asker, .success(.opened(held.opened)), into: &output) }
    for waiting in sessionDesk.takeWaiting() { answer(waiting.asker, .failure(refusal), into: &output) }
  }

  mutating func endFeeds(into output: inout ReplicaOutput) {
    for edge in feeds.removeAll() {
      output.replies.append(AddressedReply(edge: edge, reply: .feedEnded(settings.shard, readRefusal)))
    }
  }

  /// Why consensus would not take an entry now; nil when it would.
  var consensusRefusal: Refusal? {
    guard isServing else { return group.role == .leader ? .electing : .notLeader(group.leader) }
    switch group.refusal(at: clock) {
    case nil, .accepted: return nil
    case .notLeader(let leader): return .notLeader(leader)
    case .noQuorum: return .noQuorum
    case .transferring: return .electing
    case .overloaded: return .overloaded
    }
  }
}
