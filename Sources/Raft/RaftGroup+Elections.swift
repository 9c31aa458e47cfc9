internal import Core

/// Elections: §3.4, up-to-date logs §3.6.1, disruptive servers §4.2.3, pre-vote §9.6.
extension RaftGroup {
  enum Campaign {
    case preVote
    case vote
    /// Asked for by the leader itself: without pre-vote, and others may vote though they hear of that leader.
    case transfer
  }

  mutating func campaign(_ kind: Campaign, into output: inout RaftOutput) {
    tally = Tally()
    putOffElection()
    if kind == .preVote {
      counters.preVotes += 1
      role = .preCandidate
      if leader != nil {
        leader = nil
        output.facts.append(.leaderChanged(nil, term: term))
      }
      tally.note(node, isGranted: true)
      let request = VoteRequest(term: term + 1, last: log.end)
      for voter in otherVoters { send(.preVote(request), to: voter, into: &output) }
      if tally.isWon(in: membership) { campaign(.vote, into: &output) }
      return
    }
    counters.campaigns += 1
    role = .candidate
    enter(term + 1, voteFor: node, into: &output)
    // Asking is no promise; the own vote counts once it is durable.
    let request = VoteRequest(term: term, last: log.end, isTransfer: kind == .transfer)
    for voter in otherVoters { send(.vote(request), to: voter, into: &output) }
    if settings.faults.contains(.voteNotSaved) {
      output.hardState = nil
      isHardStateDurable = true
      voteIsDurable(into: &output)
    }
  }

  private var otherVoters: [NodeID] { membership.members.filter { $0 != node && membership.isVoter($0) } }

  /// Whether it is too early to help another become leader: a leader was heard of, or is this replica.
  private var knowsLeader: Bool {
    if settings.faults.contains(.leaderForgotten) { return false }
    return role == .leader ? hasQuorum(at: clock) : clock - leaderHeardAt < settings.electionMinimum
  }

  private func isUpToDate(_ last: LogPosition) -> Bool { last >= log.end || settings.faults.contains(.staleLogElected) }

  mutating func consider(preVote request: VoteRequest, from node: NodeID, into output: inout RaftOutput) {
    if request.term > term {
      guard !knowsLeader, !abstains else { return counters.refused += 1 }
      if isUpToDate(request.last) {
        // A promise of nothing: neither remembered nor durable.
        return send(.preVoteReply(VoteReply(term: request.term, isGranted: true)), to: node, into: &output)
      }
    }
    send(.preVoteReply(VoteReply(term: term, isGranted: false)), to: node, into: &output)
  }

  mutating func count(preVote reply: VoteReply, from node: NodeID, into output: inout RaftOutput) {
    if !reply.isGranted, reply.term > term { return become(followerIn: reply.term, into: &output) }
    guard role == .preCandidate, membership.isVoter(node), reply.term == (reply.isGranted ? term + 1 : term) else {
      return counters.refused += 1
    }
    tally.note(node, isGranted: reply.isGranted)
    if tally.isWon(in: membership) {
      campaign(.vote, into: &output)
    } else if tally.isLost(in: membership) {
      role = .follower
    }
  }

  mutating func consider(_ request: VoteRequest, from node: NodeID, into output: inout RaftOutput) {
    guard request.isTransfer || !knowsLeader else { return counters.refused += 1 }
    if request.term > term { become(followerIn: request.term, into: &output) }
    guard request.term == term, role == .follower || role == .preCandidate, leader == nil, vote == nil || vote == node,
      !abstains, isUpToDate(request.last)
    else {
      return send(.voteReply(VoteReply(term: term, isGranted: false)), to: node, into: &output)
    }
    role = .follower
    if vote == nil {
      vote = node
      saveHardState(into: &output)
    }
    putOffElection()
    owesVote = node
    if settings.faults.contains(.voteNotSaved) {
      output.hardState = nil
      isHardStateDurable = true
    }
    if isHardStateDurable { voteIsDurable(into: &output) }
  }

  /// Term and vote are on the disk: what was promised may be said.
  mutating func voteIsDurable(into output: inout RaftOutput) {
    if let candidate = owesVote {
      owesVote = nil
      send(.voteReply(VoteReply(term: term, isGranted: true)), to: candidate, into: &output)
    }
    if role == .candidate, vote == node {
      tally.note(node, isGranted: true)
      if tally.isWon(in: membership) { becomeLeader(into: &output) }
    }
  }

  mutating func count(_ reply: VoteReply, from node: NodeID, into output: inout RaftOutput) {
    if reply.term > term { return become(followerIn: reply.term, into: &output) }
    guard role == .candidate, reply.term == term, membership.isVoter(node) else { return counters.refused += 1 }
    tally.note(node, isGranted: reply.isGranted)
    if tally.isWon(in: membership) {
      becomeLeader(into: &output)
    } else if tally.isLost(in: membership) {
      role = .follower
    }
  }
}
