internal import Core
internal import Feeds
internal import Reactor

extension EdgeReactor {
  // MARK: Keeping up

  /// The reader stands where the feeds stand: from here on the audience's stream is its own.
  func join(_ reader: Reader, _ connection: Connection) {
    guard let audience = reader.audience else { preconditionFailure("a follower without an audience") }
    audience.remove(reader: connection.key)
    connection.reader = nil
    connection.audience = audience
    let isHeld = !connection.output.isEmpty
    connection.memberIndex = audience.join(connection.key, descriptor: connection.descriptor.rawValue, stalled: isHeld)
    if let consumer = reader.consumer { bindConsumer(consumer, to: connection) }
    if isHeld { list(connection) }
    if case .mqtt(let session) = connection.role { session.legs = [Reader.Leg(merging: reader.legs)] }
    if case .webSocket(let session) = connection.role {
      session.keepLegs(of: reader)
      if session.legs.contains(where: { $0.consumer?.acknowledgesItself == true }) { listAsConsumer(connection) }
      runDeferred(connection, session)
    }
  }

  func leaveAudience(_ connection: Connection) {
    guard let audience = connection.audience else { return }
    connection.audience = nil
    audience.leave(at: connection.memberIndex) { key, index in connections[key]?.memberIndex = index }
    if audience.stream.byteCount > 0 { fanout.touch(audience) }
  }

  /// The member's socket took only part: the rest of that message becomes its own, the stream waits for it.
  func stall(_ audience: Audience, _ index: Int) {
    guard let connection = connections[audience.members[index].connection] else { return }
    connection.isBlocked = true
    audience.members[index].isStalled = true
    let position = audience.members[index].position
    let end = audience.stream.messageEnd(at: position)
    let slot = Int(audience.key.format.rawValue)
    if end > position {
      audience.stream.forEachPiece(in: position..<end) { piece in
        fanout.arenas[slot].retain(piece.chunk)
        connection.output.rests.append(OutputQueue.SharedRest(piece: piece, arena: slot))
      }
      audience.members[index].position = end
    }
  }

  /// The socket takes more again.
  func resumeMember(_ connection: Connection) {
    guard let audience = connection.audience else { return }
    let member = audience.members[connection.memberIndex]
    guard member.isStalled else { return }
    audience.members[connection.memberIndex].isStalled = false
    // The next flush visits it with all others, and lets go of what it held.
    fanout.touch(audience)
    loop.wakeImmediately()
  }

  /// Past its bound: the member keeps no place in the stream but a cursor, and reads on when its socket drains.
  func fallBehind(_ connection: Connection) {
    guard let audience = connection.audience else { return }
    counters.fellBehind += 1
    let member = audience.members[connection.memberIndex]
    let hasAll = audience.stream.isEmpty || member.position == audience.stream.end
    let cursor = hasAll ? fanout.cursor(of: audience) : audience.stream.cursor(at: member.position)
    var legs: [Reader.Leg]
    if let followed = connection.role.legs {
      legs = followed
      for index in legs.indices { legs[index].stand(at: cursor, of: audience) }
    } else {
      let places = audience.shards.indices.map { index in
        let shard = audience.shards[index]
        return Reader.Place(shard: shard, filters: filters(audience.key.filters, on: shard), offset: cursor[index], phase: .ready)
      }
      legs = [Reader.Leg(filters: audience.key.filters, subscription: "", places: places, began: cursor)]
    }
    for index in legs.indices { legs[index].isAnnounced = true }
    let reader = Reader(goal: .follow(audience.key.format), legs: legs)
    reader.toldStart = true
    leaveAudience(connection)
    reader.consumer = takeConsumer(from: connection)
    begin(reader, on: connection, format: audience.key.format)
  }

  /// What a socket follows, and how far its audience's stream has been taken.
  func standing(_ legs: [Reader.Leg], _ connection: Connection) -> [Reader.Leg] {
    guard let audience = connection.audience else { return legs }
    let member = audience.members[connection.memberIndex]
    let hasAll = audience.stream.isEmpty || member.position == audience.stream.end
    let offsets = hasAll ? fanout.cursor(of: audience) : audience.stream.cursor(at: member.position)
    var legs = legs
    for index in legs.indices where legs[index].isAnnounced { legs[index].stand(at: offsets, of: audience) }
    return legs
  }

  // MARK: Audiences over time

  static let audienceCarePeriod = TimeSpan.seconds(1)

  func scheduleAudienceCare() {
    _ = loop.schedule(TimerKey(PollToken(kind: Self.audienceTimer).rawValue), at: now + Self.audienceCarePeriod)
  }

  /// Heartbeats for the idle, and farewell to audiences that nobody came back to.
  func careForAudiences() {
    let now = now
    for case let audience? in fanout.audiences {
      if audience.isEmpty {
        if let since = audience.emptySince {
          if now - since >= settings.audienceLinger { fanout.dissolve(audience) }
        } else {
          audience.emptySince = now
        }
        continue
      }
      audience.emptySince = nil
      if !audience.members.isEmpty, audience.key.format.beats, now - audience.lastSent >= settings.heartbeat { fanout.beat(audience, now: now) }
    }
    sharedReads.forget(at: now)
    acknowledgeConsumers()
    careForSystem()
    careForShares()
    scheduleAudienceCare()
  }
}
