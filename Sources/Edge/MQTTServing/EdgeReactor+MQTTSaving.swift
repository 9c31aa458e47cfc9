internal import Core
internal import Feeds
internal import MQTT
internal import Reactor
internal import Sessions

/// Keeping what a session has come to: at once where the client is told something that hangs on it, now and then where not.
extension EdgeReactor {
  // MARK: What is owed

  /// What is written from here on waits until the session is saved as it is at the end of this turn.
  func oweSave(_ connection: Connection, _ session: MQTTSession) {
    guard let keeping = session.keeping, keeping.isDurable, !keeping.isLost, !keeping.owesSave else { return }
    keeping.oweSave()
    sessionHouse.listOwing(connection.key)
  }

  func changeSubscriptions(_ connection: Connection, _ session: MQTTSession) {
    session.keeping?.hasOtherSubscriptions = true
    oweSave(connection, session)
  }

  /// More was sent or acknowledged of what is sent again if it is forgotten.
  func noteMove(_ connection: Connection, _ session: MQTTSession) {
    guard let keeping = session.keeping, keeping.isDurable else { return }
    keeping.hasMoved = true
    sessionHouse.listMoved(connection.key, keeping)
  }

  /// Whether what is subscribed to still fits into what is kept of one session.
  func hasRoom(for filter: Bytes, _ session: MQTTSession) -> Bool {
    guard let keeping = session.keeping, keeping.isDurable else { return true }
    let size = session.subscriptions.reduce(filter.count + session.shares.filterBytes) { $0 + $1.filter.bytes.count }
    return size + (session.subscriptions.count + session.shares.count + 1) * 8 + 64 <= SessionChange.partLength
  }

  // MARK: Saving

  func saveSessions() {
    guard !sessionHouse.owing.isEmpty else { return }
    for key in sessionHouse.takeOwing() {
      guard let connection = connections[key], case .mqtt(let session) = connection.role, let keeping = session.keeping, keeping.wantsSave
      else { continue }
      save(connection, session, keeping)
    }
  }

  private func save(_ connection: Connection, _ session: MQTTSession, _ keeping: MQTTKeeping) {
    var save = SessionSave(keeping.claim, number: 0, subscriptions: nil, progress: nil)
    fill(&save, connection, session, keeping)
    save.number = keeping.beginSave(at: now)
    session.shares.saveBegins()
    askSession(keeping.shard, .change(.save(save)), for: .save(connection.key, keeping.nonce))
  }

  /// The session as it is now.
  func fill(_ save: inout SessionSave, _ connection: Connection, _ session: MQTTSession, _ keeping: MQTTKeeping) {
    keeping.fill(&save, of: session.channel, backlog: session.backlog.tokens(among: settings.shardCount)) {
      keeping.legs(whereItStands(connection, session), of: session)
    }
  }

  private func saved(_ key: SlotKey, _ nonce: UInt64, _ result: Result<SessionReply.Answer, Refusal>) {
    guard let connection = connections[key], case .mqtt(let session) = connection.role, let keeping = session.keeping,
      keeping.nonce == nonce, !keeping.isLost
    else { return }
    switch result {
    case .success:
      var bytes = ByteBuffer()
      let publishes = keeping.saved(into: &bytes)
      write(bytes.bytes, connection, session)
      for held in publishes { send(held, connection, session) }
      settleSaved(session)
      if keeping.wantsSave { sessionHouse.listOwing(key) }
      makePumpable(connection)
      goOnSharing(session)
    case .failure(.sessionLost):
      loseUnsaved(session)
      forget(keeping)
      takeOver(keeping.client, upTo: keeping.epoch)
    case .failure:
      // Nothing that hangs on it is sent meanwhile; a client that does not wait finds its session as it was saved last.
      keeping.notSaved()
      keeping.savedAt = now
      sessionHouse.listMoved(key, keeping)
    }
  }

  // MARK: Answers and notices

  func receive(_ reply: SessionReply) {
    guard let call = sessionHouse.answered(reply.ticket) else { return }
    switch call {
    case .open(let key, let shard, let opening): opened(key, shard, opening, reply.result)
    case .save(let key, let nonce): saved(key, nonce, reply.result)
    case .close(let shard, let closing):
      switch reply.result {
      case .success: handedOver(closing, isKept: true)
      case .failure(.sessionLost): handedOver(closing, isKept: false)
      case .failure: sessionHouse.closeLater(shard, closing, at: now)
      }
    case .alive(let shard): alive(shard, reply.result)
    case .claim: if case .success(.lost(let claims)) = reply.result { for claim in claims { takeOver(claim.client, upTo: claim.epoch) } }
    // The leader hands it out again until it knows.
    case .will, .forgetWill: break
    }
  }

  func receive(_ notice: SessionNotice) {
    switch notice {
    case .takenOver(_, let claim): takeOver(claim.client, upTo: claim.epoch)
    case .willDue(let shard, let number, let record): publishWill(record, shard, number)
    }
  }

  private func alive(_ shard: ShardID, _ result: Result<SessionReply.Answer, Refusal>) {
    sessionHouse.lanes[shard.index].isAsking = false
    guard case .success(.alive(let term)) = result, sessionHouse.hasToClaim(shard, term, at: now) else { return }
    var claims: [SessionClaim] = []
    for key in mqttClients.values {
      guard case .mqtt(let session)? = connections[key]?.role, let keeping = session.keeping, keeping.shard == shard, keeping.epoch > 0
      else { continue }
      claims.append(keeping.claim)
    }
    for some in claims.parts(ofAtMost: SessionLimits.claims) { askSession(shard, .claim(sessionHouse.owner, some), for: .claim(shard)) }
  }

  // MARK: Wills

  /// A will is due, and this is the edge beside the leader of the shard that kept it.
  private func publishWill(_ record: Bytes, _ shard: ShardID, _ number: UInt64) {
    record.withUnsafeBytes { bytes in
      guard RecordView.draftLength(bytes) == bytes.count else { return }
      let view = RecordView(trusting: bytes.baseAddress.unsafelyUnwrapped)
      let ticket = sessionHouse.ticket(for: .will(shard, number))
      enqueue(encoded: bytes, to: Topic.shard(of: view.topic, among: settings.shardCount), PublishEntry(ticket: ticket, length: bytes.count))
    }
  }

  func willPublished(_ result: PublishResult) {
    guard case .will(let shard, let number)? = sessionHouse.answered(result.ticket) else { return }
    if case .refused = result.outcome { return }
    askSession(shard, .change(.forgetWill(number)), for: .forgetWill)
  }

  // MARK: Time

  func scheduleSessionCare() {
    guard !sessionHouse.isTicking else { return }
    sessionHouse.isTicking = true
    if sessionHouse.idleSweep == .zero { sessionHouse.idleSweep = now + settings.mqttIdleSaveEvery }
    _ = loop.schedule(TimerKey(PollToken(kind: Self.sessionTimer).rawValue), at: now + MQTTSessionHouse<SlotKey>.period)
  }

  func careForSessions() {
    sessionHouse.isTicking = false
    saveMoved()
    giveSignsOfLife()
    for (shard, closing) in sessionHouse.dueClosings(at: now) { close(shard, closing) }
    if now >= sessionHouse.idleSweep {
      sessionHouse.idleSweep = now + settings.mqttIdleSaveEvery
      for key in mqttClients.values {
        if let connection = connections[key], case .mqtt(let session) = connection.role { noteMove(connection, session) }
      }
    }
    if sessionHouse.isActive { scheduleSessionCare() }
  }

  private func saveMoved() {
    let due = sessionHouse.takeDue(at: now, every: settings.mqttSaveEvery) { key in
      if case .mqtt(let session)? = connections[key]?.role { session.keeping } else { nil }
    }
    for key in due {
      if let connection = connections[key], case .mqtt(let session) = connection.role, let keeping = session.keeping {
        save(connection, session, keeping)
      }
    }
  }

  private func giveSignsOfLife() {
    for index in sessionHouse.lanes.indices {
      let lane = sessionHouse.lanes[index]
      guard lane.sessions > 0, !lane.isAsking, now >= lane.nextLifeSign else { continue }
      sessionHouse.lanes[index].isAsking = true
      sessionHouse.lanes[index].nextLifeSign = now + SessionLimits.lifeSign
      askSession(ShardID(index), .alive(sessionHouse.owner), for: .alive(ShardID(index)))
    }
  }
}
