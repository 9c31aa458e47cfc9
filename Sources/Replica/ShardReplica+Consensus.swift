public import Core
internal import Feeds
internal import Journal
public import Raft

/// Consensus: what comes in from the other replicas, and doing what it wants done.
extension ShardReplica {
  /// Another replica of this shard says something.
  public mutating func receive(_ message: ReplicaMessage, from node: NodeID, at now: Instant, into output: inout ReplicaOutput) {
    clock = now
    guard failure == nil else { return }
    switch message {
    case .raft(let message, let session):
      guard ailment == nil else {
        if message.isLeaders { ailment?.leader = node }
        return
      }
      if message.isAcknowledgement, session != sessions.of(node) { return counters.strayMessages += 1 }
      if message.isLeaders { heardSession = session }
      group.receive(message, from: node, at: now, into: &consensus)
    case .repair(.ask(let incident)): help(node, incident, into: &output)
    case .repair(.missing(let term, let upTo, let session)):
      // Within a term nothing that was acknowledged is cut.
      guard ailment == nil, term == group.term, session == heardSession, group.leader == node, lastAppended < upTo else { break }
      foundDamage("entries up to \(upTo) were acknowledged, and the log ends at \(lastAppended)", into: &output)
    case .repair(.begin(let term, let incident, let last)): beginAnew(term, after: last, under: node, incident, into: &output)
    }
    settle(into: &output)
  }

  /// Replaces the members by `target`. Voters that lack the log are to be learners first; a leader makes learners vote
  /// by itself as soon as they have it.
  public mutating func changeMembership(
    to target: Membership, at now: Instant, into output: inout ReplicaOutput
  ) -> MembershipVerdict {
    clock = now
    guard isServing else { return .notLeader(group.leader) }
    let verdict = group.changeMembership(to: target, at: now, into: &consensus)
    settle(into: &output)
    return verdict
  }

  /// Hands leadership over, to the voter that has most of the log if none is named.
  public mutating func transferLeadership(
    to target: NodeID? = nil, at now: Instant, into output: inout ReplicaOutput
  ) -> TransferVerdict {
    clock = now
    guard isServing else { return .notLeader(group.leader) }
    let verdict = group.transferLeadership(to: target, at: now, into: &consensus)
    settle(into: &output)
    return verdict
  }

  /// Puts entries that this replica appended to its log before the others.
  mutating func propose(_ entries: Bytes) {
    let verdict = group.propose(entries, isWritten: true, at: clock, into: &consensus)
    guard case .accepted(let last) = verdict, last == lastAppended else {
      preconditionFailure("entries were appended that consensus does not take: \(verdict)")
    }
  }

  /// Does what consensus wants done, until it wants nothing more.
  mutating func followConsensus(into output: inout ReplicaOutput) {
    while !consensus.isEmpty {
      var step = RaftOutput()
      swap(&step, &spareConsensus)
      swap(&step, &consensus)
      carryOut(step, into: &output)
      step.removeAll()
      swap(&step, &spareConsensus)
    }
    if group.isOpen, !isServing, failure == nil, ailment == nil { beginServing(into: &output) }
  }

  private mutating func carryOut(_ step: borrowing RaftOutput, into output: inout ReplicaOutput) {
    if let state = step.hardState { save(state, into: &output) }
    for write in step.writes { take(write, into: &output) }
    for fact in step.facts { note(fact, into: &output) }
    for addressed in step.messages { post(addressed.message, to: addressed.to, into: &output) }
    for addressed in step.heartbeats { post(.heartbeat(addressed.heartbeat), to: addressed.to, into: &output) }
    for addressed in step.heartbeatReplies { post(.heartbeatReply(addressed.reply), to: addressed.to, into: &output) }
    if let committed = step.committed {
      log.note(committed: committed)
      commit(upTo: committed, into: &output)
    }
    for fetch in step.fetches { begin(fetch, into: &output) }
    for read in step.snapshotReads { begin(read, into: &output) }
    for piece in step.snapshotPieces { take(piece, into: &output) }
  }

  private func post(_ message: RaftMessage, to node: NodeID, into output: inout ReplicaOutput) {
    let session = group.role == .leader ? sessions.of(node) : heardSession
    output.messages.append(AddressedReplicaMessage(to: node, message: .raft(message, session: session)))
  }

  private mutating func save(_ state: RaftHardState, into output: inout ReplicaOutput) {
    log.saveHardState(HardState(term: state.term, vote: state.vote), into: &output.disk)
    // Alone, a term is kept by its entries, and there is no other vote to give.
    if !settings.waitsForDisk || isAlone { group.hardStateSaved(state, at: clock, into: &consensus) }
  }

  private mutating func note(_ fact: RaftFact, into output: inout ReplicaOutput) {
    switch fact {
    case .becameLeader:
      sessions = MemberSessions()
    case .steppedDown:
      stopServing(into: &output)
    case .leaderChanged(let leader, let term):
      if let leader, leader != settings.node { endFeeds(into: &output) }
      output.facts.append(.leaderChanged(leader, term: term))
    case .membershipChanged(let membership, _):
      output.facts.append(.membershipChanged(membership))
    case .membershipCommitted(let membership, let offset):
      if let last = relearnsUntil, offset > last, membership.isVoter(settings.node), !membership.isJoint {
        relearnsUntil = nil
        output.facts.append(.repaired)
      }
    case .snapshotWanted: wantsSnapshot = true
    case .snapshotInstalled(let mark): output.facts.append(.snapshotInstalled(mark.state))
    case .contradicted(let member, let acknowledged):
      let answer = RepairMessage.missing(term: group.term, upTo: acknowledged, session: sessions.of(member))
      output.messages.append(AddressedReplicaMessage(to: member, message: .repair(answer)))
    case .diverged(let offset, let node): output.facts.append(.diverged(at: offset, from: node))
    case .transferEnded: break
    }
  }
}

/// The leader's names for what it knows of members that began anew; everyone else's is 0.
struct MemberSessions {
  private var named: [(node: NodeID, session: UInt32)] = []

  func of(_ node: NodeID) -> UInt32 {
    for entry in named where entry.node == node { return entry.session }
    return 0
  }

  mutating func name(_ node: NodeID, _ session: UInt32) {
    named.removeAll { $0.node == node }
    named.append((node, session))
  }
}
