internal import Core
internal import Feeds
internal import Raft
internal import Shard

/// MQTT sessions: what changes them goes through the log, who holds them is watched over by the leader.
extension ShardReplica {
  mutating func session(_ request: SessionRequest, wall: WallTime, into output: inout ReplicaOutput) {
    let asker = CommandAsker(edge: request.edge, ticket: request.ticket, kind: .session)
    guard isServing else { return answer(asker, .failure(consensusRefusal ?? .electing), into: &output) }
    switch request.operation {
    case .change(let change):
      if case .open(let opening) = change {
        sessionDesk.heard(opening.owner, from: request.edge, at: clock)
        if asksHolder(for: opening, into: &output) { return sessionDesk.wait(opening, asker, wall: wall, at: clock) }
      }
      if !settings.faults.isEmpty, mistakes(change, request, into: &output) { return }
      gather(.session(change), asker, wall: wall, into: &output)
    case .alive(let owner):
      sessionDesk.heard(owner, from: request.edge, at: clock)
      reply(request, .alive(term: group.term), into: &output)
    case .claim(let owner, let claims):
      sessionDesk.heard(owner, from: request.edge, at: clock)
      // Asked by who knows of them from commits that this leader has seen too.
      reply(request, .lost(claims.filter { !state.sessions.holds($0, owner) }), into: &output)
    }
  }

  /// Mistakes made on purpose, with a save. False if there is none to be made.
  private mutating func mistakes(_ change: SessionChange, _ request: SessionRequest, into output: inout ReplicaOutput) -> Bool {
    guard case .save(var save) = change, !gathered.isFull, appendRefusal == nil else { return false }
    if settings.faults.contains(.savedEarly) {
      reply(request, .done, into: &output)
      gathered.add(.session(change), nil)
      return true
    }
    guard settings.faults.contains(.epochIgnored), let session = state.sessions[save.claim.client] else { return false }
    save.claim.epoch = session.epoch
    gathered.add(.session(.save(save)), CommandAsker(edge: request.edge, ticket: request.ticket, kind: .session))
    return true
  }

  private func reply(_ request: SessionRequest, _ answer: SessionReply.Answer, into output: inout ReplicaOutput) {
    let reply = SessionReply(shard: settings.shard, ticket: request.ticket, result: .success(answer))
    output.replies.append(AddressedReply(edge: request.edge, reply: .session(reply)))
  }

  /// Whoever holds the session is asked to give it back: then it is found as far as it came. False where nobody can be asked.
  private func asksHolder(for opening: SessionOpening, into output: inout ReplicaOutput) -> Bool {
    guard let session = state.sessions[opening.client], let owner = session.owner, owner != opening.owner,
      sessionDesk.edge(of: owner) != nil, sessionDesk.waiting.count < SessionDesk.waitingMost
    else { return false }
    tell(owner, of: SessionClaim(client: opening.client, epoch: session.epoch), into: &output)
    return true
  }

  /// What was given back, or was waited for long enough, is taken.
  mutating func openWaiting(into output: inout ReplicaOutput) {
    for ready in sessionDesk.takeReady(state.sessions, at: clock) {
      gather(.session(.open(ready.opening)), ready.asker, wall: ready.wall, into: &output)
    }
  }

  /// What an earlier connection left as its will comes before anything that this one says: "offline" before "online". So the client
  /// is let in when that is published, or cannot be for a while.
  mutating func holds(_ asker: CommandAsker, _ outcome: CommandOutcome) -> Bool {
    guard case .session(let opened, of: let client, ended: _, heldBy: _) = outcome, state.sessions.owesWill(of: client) else { return false }
    sessionDesk.hold(opened, of: client, asker, at: clock)
    return true
  }

  mutating func answerHeld(into output: inout ReplicaOutput) {
    for held in sessionDesk.takeHeld(state.sessions, at: clock) { answer(held.asker, .success(.opened(held.opened)), into: &output) }
  }

  /// The client has connected elsewhere.
  func tell(_ holder: SessionOwner, of lost: SessionClaim, into output: inout ReplicaOutput) {
    guard let edge = sessionDesk.edge(of: holder) else { return }
    output.replies.append(AddressedReply(edge: edge, reply: .sessionNotice(.takenOver(settings.shard, lost))))
  }

  /// With a tick: whose owner is gone, whose time is over, which wills are still to be published.
  mutating func tickSessions(wall: WallTime, into output: inout ReplicaOutput) {
    guard isServing, failure == nil, ailment == nil else { return }
    handOutWills(into: &output)
    openWaiting(into: &output)
    answerHeld(into: &output)
    guard committed >= sessionDesk.proposedUpTo, state.sessions.count > 0, appendRefusal == nil else { return }
    var changes = sessionDesk.silent(of: state.sessions.owners.keys, at: clock).map { SessionChange.lose($0) }
    changes += state.dueSessions(at: wall, looking: SessionDesk.lookedAt, atMost: SessionDesk.changesAtOnce).map { SessionChange.settle($0) }
    guard !changes.isEmpty else { return }
    for change in changes {
      if gathered.isFull { appendGathered(wall: wall, into: &output) }
      gathered.add(.session(change), nil)
    }
    appendGathered(wall: wall, into: &output)
    sessionDesk.proposedUpTo = lastAppended
  }

  /// Hands wills that are due to the edge beside this replica, again and again until they are known to be published.
  mutating func handOutWills(into output: inout ReplicaOutput) {
    guard isServing, !state.sessions.dueWills.isEmpty else { return }
    sessionDesk.keep(wills: state.sessions.dueWills.lazy.map(\.number))
    for will in state.sessions.dueWills.prefix(SessionDesk.willsAtOnce) where sessionDesk.handsOut(will.number, at: clock) {
      output.notices.append(.willDue(settings.shard, number: will.number, record: will.record))
      if settings.faults.contains(.willForgotten) { gathered.add(.session(.forgetWill(will.number)), nil) }
    }
  }
}
