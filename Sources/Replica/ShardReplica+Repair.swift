internal import Core
internal import Feeds
internal import Journal
internal import Raft

/// Why this replica cannot keep its promises, and how far it is with beginning anew.
struct Ailment {
  let reason: String
  let incident: UInt64
  var askedAt: Instant?
  /// Who was heard to lead since.
  var leader: NodeID?
  /// The leader has agreed and the log is being wiped.
  var isRestarting = false
}

/// A replica that may lack what it acknowledged, or may have forgotten how it voted, is silent: it neither votes nor
/// acknowledges nor serves. The others take its vote away, and it learns everything anew.
extension ShardReplica {
  /// The log, or what was promised, is not what it was.
  mutating func foundDamage(_ reason: String, into output: inout ReplicaOutput) {
    // Alone there is nobody to learn from: what is whole can be read.
    if !isAlone { fallIll(reason, into: &output) }
  }

  mutating func fallIll(_ reason: String, into output: inout ReplicaOutput) {
    guard ailment == nil, failure == nil else { return }
    stopServing(into: &output)
    endFeeds(into: &output)
    ailment = Ailment(reason: reason, incident: random.next())
    output.facts.append(.damaged(reason))
    while !queue.isEmpty { refuse(queue.removeFirst().waiting, .unknownOutcome, into: &output) }
    flushAnswers(into: &output)
    pendingBytes = 0
  }

  /// Asks whoever leads to be taken out of the count.
  mutating func askForRepair(at now: Instant, into output: inout ReplicaOutput) {
    guard let known = ailment, !known.isRestarting else { return }
    if let askedAt = known.askedAt, now - askedAt < settings.repairAskEvery { return }
    ailment?.askedAt = now
    var others = group.membership.members
    for member in settings.members.members where !others.contains(member) { others.append(member) }
    if let leader = known.leader, !others.contains(leader) { others.append(leader) }
    for member in others where member != settings.node {
      output.messages.append(AddressedReplicaMessage(to: member, message: .repair(.ask(incident: known.incident))))
    }
  }

  /// Another replica asks; only a leader can help.
  mutating func help(_ node: NodeID, _ incident: UInt64, into output: inout ReplicaOutput) {
    guard isServing, ailment == nil, node != settings.node else { return }
    let membership = group.membership
    if membership.isVoter(node) {
      ailing.removeAll { $0.node == node }
      ailing.append((node, incident))
      let rest = membership.voters.filter { $0 != node }
      let target = Membership(voters: rest, learners: membership.learners + [node])
      // While another change is under way it is refused; the replica asks again.
      if !membership.isJoint { _ = group.changeMembership(to: target, at: clock, into: &consensus) }
      return
    }
    guard membership.contains(node), !membership.isJoint, group.isMembershipCommitted else { return }
    forgetAcknowledgements(of: node, incident)
    let answer = RepairMessage.begin(term: group.term, incident: incident, last: group.last)
    output.messages.append(AddressedReplicaMessage(to: node, message: .repair(answer)))
  }

  /// The leader counts on nothing that this replica had.
  mutating func beginAnew(
    _ term: Term, after last: Offset, under leader: NodeID, _ incident: UInt64, into output: inout ReplicaOutput
  ) {
    guard ailment?.incident == incident, ailment?.isRestarting == false else { return }
    ailment?.isRestarting = true
    // It follows this leader: no other may have its vote in this term.
    // In a later term that it has seen it may have voted for anyone: it votes for nobody else.
    let state = HardState(term: max(term, group.term), vote: term >= group.term ? leader : settings.node)
    rebirth = state
    relearnsUntil = last
    log.restart(after: .zero, snapshot: nil, hardState: state, into: &output.disk)
  }

  /// The log is wiped: a member again, one that knows nothing.
  mutating func recover(into output: inout ReplicaOutput) {
    guard let rebirth else { preconditionFailure("a log wiped that nobody asked to wipe") }
    self.rebirth = nil
    ailment = nil
    heardSession = 0
    consensus.removeAll()
    transfers.removeAll()
    let summary = LogSummary(membership: Membership(voters: []), time: WallTime(milliseconds: 0))
    group = RaftGroup(
      settings.raft, hardState: RaftHardState(term: rebirth.term, vote: rebirth.vote), log: summary, seed: random.next(), at: clock)
    output.facts.append(.relearns)
  }

  /// It has no vote: what it had acknowledged counts no more. Once for each incident, as a question may be late.
  private mutating func forgetAcknowledgements(of node: NodeID, _ incident: UInt64) {
    ailing.removeAll { $0.node == node }
    let session = UInt32(truncatingIfNeeded: incident) | 1
    guard sessions.of(node) != session else { return }
    sessions.name(node, session)
    group.forget(node)
  }

  /// Lets learners vote that have the log.
  mutating func promoteLearners(into output: inout ReplicaOutput) {
    guard isServing else { return }
    if !ailing.isEmpty, !group.membership.isJoint, group.isMembershipCommitted {
      for (node, incident) in ailing where !group.membership.isVoter(node) { forgetAcknowledgements(of: node, incident) }
    }
    let ripe = group.ripeLearners.filter { learner in !ailing.contains { $0.node == learner } }
    guard !ripe.isEmpty else { return }
    let membership = group.membership
    let target = Membership(voters: membership.voters + ripe, learners: membership.learners.filter { !ripe.contains($0) })
    _ = group.changeMembership(to: target, at: clock, into: &consensus)
  }
}
