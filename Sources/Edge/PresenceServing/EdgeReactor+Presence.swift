internal import Core
internal import Feeds
internal import HTTP
internal import JSON
internal import Presence
internal import Reactor
internal import Security

/// Being present on topics, and hearing of those who are.
extension EdgeReactor {
  // MARK: Entering and leaving

  /// Why the client may not do what it wishes; nil if it may.
  func refusal(of wish: PresenceWish) -> Problem? {
    for topic in wish.enters {
      let isSystem = topic.bytes.withUnsafeBytes { Topic.isSystem($0) }
      if isSystem { return Problem(.forbidden, "Nobody enters '\(topic)': topics that begin with '$' belong to the system.") }
    }
    for topic in wish.enters + wish.hears where !topic.bytes.withUnsafeBytes({ settings.permissions.allows(.follow, $0) }) {
      return Problem(.forbidden, "You may not follow '\(topic)', nor hear who does.")
    }
    for topic in wish.hears where !presence.hasRoom(for: topic) {
      return Problem(.unavailable, "This node hears of as many topics as it may. Come back later, or go to another node.")
    }
    return nil
  }

  /// Does what a stream or a long-poll wishes, which has been found to be allowed.
  func take(_ wish: PresenceWish, _ connection: Connection) {
    for topic in wish.enters { if let id = wish.id { enter(topic, id, data: wish.data ?? Bytes(), connection) } }
    for topic in wish.hears { hear(of: topic, connection) }
  }

  /// The connection is present from now on; under another name than before, it leaves under that one.
  func enter(_ topic: Topic, _ id: Bytes, data: Bytes, _ connection: Connection, subscription: Bytes = Bytes(), reference: Bytes = Bytes()) {
    let place = connection.presence ?? ConnectionPresence()
    connection.presence = place
    let key = PresenceKey(topic: topic, id: id)
    var hold = ConnectionPresence.Hold(topic: topic, id: id, subscription: subscription, reference: reference)
    if case .webSocket = connection.role {} else { hold.isConfirmed = true }
    if let index = place.holds.firstIndex(where: { $0.topic == topic }) {
      let before = place.holds[index].id
      place.holds[index] = hold
      if before == id {
        presence.change(topic) { $0.announcer.change(topic, id, data: data) }
      } else {
        presence.leave(PresenceKey(topic: topic, id: before), connection.key, until: nil)
        presence.enter(key, data: data, connection.key, at: loop.wallTime)
      }
    } else {
      place.holds.append(hold)
      presence.enter(key, data: data, connection.key, at: loop.wallTime)
    }
    confirm(key)
    tickPresence()
  }

  /// False if it was not there.
  func leave(_ topic: Topic, _ connection: Connection) -> Bool {
    guard let place = connection.presence, let index = place.holds.firstIndex(where: { $0.topic == topic }) else { return false }
    let hold = place.holds.remove(at: index)
    presence.leave(PresenceKey(topic: topic, id: hold.id), connection.key, until: nil)
    return true
  }

  /// The long-poll is answered: its member waits for the next one.
  func restPresence(_ connection: Connection) {
    guard let place = connection.presence else { return }
    for hold in place.holds {
      presence.leave(PresenceKey(topic: hold.topic, id: hold.id), connection.key, until: now + PresenceDesk.linger)
    }
    place.holds.removeAll()
    endPresence(connection)
    tickPresence()
  }

  /// The connection ends, and its part in everything.
  func endPresence(_ connection: Connection) {
    guard let place = connection.presence else { return }
    connection.presence = nil
    // A client that is sent elsewhere comes back there.
    let until = isDraining ? now + PresenceDesk.linger : nil
    for hold in place.holds { presence.leave(PresenceKey(topic: hold.topic, id: hold.id), connection.key, until: until) }
    for watch in place.watches { presence.unwatch(watch.topic, connection.key) }
    tickPresence()
  }

  // MARK: Hearing

  func hear(of topic: Topic, _ connection: Connection) {
    let place = connection.presence ?? ConnectionPresence()
    connection.presence = place
    guard !place.watches.contains(where: { $0.topic == topic }) else { return }
    place.watches.append(ConnectionPresence.Watch(topic: topic))
    presence.watch(topic, connection.key)
    tellState(topic, connection)
    tickPresence()
  }

  /// False if it did not.
  func hearNoMore(of topic: Topic, _ connection: Connection) -> Bool {
    guard let place = connection.presence, let index = place.watches.firstIndex(where: { $0.topic == topic }) else { return false }
    place.watches.remove(at: index)
    presence.unwatch(topic, connection.key)
    return true
  }

  // MARK: What comes from the shards

  func receive(_ reply: PresenceReply) {
    guard PresenceAnnouncer.isAnnouncement(reply.ticket) else { return answerPresence(reply) }
    guard let settled = presence.receive(reply.shard, { $0.announcer.take(reply, at: now) }) else { return }
    for (topic, id) in settled.entered { confirm(PresenceKey(topic: topic, id: id)) }
    for denial in settled.denied { deny(denial) }
  }

  func receive(_ push: PresencePush) {
    let news = presence.receive(push.shard) { lane in lane.announcer.admits(push) ? lane.mirror.take(push) : [] } ?? []
    for each in news { tell(each) }
  }

  /// Tells those who wait for it that they are in, if the leader knows.
  private func confirm(_ key: PresenceKey) {
    guard presence.lane(of: key.topic)?.announcer.isTold(key.topic, key.id) == true else { return }
    for slot in presence.holders[key] ?? [] {
      guard let connection = connections[slot], let place = connection.presence,
        let index = place.holds.firstIndex(where: { $0.topic == key.topic && $0.id == key.id && !$0.isConfirmed })
      else { continue }
      place.holds[index].isConfirmed = true
      let hold = place.holds[index]
      send(connection) { buffer in
        buffer.append("{\"op\":\"entered\"")
        buffer.append(names: hold.subscription, hold.reference)
        buffer.append(",\"topic\":")
        buffer.append(jsonBytes: hold.topic.bytes)
        buffer.append(",\"member\":")
        buffer.append(jsonBytes: hold.id)
        buffer.append(UInt8(ascii: "}"))
      }
    }
  }

  private func deny(_ denial: PresenceDenial) {
    let detail =
      switch denial.reason {
      case .topicFull: "'\(denial.topic)' has as many members as a topic may have, \(PresenceLimits.topicMembers). You are not present there."
      case .shardFull: "The shard of '\(denial.topic)' has as many members as a shard may have. You are not present there."
      }
    for slot in presence.deny(PresenceKey(topic: denial.topic, id: denial.id)) {
      guard let connection = connections[slot], let place = connection.presence,
        let index = place.holds.firstIndex(where: { $0.topic == denial.topic && $0.id == denial.id })
      else { continue }
      let hold = place.holds.remove(at: index)
      if case .webSocket = connection.role {
        sendError(connection, OperationError(code: "presence-full", detail: detail), id: hold.subscription, reference: hold.reference)
        continue
      }
      var body = ByteBuffer(capacity: 256)
      body.append("\"topic\":")
      body.append(jsonBytes: denial.topic.bytes)
      body.append(",\"code\":\"presence-full\",\"detail\":")
      body.append(jsonText: detail)
      appendPresence(body.freeze(), connection)
    }
  }

  // MARK: Telling

  private func tell(_ news: PresenceMirror.News) {
    guard let watchers = presence.watchers[news.topic] else { return }
    if news.isState {
      for slot in watchers { if let connection = connections[slot] { tellState(news.topic, connection) } }
      return
    }
    var body = ByteBuffer(capacity: 256)
    body.append(presenceOf: news.topic, count: news.count)
    body.append(",\"joined\":[")
    body.append(members: news.joined)
    body.append("],\"left\":[")
    for (index, id) in news.left.enumerated() {
      body.append(index == 0 ? "{\"id\":" : ",{\"id\":")
      body.append(jsonBytes: id)
      body.append(UInt8(ascii: "}"))
    }
    body.append(UInt8(ascii: "]"))
    let told = body.freeze()
    for slot in watchers {
      guard let connection = connections[slot], let place = connection.presence,
        let index = place.watches.firstIndex(where: { $0.topic == news.topic }), !place.watches[index].owesState
      else { continue }
      if connection.output.pendingBytes > RequestLimits.catchUpWindow {
        // Whoever does not keep up is told the state when it does.
        place.watches[index].owesState = true
        presence.owed.append(slot)
      } else {
        appendPresence(told, connection)
      }
    }
  }

  /// Tells the connection who is on the topic, if that is known, and if the connection takes what it is told.
  private func tellState(_ topic: Topic, _ connection: Connection) {
    guard let place = connection.presence, let index = place.watches.firstIndex(where: { $0.topic == topic && $0.owesState }),
      let state = presence.lane(of: topic)?.mirror.state(of: topic, atMost: PresenceLimits.listed)
    else { return }
    guard connection.output.pendingBytes <= RequestLimits.catchUpWindow else {
      presence.owed.append(connection.key)
      return
    }
    place.watches[index].owesState = false
    var body = ByteBuffer(capacity: 256)
    body.append(presenceOf: topic, count: state.count)
    body.append(",\"members\":[")
    body.append(members: state.members)
    body.append(state.count > state.members.count ? "],\"truncated\":true" : "]")
    appendPresence(body.freeze(), connection)
  }

  /// One message about presence, in the connection's own words; `members` are those of its JSON object.
  private func appendPresence(_ members: Bytes, _ connection: Connection) {
    switch connection.role {
    case .webSocket:
      send(connection) { buffer in
        buffer.append("{\"op\":\"presence\",")
        buffer.append(members)
        buffer.append(UInt8(ascii: "}"))
      }
    case .following(let format):
      connection.output.own.append(format == .ndjson ? "{\"presence\":{" : "event: tidings.presence\ndata: {")
      connection.output.own.append(members)
      connection.output.own.append(format == .ndjson ? "}}\n" : "}\n\n")
      list(connection)
    case .http, .mqtt, .finishing: break
    }
  }

  // MARK: Time

  func tickPresence() {
    guard !presence.isTicking, presence.isActive else { return }
    presence.isTicking = true
    _ = loop.schedule(TimerKey(PollToken(kind: Self.presenceTimer).rawValue), at: now + PresenceDesk.period)
  }

  func careForPresence() {
    presence.isTicking = false
    presence.tick(at: now)
    let owed = presence.owed
    presence.owed.removeAll()
    for slot in owed {
      guard let connection = connections[slot], let place = connection.presence else { continue }
      for topic in place.watches.filter(\.owesState).map(\.topic) { tellState(topic, connection) }
    }
    tickPresence()
  }
}

extension ByteBuffer {
  mutating func append(jsonBytes bytes: Bytes) { bytes.withUnsafeBytes { append(jsonString: $0) } }

  /// The client's own names for what it asked, given back as they are.
  mutating func append(names id: Bytes, _ reference: Bytes) {
    if !id.isEmpty {
      append(",\"id\":")
      append(id)
    }
    if !reference.isEmpty {
      append(",\"ref\":")
      append(reference)
    }
  }

  mutating func append(presenceOf topic: Topic, count: Int) {
    append("\"topic\":")
    append(jsonBytes: topic.bytes)
    append(",\"count\":")
    append(decimal: UInt64(count))
  }

  /// Members with commas between them; `connections` where it is asked who is there.
  mutating func append(members: [PresenceMember], withConnections: Bool = false) {
    for (index, member) in members.enumerated() {
      append(index == 0 ? "{\"id\":" : ",{\"id\":")
      append(jsonBytes: member.id)
      if !member.data.isEmpty {
        append(",\"data\":")
        append(member.data)
      }
      append(",\"since\":\"")
      append(timestamp: member.since)
      append(UInt8(ascii: "\""))
      if withConnections {
        append(",\"connections\":")
        append(decimal: UInt64(member.connections))
      }
      append(UInt8(ascii: "}"))
    }
  }
}
