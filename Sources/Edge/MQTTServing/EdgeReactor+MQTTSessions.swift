internal import Core
internal import Feeds
internal import MQTT
internal import Reactor
internal import Sessions

/// A client's session: asked for where it is kept when the client comes, and given back when it goes.
///
/// ```
///  CONNECT ─▶ enter ─ open ─▶ shard of the client's identifier ─ kept ─▶ opened ─▶ CONNACK, resume
///  the end ─▶ leave ─ close, with how far it came ─▶ shard
/// ```
extension EdgeReactor {
  // MARK: Coming

  func enter(_ connect: MQTTConnect, _ connection: Connection, _ session: MQTTSession) {
    if let (reason, text) = connect.will.flatMap({ refusal(of: $0) }) {
      counters.publishErrors += 1
      return refuse(connection, session, session.channel.version == .v5 ? reason : .notAuthorized, "The will: \(text)")
    }
    let isAssigned = connect.clientIdentifier.isEmpty
    let client = isAssigned ? Bytes("tidings-\(generator.next().hexadecimal)") : connect.clientIdentifier
    // It gives back what it has before this one asks for it.
    takeOver(client)
    session.clientIdentifier = client
    mqttClients[client] = connection.key
    let expiry = settings.mqtt.sessionExpiry(for: connect)
    let will = connect.will.flatMap { encoded($0, session) }
    guard !isAssigned || expiry > 0 || will != nil else {
      var acceptance = MQTTAcceptance()
      acceptance.assignedClientIdentifier = client
      return letIn(acceptance, connection, session)
    }
    let keeping = MQTTKeeping(client: client, shard: client.withUnsafeBytes(shard(ofClient:)), nonce: generator.next())
    keeping.isAssigned = isAssigned
    session.keeping = keeping
    let opening = SessionOpening(
      client: client, owner: sessionHouse.owner, nonce: keeping.nonce, isClean: connect.isCleanStart, expiry: expiry, will: will)
    askSession(keeping.shard, .change(.open(opening)), for: .open(connection.key, keeping.shard, opening))
  }

  private func shard(ofClient identifier: UnsafeRawBufferPointer) -> ShardID {
    ShardID(Int(StableHash.of(identifier) % UInt64(settings.shardCount)))
  }

  private func letIn(_ acceptance: MQTTAcceptance, _ connection: Connection, _ session: MQTTSession) {
    speak(connection, session) { $0.accept(acceptance, at: now, into: &$1) }
    guard connection.isMQTT else { return }
    session.isCounted = true
    settings.mqttCensus.came()
    mqttTraffic.connects += 1
    careForDeadline(connection, session)
    goOnTaking(connection, session)
  }

  /// The shard's answer to who came.
  func opened(_ key: SlotKey, _ shard: ShardID, _ opening: SessionOpening, _ result: Result<SessionReply.Answer, Refusal>) {
    guard let connection = connections[key], case .mqtt(let session) = connection.role, let keeping = session.keeping,
      keeping.nonce == opening.nonce
    else {
      // Whoever asked is gone: nothing happened, but that it may have been taken from another.
      if case .success(.opened(let opened)) = result { giveBack(shard, opening, opened) }
      return
    }
    switch result {
    case .success(.opened(let opened)):
      keeping.epoch = opened.epoch
      keeping.identity = opened.identity
      keeping.isDurable = opening.expiry > 0
      keeping.savedAt = now
      sessionHouse.lanes[shard.index].sessions += 1
      scheduleSessionCare()
      // Its own messages are known as such over all its connections.
      if opening.expiry > 0 { session.publisher = UInt32(truncatingIfNeeded: opened.identity) | 1 }
      resume(opened.kept, connection, session, keeping)
    case .success: preconditionFailure("an opening was answered as if it were none")
    case .failure(.overloaded):
      // Before 5.0 there is no code for it; this one says as much that another attempt may do.
      refuse(connection, session, session.channel.version == .v5 ? .quotaExceeded : .serverUnavailable, "There are too many sessions.")
    case .failure:
      refuse(connection, session, .serverUnavailable, "The session cannot be had now. Try again.")
    }
  }

  private func refuse(_ connection: Connection, _ session: MQTTSession, _ reason: MQTTReasonCode, _ text: String) {
    session.keeping = nil
    speak(connection, session) { $0.refuse(reason, text, at: now, into: &$1) }
  }

  private func giveBack(_ shard: ShardID, _ opening: SessionOpening, _ opened: SessionOpened) {
    let claim = SessionClaim(client: opening.client, epoch: opened.epoch)
    // Had it been resumed, what was kept would be as exact as it was.
    close(shard, SessionClosing(SessionSave(claim, number: 1, subscriptions: nil, progress: nil), expiry: opening.expiry, will: .dropped))
  }

  // MARK: Going on where it was

  private func resume(_ kept: SessionKept?, _ connection: Connection, _ session: MQTTSession, _ keeping: MQTTKeeping) {
    var acceptance = MQTTAcceptance()
    if keeping.isAssigned { acceptance.assignedClientIdentifier = keeping.client }
    guard let kept, let (state, progress) = parts(of: kept, keeping) else { return letIn(acceptance, connection, session) }
    let subscriptions = state.subscriptions
    acceptance.session = state
    if !kept.isExact { keeping.quietUntil = loop.wallTime }
    for held in subscriptions {
      let identifier = held.identifier == 0 ? nil : held.identifier
      if share(held.subscription, identifier, connection, session) != nil { continue }
      guard let filter = filter(held.subscription.filter) else { continue }
      session.subscriptions.append(MQTTSession.Subscription(filter: filter, wish: held.subscription, identifier: identifier))
    }
    letIn(acceptance, connection, session)
    guard connection.isMQTT else { return }
    for (shard, gap) in keeping.gaps(of: progress) { tellMQTT(gap, of: shard, connection, session) }
    keeping.recalls += progress.backlog.map { MQTTRecall(token: $0, wasSent: false) }
    takeUp(legs(progress, subscriptions, session), connection, session)
    if session.subscriptions.contains(where: \.filter.namesSystem) { followSystem([], connection, session) }
    goOnRecalling(connection, session)
  }

  /// Nil where it cannot be read: then the client begins anew, and is told.
  private func parts(of kept: SessionKept, _ keeping: MQTTKeeping) -> (MQTTSessionState, MQTTSessionProgress)? {
    do throws(MQTTSessionFailure) { return try keeping.resume(kept) } catch {
      counters.protocolErrors += 1
      return nil
    }
  }

  private func legs(
    _ progress: MQTTSessionProgress, _ subscriptions: [MQTTSessionState.Subscription], _ session: MQTTSession
  ) -> [Reader.Leg] {
    // What is shared with others has its place where the messages are.
    let filters = subscriptions.map { MQTTSharedFilter.isShared($0.subscription.filter) ? nil : filter($0.subscription.filter) }
    var legs: [Reader.Leg] = []
    var placed = Set<Int>()
    for kept in progress.legs {
      let numbers = kept.subscriptions.filter { $0 < filters.count }
      placed.formUnion(numbers)
      let wanted = numbers.compactMap { filters[$0] }
      var leg = leg(for: ReadWish(filters: wanted, start: .latest), subscription: session.nextSubscribe())
      leg.isAnnounced = true
      for place in kept.places {
        guard let index = leg.places.firstIndex(where: { $0.shard.value == place.shard }) else { continue }
        leg.places[index].offset = Offset(place.offset)
        leg.places[index].phase = place.owesCurrent ? .start(.current) : .ready
        leg.began[index] = Offset(place.began)
      }
      if !leg.filters.isEmpty { legs.append(leg) }
    }
    // Plain messages are not kept for who is away: they go on with what comes.
    let rest = filters.indices.filter { !placed.contains($0) }.compactMap { filters[$0] }.filter { !$0.namesSystem }
    if !rest.isEmpty { legs.append(leg(for: ReadWish(filters: rest, start: .latest), subscription: session.nextSubscribe())) }
    return legs
  }

  // MARK: Going

  /// Another connection has come with this identifier ([MQTT-3.1.4-3]), or has had it since this epoch.
  func takeOver(_ client: Bytes, upTo epoch: UInt64? = nil) {
    guard let key = mqttClients[client], let connection = connections[key], case .mqtt(let session) = connection.role else { return }
    if let epoch {
      guard let keeping = session.keeping, keeping.epoch > 0, keeping.epoch <= epoch else { return }
    }
    mqttClients[client] = nil
    speak(connection, session) { $0.end(.sessionTakenOver, "Another connection has come with this client identifier.", at: now, into: &$1) }
    // Whoever comes finds what this one had.
    leave(connection, session)
  }

  /// Nothing more of it is said to its shard.
  func forget(_ keeping: MQTTKeeping) {
    guard !keeping.isLost else { return }
    keeping.isLost = true
    if keeping.epoch > 0 { sessionHouse.lanes[keeping.shard.index].sessions -= 1 }
  }

  /// The connection is gone: its session is given back, as far as it came.
  func leave(_ connection: Connection, _ session: MQTTSession) {
    guard let keeping = session.keeping, !keeping.isLost else { return }
    for held in keeping.takePublishes() { send(held, connection, session) }
    guard keeping.epoch > 0 else { return }
    let expiry = session.channel.sessionExpiry
    var save = SessionSave(keeping.claim, number: keeping.nextSave(), subscriptions: nil, progress: nil)
    if session.channel.hasTakenLeave { keeping.leftInOrder() }
    let isKept = keeping.isDurable && expiry > 0
    if isKept { fill(&save, connection, session, keeping) }
    let fate: SessionClosing.WillFate = !session.hasWillDue ? .dropped : isDraining ? .waits(seconds: settings.mqttDrainPatience) : .due
    forget(keeping)
    let closing = SessionClosing(save, expiry: expiry, will: fate)
    if isKept { handOver(closing, session) }
    close(keeping.shard, closing)
  }

  func close(_ shard: ShardID, _ closing: SessionClosing) {
    askSession(shard, .change(.close(closing)), for: .close(shard, closing))
  }

  func askSession(_ shard: ShardID, _ operation: SessionRequest.Operation, for call: MQTTSessionHouse<SlotKey>.Call) {
    ask(shard, .session(SessionRequest(edge: edge, ticket: sessionHouse.ticket(for: call), operation: operation)))
  }
}
