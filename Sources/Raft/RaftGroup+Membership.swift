public import Core

/// Changing the members: learners §4.2.1, removed leaders §4.2.2, joint consensus §4.3.
extension RaftGroup {
  /// Begins to replace the membership by `target`, which must not be joint. When voters differ, a joint membership
  /// comes first, and its leader goes on to `target` by itself, whoever that is by then.
  public mutating func changeMembership(
    to target: Membership, at now: Instant, into output: inout RaftOutput
  ) -> MembershipVerdict {
    clock = now
    guard role == .leader else { return .notLeader(leader) }
    let step = settings.faults.contains(.membershipNotJoint) ? target : membership.step(towards: target)
    guard !target.isJoint, !target.voters.isEmpty, step.members.count <= Membership.maximumMembers else { return .invalid }
    guard !membership.isJoint, memberships.currentOffset <= committed, committed >= opening, transfer == nil else { return .busy }
    guard target != membership else { return .unchanged }
    let behind = target.voters.filter { !membership.isVoter($0) && !isNear($0) }
    guard behind.isEmpty else { return .behind(behind) }
    if target.voters != membership.voters {
      let silent = step.members.filter { step.isVoter($0) && !answers($0) }
      let joining = target.voters.filter { !membership.isVoter($0) }
      guard step.isQuorum({ !silent.contains($0) }), !joining.contains(where: silent.contains) else { return .unanswered(silent) }
    }
    append(step, into: &output)
    return .accepted(log.last)
  }

  private func isNear(_ node: NodeID) -> Bool {
    guard let index = index(of: node) else { return false }
    return followers[index].match.value + settings.promotionLagEntries >= log.last.value && followers[index].match > .zero
  }

  /// Whether `node` has answered one of the last heartbeats. A membership is in force as soon as it is appended: one that
  /// counts on a node that is down could neither be committed nor taken back. That a node was given this term's votes, or
  /// was a member when the term began, is no answer.
  private func answers(_ node: NodeID) -> Bool {
    guard node != self.node else { return true }
    guard let index = index(of: node), let leasedAt = followers[index].leasedAt else { return false }
    return leasedAt + settings.answeredWithin > clock
  }

  private mutating func append(_ membership: Membership, into output: inout RaftOutput) {
    var body = ByteBuffer()
    membership.encode(into: &body)
    appendOwn(.membership, body: body, into: &output)
  }

  /// A membership was appended, or one was truncated: the newest in the log is in force (§4.1).
  mutating func membershipChanged(into output: inout RaftOutput) {
    output.facts.append(.membershipChanged(membership, at: memberships.currentOffset))
    if role == .leader { enlistFollowers() }
  }

  /// What `node` has acknowledged it has no more: it begins with an empty log, or with another disk. Only for one that
  /// does not vote: what was committed counted it.
  public mutating func forget(_ node: NodeID) {
    precondition(!membership.isVoter(node), "a voter's acknowledgements count")
    guard let index = index(of: node) else { return }
    let known = followers[index]
    followers[index] = FollowerProgress(node: node, next: log.last.next, heardAt: known.heardAt)
  }

  /// Learners that lack no more than a voter may; a leader may make them vote.
  public var ripeLearners: [NodeID] {
    guard role == .leader, !membership.isJoint, memberships.currentOffset <= committed else { return [] }
    return membership.learners.filter { isNear($0) }
  }

  /// Whether the membership in force is one that cannot be undone.
  public var isMembershipCommitted: Bool { memberships.currentOffset <= committed }

  /// Brings the list of followers in line with the membership in force.
  mutating func enlistFollowers() {
    var list: [FollowerProgress] = []
    for member in membership.members where member != node {
      var progress = index(of: member).map { followers[$0] } ?? FollowerProgress(node: member, next: log.last.next, heardAt: clock)
      progress.isVoter = membership.voters.contains(member)
      progress.isOutgoing = membership.outgoing.contains(member)
      list.append(progress)
    }
    followers = list
  }

  /// After a commit, as leader: takes the next step of a change, or leaves if it was this replica that was removed.
  mutating func followMembership(into output: inout RaftOutput) {
    guard memberships.currentOffset <= committed, committed >= opening else { return }
    if membership.isJoint {
      append(membership.final, into: &output)
    } else if !membership.isVoter(node) {
      if let heir = mostCaughtUp, followers[heir].match == log.last {
        send(.timeoutNow(term: term), to: followers[heir].node, into: &output)
      }
      become(followerIn: term, reason: .removed, into: &output)
    }
  }

  /// The voter that has most of the log; of two the one that was heard from last.
  var mostCaughtUp: Int? {
    followers.indices.filter { followers[$0].isVoter }
      .max { (followers[$0].match, followers[$0].heardAt) < (followers[$1].match, followers[$1].heardAt) }
  }
}
