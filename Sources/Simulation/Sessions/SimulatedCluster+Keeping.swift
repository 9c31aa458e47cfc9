internal import Core
internal import Feeds
internal import MQTT
internal import Sessions

/// An edge and the shards that keep its clients' sessions: as production does it, connection by connection.
extension SimulatedCluster {
  private static let idleSaveEvery = TimeSpan.seconds(20)
  private static let saveEvery = TimeSpan.seconds(1)

  // Coming -------------------------------------------------------------------------------------------------

  func enter(_ connect: MQTTConnect, _ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    guard let own = edge.sessions else { return }
    let session = pipe.session
    let client = connect.clientIdentifier
    takeOver(client, nil, edge)
    session.client = client
    own.clients[client] = pipe.number
    let keeping = MQTTKeeping(client: client, shard: ShardID(pipe.client % plan.shards), nonce: own.generator.next())
    keeping.faults = plan.keepingFaults
    session.keeping = keeping
    var will: SessionWill?
    if let asked = connect.will {
      var record = ByteBuffer()
      let key = Bytes("\(own.generator.next().hexadecimal)\(own.generator.next().hexadecimal)")
      encode(topic: asked.topic, asked.qos, key: key, asked.payload, edge, into: &record)
      will = SessionWill(record: record.freeze(), delay: asked.properties.willDelay ?? 0)
    }
    let opening = SessionOpening(
      client: client, owner: own.house.owner, nonce: keeping.nonce, isClean: connect.isCleanStart, expiry: channelSettings.sessionExpiry(for: connect),
      will: will)
    askSession(keeping.shard, .change(.open(opening)), for: .open(pipe.number, keeping.shard, opening), edge)
  }

  private func opened(
    _ number: Int, _ shard: ShardID, _ opening: SessionOpening, _ result: Result<SessionReply.Answer, Refusal>, _ edge: SimulatedEdge
  ) throws(Problem) {
    let pipe = pipes[number]
    let session = pipe.session
    if case .success(.opened(let opened)) = result { try ledger.judge.check(opened, of: opening) }
    guard pipe.isOpenAtEdge, let keeping = session.keeping, keeping.nonce == opening.nonce else {
      if case .success(.opened(let opened)) = result {
        let save = SessionSave(SessionClaim(client: opening.client, epoch: opened.epoch), number: 1, subscriptions: nil, progress: nil)
        close(shard, SessionClosing(save, expiry: opening.expiry, will: .dropped), edge)
      }
      return
    }
    guard case .success(.opened(let opened)) = result else {
      session.keeping = nil
      _ = speak(pipe, edge) { $0.refuse(.serverUnavailable, nil, at: now, into: &$1) }
      return
    }
    note("edge \(edge.index) has client \(pipe.client) in epoch \(opened.epoch)")
    keeping.epoch = opened.epoch
    keeping.identity = opened.identity
    keeping.isDurable = opening.expiry > 0
    keeping.savedAt = now
    edge.sessions?.house.lanes[shard.index].sessions += 1
    try resume(opened.kept, pipe, edge, keeping)
  }

  private func resume(_ kept: SessionKept?, _ pipe: MQTTPipe, _ edge: SimulatedEdge, _ keeping: MQTTKeeping) throws(Problem) {
    var acceptance = MQTTAcceptance()
    guard let kept else { return letIn(acceptance, pipe, edge) }
    let resumed: (state: MQTTSessionState, progress: MQTTSessionProgress)
    do throws(MQTTSessionFailure) { resumed = try keeping.resume(kept) } catch {
      throw Problem("what is kept of client \(pipe.client) cannot be read: \(error)")
    }
    acceptance.session = resumed.state
    letIn(acceptance, pipe, edge)
    guard pipe.isOpenAtEdge else { return }
    keeping.recalls += resumed.progress.backlog.map { MQTTRecall(token: $0, wasSent: false) }
    try takeUp(resumed.state.subscriptions, resumed.progress, pipe, edge)
    goOnRecalling(pipe, edge)
  }

  // Going --------------------------------------------------------------------------------------------------

  /// Another connection has come with this identifier, or has had it since this epoch.
  private func takeOver(_ client: Bytes, _ epoch: UInt64?, _ edge: SimulatedEdge) {
    guard let number = edge.sessions?.clients[client] else { return }
    let pipe = pipes[number]
    if let epoch {
      guard let keeping = pipe.session.keeping, keeping.epoch > 0, keeping.epoch <= epoch else { return }
    }
    note("client \(pipe.client) is taken over from edge \(edge.index)")
    _ = speak(pipe, edge) { $0.end(.sessionTakenOver, nil, at: now, into: &$1) }
    lose(pipe, edge)
  }

  private func forget(_ keeping: MQTTKeeping, _ edge: SimulatedEdge) {
    guard !keeping.isLost else { return }
    keeping.isLost = true
    if keeping.epoch > 0 { edge.sessions?.house.lanes[keeping.shard.index].sessions -= 1 }
  }

  /// The session is given back, as far as it came.
  func leave(_ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    let session = pipe.session
    guard let keeping = session.keeping, !keeping.isLost else { return }
    for held in keeping.takePublishes() { publish(held.request, number: held.number, pipe, edge) }
    guard keeping.epoch > 0 else { return }
    let expiry = session.channel.sessionExpiry
    var save = SessionSave(keeping.claim, number: keeping.nextSave(), subscriptions: nil, progress: nil)
    if keeping.isDurable, expiry > 0 { fill(&save, session, keeping) }
    forget(keeping, edge)
    close(keeping.shard, SessionClosing(save, expiry: expiry, will: session.hasWillDue ? .due : .dropped), edge)
  }

  private func close(_ shard: ShardID, _ closing: SessionClosing, _ edge: SimulatedEdge) {
    askSession(shard, .change(.close(closing)), for: .close(shard, closing), edge)
  }

  private func askSession(
    _ shard: ShardID, _ operation: SessionRequest.Operation, for call: MQTTSessionHouse<Int>.Call, _ edge: SimulatedEdge
  ) {
    guard let own = edge.sessions else { return }
    ask(edge, shard.index, .session(SessionRequest(edge: EdgeID(0), ticket: own.house.ticket(for: call), operation: operation)))
  }

  // Saving -------------------------------------------------------------------------------------------------

  func oweSave(_ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    guard let keeping = pipe.session.keeping, keeping.isDurable, !keeping.isLost, !keeping.owesSave else { return }
    keeping.oweSave()
    edge.sessions?.house.listOwing(pipe.number)
  }

  func noteMove(_ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    guard let keeping = pipe.session.keeping, keeping.isDurable else { return }
    keeping.hasMoved = true
    edge.sessions?.house.listMoved(pipe.number, keeping)
  }

  /// At the end of a turn.
  func saveSessions(_ edge: SimulatedEdge) {
    guard let own = edge.sessions, !own.house.owing.isEmpty else { return }
    let numbers = own.house.takeOwing()
    for number in numbers {
      if pipes[number].isOpenAtEdge, let keeping = pipes[number].session.keeping, keeping.wantsSave { save(pipes[number], edge, keeping) }
    }
  }

  private func save(_ pipe: MQTTPipe, _ edge: SimulatedEdge, _ keeping: MQTTKeeping) {
    var save = SessionSave(keeping.claim, number: 0, subscriptions: nil, progress: nil)
    fill(&save, pipe.session, keeping)
    save.number = keeping.beginSave(at: now)
    askSession(keeping.shard, .change(.save(save)), for: .save(pipe.number, save.number), edge)
  }

  private func fill(_ save: inout SessionSave, _ session: EdgeSession, _ keeping: MQTTKeeping) {
    keeping.fill(&save, of: session.channel, backlog: []) { session.legs.compactMap { kept($0, keeping) } }
  }

  private func kept(_ leg: EdgeSession.Leg, _ keeping: MQTTKeeping) -> MQTTSessionProgress.Leg? {
    guard leg.isAnnounced, let number = keeping.filterNumbers[leg.filter.bytes] else { return nil }
    var places: [MQTTSessionProgress.Place] = []
    for place in leg.places {
      guard let at = place.at else { return nil }
      places.append(
        MQTTSessionProgress.Place(shard: UInt16(place.shard), began: place.began.value, offset: max(at, place.began).value, owesCurrent: false))
    }
    return MQTTSessionProgress.Leg(subscriptions: [number], places: places)
  }

  private func saved(_ number: Int, _ save: UInt64, _ result: Result<SessionReply.Answer, Refusal>, _ edge: SimulatedEdge) throws(Problem) {
    let pipe = pipes[number]
    guard let keeping = pipe.session.keeping else { return }
    if case .success = result { try ledger.judge.checkSaved(keeping.claim, number: save) }
    guard pipe.isOpenAtEdge, !keeping.isLost else { return }
    switch result {
    case .success:
      var bytes = ByteBuffer()
      let publishes = keeping.saved(into: &bytes)
      write(bytes.freeze(), pipe)
      for held in publishes { publish(held.request, number: held.number, pipe, edge) }
      if keeping.wantsSave { edge.sessions?.house.listOwing(number) }
      pump(pipe, edge)
    case .failure(.sessionLost):
      forget(keeping, edge)
      takeOver(keeping.client, keeping.epoch, edge)
    case .failure(let refusal):
      note("a save of client \(pipe.client) is refused: \(refusal)")
      keeping.notSaved()
      keeping.savedAt = now
      edge.sessions?.house.listMoved(number, keeping)
    }
  }

  // Answers and notices ------------------------------------------------------------------------------------

  func take(_ reply: SessionReply, _ edge: SimulatedEdge) throws(Problem) {
    guard let own = edge.sessions, let call = own.house.answered(reply.ticket) else { return }
    switch call {
    case .open(let number, let shard, let opening): try opened(number, shard, opening, reply.result, edge)
    case .save(let number, let save): try saved(number, save, reply.result, edge)
    case .close(let shard, let closing):
      if case .failure(let refusal) = reply.result, refusal != .sessionLost { own.house.closeLater(shard, closing, at: now) }
    case .alive(let shard): alive(shard, reply.result, edge)
    case .claim: if case .success(.lost(let claims)) = reply.result { for claim in claims { takeOver(claim.client, claim.epoch, edge) } }
    case .will, .forgetWill: break
    }
  }

  func take(_ notice: SessionNotice, _ edge: SimulatedEdge) {
    switch notice {
    case .takenOver(_, let claim): takeOver(claim.client, claim.epoch, edge)
    case .willDue(let shard, let number, let record): publishWill(record, shard, number, edge)
    }
  }

  private func alive(_ shard: ShardID, _ result: Result<SessionReply.Answer, Refusal>, _ edge: SimulatedEdge) {
    guard let own = edge.sessions else { return }
    own.house.lanes[shard.index].isAsking = false
    guard case .success(.alive(let term)) = result, own.house.hasToClaim(shard, term, at: now) else { return }
    let claims = own.connections.compactMap { pipe in
      pipe.session.keeping.flatMap { $0.shard == shard && $0.epoch > 0 ? $0.claim : nil }
    }
    if !claims.isEmpty { askSession(shard, .claim(own.house.owner, claims), for: .claim(shard), edge) }
  }

  // Wills --------------------------------------------------------------------------------------------------

  private func publishWill(_ due: Bytes, _ shard: ShardID, _ number: UInt64, _ edge: SimulatedEdge) {
    guard let own = edge.sessions else { return }
    note("edge \(edge.index) publishes will \(number) of shard \(shard)")
    var record = ByteBuffer()
    var topic = 0
    due.withUnsafeBytes { bytes in
      let view = RecordView(trusting: bytes.baseAddress.unsafelyUnwrapped)
      topic = Int(view.topic[1]) - 48
      if plan.renewsWillKeys {
        encode(topic: Bytes(copying: view.topic), .exactlyOnce, key: nil, Bytes(copying: view.payload), edge, into: &record)
      } else {
        record.append(bytes)
      }
    }
    publish(record, topic, own.house.ticket(for: .will(shard, number)), edge)
  }

  func willPublished(_ result: PublishResult, _ edge: SimulatedEdge) {
    guard case .will(let shard, let number)? = edge.sessions?.house.answered(result.ticket) else { return }
    if case .refused = result.outcome { return }
    report.wills += 1
    askSession(shard, .change(.forgetWill(number)), for: .forgetWill, edge)
  }

  // Time ---------------------------------------------------------------------------------------------------

  func careForSessions(_ edge: SimulatedEdge) {
    guard let own = edge.sessions else { return }
    saveMoved(own, edge)
    for index in own.house.lanes.indices {
      let lane = own.house.lanes[index]
      guard lane.sessions > 0, !lane.isAsking, now >= lane.nextLifeSign else { continue }
      own.house.lanes[index].isAsking = true
      own.house.lanes[index].nextLifeSign = now + SessionLimits.lifeSign
      askSession(ShardID(index), .alive(own.house.owner), for: .alive(ShardID(index)), edge)
    }
    for (shard, closing) in own.house.dueClosings(at: now) { close(shard, closing, edge) }
    if now >= own.house.idleSweep {
      own.house.idleSweep = now + SimulatedCluster.idleSaveEvery
      for pipe in own.connections { noteMove(pipe, edge) }
    }
    for pipe in own.connections { careForReading(pipe, edge) }
  }

  private func saveMoved(_ own: EdgeSessions, _ edge: SimulatedEdge) {
    let due = own.house.takeDue(at: now, every: SimulatedCluster.saveEvery) { number in
      pipes[number].isOpenAtEdge ? pipes[number].session.keeping : nil
    }
    for number in due { if let keeping = pipes[number].session.keeping { save(pipes[number], edge, keeping) } }
  }
}
