public import Core

extension RaftGroup {
  /// A message of this group came from another node.
  public mutating func receive(_ message: RaftMessage, from node: NodeID, at now: Instant, into output: inout RaftOutput) {
    clock = now
    counters.received += 1
    guard node != self.node else { return counters.refused += 1 }
    switch message {
    case .preVote(let request): consider(preVote: request, from: node, into: &output)
    case .preVoteReply(let reply): count(preVote: reply, from: node, into: &output)
    case .vote(let request): consider(request, from: node, into: &output)
    case .voteReply(let reply): count(reply, from: node, into: &output)
    case .append(let entries):
      if follow(node, term: entries.term, into: &output) { take(entries, from: node, into: &output) }
    case .heartbeat(let heartbeat):
      if follow(node, term: heartbeat.term, into: &output) { take(heartbeat, from: node, into: &output) }
    case .snapshotChunk(let chunk):
      if follow(node, term: chunk.term, into: &output) { take(chunk, from: node, into: &output) }
    case .appendReply(let reply):
      if let index = answering(node, term: reply.term, into: &output) { take(reply, fromFollower: index, into: &output) }
    case .appendRejection(let rejection):
      if let index = answering(node, term: rejection.term, into: &output) { take(rejection, fromFollower: index, into: &output) }
    case .heartbeatReply(let reply):
      if let index = answering(node, term: reply.term, into: &output) { take(reply, fromFollower: index, into: &output) }
    case .snapshotReply(let reply):
      if let index = answering(node, term: reply.term, into: &output) { take(reply, fromFollower: index, into: &output) }
    case .timeoutNow(let term):
      guard term >= self.term, memberships.lets(self.node, campaignWith: committed) else { return counters.refused += 1 }
      if follow(node, term: term, into: &output), canCampaign { campaign(.transfer, into: &output) }
    }
  }

  /// Somebody speaks as the leader of `term`. True when that is who leads.
  private mutating func follow(_ node: NodeID, term: Term, into output: inout RaftOutput) -> Bool {
    if term < self.term {
      // It must hear of the newer term, or a node that cannot be elected would stay apart for ever (§9.6).
      counters.refused += 1
      let reply = HeartbeatReply(term: self.term, sentAt: .zero, received: .zero, durable: .zero)
      output.heartbeatReplies.append(AddressedHeartbeatReply(to: node, reply: reply))
      return false
    }
    if term == self.term, role == .leader || (leader != nil && leader != node) {
      counters.refused += 1
      output.facts.append(.diverged(at: committed, from: node))
      return false
    }
    if term > self.term || role != .follower { become(followerIn: term, into: &output) }
    if leader != node {
      leader = node
      output.facts.append(.leaderChanged(node, term: term))
    }
    leaderHeardAt = clock
    putOffElection()
    return true
  }

  /// The place of a follower that answers in the term this replica leads; nil when that is not so.
  private mutating func answering(_ node: NodeID, term: Term, into output: inout RaftOutput) -> Int? {
    if term > self.term {
      become(followerIn: term, into: &output)
      return nil
    }
    guard term == self.term, role == .leader, let index = index(of: node) else {
      counters.refused += 1
      return nil
    }
    followers[index].heardAt = clock
    return index
  }

  func index(of node: NodeID) -> Int? {
    for index in followers.indices where followers[index].node == node { return index }
    return nil
  }

  /// Leaves whatever role it had. In a new term nothing of the old one counts: no vote, no promise, no acknowledgement.
  mutating func become(followerIn newTerm: Term, reason: StepDownReason = .newerTerm, into output: inout RaftOutput) {
    let wasLeading = role == .leader
    if wasLeading { stopLeading(reason, into: &output) }
    role = .follower
    if newTerm > term {
      enter(newTerm, voteFor: nil, into: &output)
    }
    if wasLeading { putOffElection() }
  }

  mutating func enter(_ newTerm: Term, voteFor candidate: NodeID?, into output: inout RaftOutput) {
    term = newTerm
    vote = candidate
    if leader != nil { output.facts.append(.leaderChanged(nil, term: newTerm)) }
    leader = nil
    owesVote = nil
    owesReply = false
    // Another leader's snapshot of the same state need not be the same bytes: never one from two.
    if incoming?.isInstalling != true { incoming = nil }
    received = committed
    acknowledged = .zero
    saveHardState(into: &output)
  }

  mutating func saveHardState(into output: inout RaftOutput) {
    isHardStateDurable = false
    output.hardState = hardState
  }

  @inline(__always) mutating func send(_ message: RaftMessage, to node: NodeID, into output: inout RaftOutput) {
    output.messages.append(AddressedRaftMessage(to: node, message: message))
  }
}
