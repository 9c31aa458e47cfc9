internal import Core
internal import Feeds
internal import MQTT
internal import Reactor
internal import Security

/// What MQTT clients follow.
extension EdgeReactor {
  func subscribe(_ request: MQTTSubscribeRequest, _ connection: Connection, _ session: MQTTSession) {
    let cursor: Cursor?
    let wantsPositions: Bool
    switch start(of: request).flatMap({ cursor in self.wantsPositions(request).map { (cursor, $0) } }) {
    case .success(let found): (cursor, wantsPositions) = found
    case .failure(let text):
      // Refused before anything is changed: what is held already stays as it was.
      let codes = request.subscriptions.map { _ in MQTTReasonCode.implementationSpecificError }
      return speak(connection, session) { $0.subscribed(request.ticket, codes, text.description, at: now, into: &$1) }
    }
    var codes: [MQTTReasonCode] = []
    // Current values first, for those that are to have them; the others begin with what comes.
    var withValues: [Filter] = []
    var fromNow: [Filter] = []
    // What the node tells of itself is no log's. Told after the answer, whichever way that goes.
    var ofSystem: [Filter]?
    defer { if let ofSystem { followSystem(ofSystem, connection, session) } }
    var groups: [SharedGroup] = []
    for wish in request.subscriptions {
      if let share = share(wish, request.identifier, connection, session) {
        codes.append(share.code)
        if let group = share.group { groups.append(group) }
        continue
      }
      guard let filter = filter(wish.filter) else {
        codes.append(.topicFilterInvalid)
        continue
      }
      guard filter.bytes.withUnsafeBytes({ settings.permissions.allows(.follow, $0) }) else {
        codes.append(.notAuthorized)
        continue
      }
      guard hasRoom(for: filter.bytes, session) else {
        codes.append(.quotaExceeded)
        continue
      }
      codes.append(MQTTReasonCode(granted: wish.qos))
      // One that is asked for and not answered yet is held too.
      let isKnown = session.subscriptions.contains { $0.filter == filter }
      if isKnown { session.subscriptions.removeAll { $0.filter == filter } }
      session.subscriptions.append(
        MQTTSession.Subscription(filter: filter, wish: wish, identifier: request.identifier, wantsPositions: wantsPositions))
      if filter.namesSystem {
        let wantsValues = wish.retainHandling == .always || (wish.retainHandling == .ifNew && !isKnown)
        ofSystem = (ofSystem ?? []) + (wantsValues ? [filter] : [])
        continue
      }
      switch wish.retainHandling {
      case .always: withValues.append(filter)
      case .ifNew where !isKnown: withValues.append(filter)
      case .ifNew, .never: fromNow.append(filter)
      }
    }
    guard !withValues.isEmpty || !fromNow.isEmpty || !groups.isEmpty else {
      if ofSystem != nil { changeSubscriptions(connection, session) }
      return speak(connection, session) { $0.subscribed(request.ticket, codes, at: now, into: &$1) }
    }
    let name = session.nextSubscribe()
    var pending = MQTTSession.PendingSubscribe(name: name, ticket: request.ticket, codes: codes)
    pending.groups = groups.filter { !$0.isLive }
    pending.filters = request.subscriptions.map(\.filter)
    session.pendingSubscribes.append(pending)
    if withValues.isEmpty, fromNow.isEmpty { return answerSubscribes(connection.reader?.legs ?? session.legs, connection, session) }
    var legs = rest(connection, session)
    if let cursor {
      legs.append(leg(for: ReadWish(filters: withValues + fromNow, start: .cursor(cursor)), subscription: name))
    } else {
      if !withValues.isEmpty { legs.append(leg(for: ReadWish(filters: withValues, start: .current), subscription: name)) }
      if !fromNow.isEmpty { legs.append(leg(for: ReadWish(filters: fromNow, start: .latest), subscription: name)) }
    }
    takeUp(legs, connection, session)
  }

  func filter(_ bytes: Bytes) -> Filter? {
    do throws(TopicError) { return try Filter(bytes) } catch { return nil }
  }

  /// A client of 5.0 may begin where another client, of whatever transport, stopped.
  private func start(of request: MQTTSubscribeRequest) -> Result<Cursor?, UnreadableText> {
    guard let text = request.properties.userProperty(MQTTRecordProperties.cursorName) else { return .success(nil) }
    do { return .success(try Cursor(parsing: text.text)) } catch {
      return .failure(UnreadableText("tidings-cursor is no cursor."))
    }
  }

  func unsubscribe(_ request: MQTTUnsubscribeRequest, _ connection: Connection, _ session: MQTTSession) {
    var codes: [MQTTReasonCode] = []
    var gone: [Filter] = []
    for bytes in request.filters {
      if MQTTSharedFilter.isShared(bytes) {
        codes.append(unshare(bytes, connection, session) ? .success : .noSubscriptionExisted)
        continue
      }
      guard let index = session.subscriptions.firstIndex(where: { $0.filter.bytes == bytes }) else {
        codes.append(.noSubscriptionExisted)
        continue
      }
      gone.append(session.subscriptions.remove(at: index).filter)
      codes.append(.success)
    }
    if !gone.isEmpty {
      let legs = rest(connection, session).compactMap { leg in leg.without(gone) }
      takeUp(legs, connection, session)
      // A SUBSCRIBE may have waited for just these.
      answerSubscribes(legs, connection, session)
      guard connection.isMQTT else { return }
      changeSubscriptions(connection, session)
    }
    speak(connection, session) { $0.unsubscribed(request.ticket, codes, at: now, into: &$1) }
  }

  /// What is followed and where each leg stands, while it goes on.
  func whereItStands(_ connection: Connection, _ session: MQTTSession) -> [Reader.Leg] {
    if connection.audience != nil { return standing(session.legs, connection) }
    guard let reader = connection.reader else { return session.legs }
    guard reader.isParked, let audience = reader.audience else { return reader.legs }
    var legs = reader.legs
    legs[0].stand(atLeast: parkedPlace(of: audience), of: audience)
    return legs
  }

  /// Stops reading; answers what is followed and where each leg stands.
  func rest(_ connection: Connection, _ session: MQTTSession) -> [Reader.Leg] {
    session.legs = whereItStands(connection, session)
    if connection.audience != nil {
      leaveAudience(connection)
    } else if let reader = connection.reader {
      release(reader, of: connection)
      connection.reader = nil
    }
    return session.legs
  }

  func takeUp(_ legs: [Reader.Leg], _ connection: Connection, _ session: MQTTSession) {
    session.legs = legs
    guard !legs.isEmpty else { return }
    let format = session.format(largestMessage: settings.mqtt.maximumPacketSize)
    let reader = Reader(goal: .follow(format), legs: legs)
    reader.toldStart = true
    begin(reader, on: connection, format: format)
  }

  /// Answers each SUBSCRIBE whose legs are all known to begin somewhere.
  func announceSubscribes(_ reader: Reader, _ connection: Connection, _ session: MQTTSession) -> Bool {
    var hasTold = false
    for index in reader.legs.indices where !reader.legs[index].isAnnounced && reader.isReadyToTell(index) {
      reader.legs[index].isAnnounced = true
      hasTold = true
    }
    guard hasTold else { return false }
    answerSubscribes(reader.legs, connection, session)
    return true
  }

  /// The same where none of the legs has changed.
  func answerSubscribes(_ connection: Connection, _ session: MQTTSession) {
    answerSubscribes(connection.reader?.legs ?? session.legs, connection, session)
  }

  private func answerSubscribes(_ legs: [Reader.Leg], _ connection: Connection, _ session: MQTTSession) {
    while let first = session.pendingSubscribes.first {
      guard first.groups.isEmpty, legs.allSatisfy({ $0.subscription != first.name || $0.isAnnounced }) else { return }
      session.pendingSubscribes.removeFirst()
      changeSubscriptions(connection, session)
      speak(connection, session) { $0.subscribed(first.ticket, first.codes, at: now, into: &$1) }
      if !connection.isMQTT { return }
      goOnSharing(session)
    }
  }
}

extension Reader.Leg {
  /// The leg without these filters; nil if none is left.
  func without(_ gone: [Filter]) -> Reader.Leg? {
    var leg = self
    leg.filters.removeAll { gone.contains($0) }
    guard !leg.filters.isEmpty else { return nil }
    for index in leg.places.indices { leg.places[index].filters.removeAll { gone.contains($0) } }
    leg.removeEmptyPlaces()
    return leg
  }

  private mutating func removeEmptyPlaces() {
    for index in places.indices.reversed() where places[index].filters.isEmpty {
      places.remove(at: index)
      began.remove(at: index)
    }
  }
}
