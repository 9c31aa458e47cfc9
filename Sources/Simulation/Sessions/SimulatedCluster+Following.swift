internal import Core
internal import Feeds
internal import MQTT
internal import Sessions

/// What MQTT clients follow: read for each alone, from the edge's cache where it reaches back far enough, else from the shards.
extension SimulatedCluster {
  private static let readAgain = TimeSpan.milliseconds(250)

  // Subscribing --------------------------------------------------------------------------------------------

  func subscribe(_ request: MQTTSubscribeRequest, _ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    var filters: [Filter] = []
    for wish in request.subscriptions {
      let filter = SimulatedCluster.filter(wish.filter.text)
      filters.append(filter)
      if let index = pipe.session.legs.firstIndex(where: { $0.filter == filter }) {
        pipe.session.legs[index].granted = wish.qos
      } else {
        add(EdgeSession.Leg(filter: filter, granted: wish.qos, places: shards(of: filter).map { EdgeSession.Place(shard: $0) }, isAnnounced: false), pipe, edge)
      }
    }
    let codes = request.subscriptions.map { MQTTReasonCode(granted: $0.qos) }
    pipe.session.subscribes.append(EdgeSession.PendingSubscribe(ticket: request.ticket, filters: filters, codes: codes))
    answerSubscribes(pipe, edge)
    pump(pipe, edge)
  }

  func unsubscribe(_ request: MQTTUnsubscribeRequest, _ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    var codes: [MQTTReasonCode] = []
    for bytes in request.filters {
      guard let index = pipe.session.legs.firstIndex(where: { $0.filter.bytes == bytes }) else {
        codes.append(.noSubscriptionExisted)
        continue
      }
      release(pipe.session.legs.remove(at: index), edge)
      codes.append(.success)
      pipe.session.keeping?.hasOtherSubscriptions = true
      oweSave(pipe, edge)
    }
    _ = speak(pipe, edge) { $0.unsubscribed(request.ticket, codes, at: now, into: &$1) }
  }

  private func answerSubscribes(_ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    while pipe.isOpenAtEdge, let first = pipe.session.subscribes.first {
      guard pipe.session.legs.allSatisfy({ !first.filters.contains($0.filter) || $0.isReady }) else { return }
      pipe.session.subscribes.removeFirst()
      for index in pipe.session.legs.indices where first.filters.contains(pipe.session.legs[index].filter) { pipe.session.legs[index].isAnnounced = true }
      pipe.session.keeping?.hasOtherSubscriptions = true
      oweSave(pipe, edge)
      _ = speak(pipe, edge) { $0.subscribed(first.ticket, first.codes, at: now, into: &$1) }
    }
  }

  private func shards(of filter: Filter) -> [Int] {
    filter == wildcard ? Array(0..<plan.shards) : [(Int(filter.bytes[1]) - 48) % plan.shards]
  }

  private func add(_ leg: EdgeSession.Leg, _ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    for place in leg.places { edge.shards[place.shard].feed.hold(leg.filter) }
    pipe.session.legs.append(leg)
  }

  func release(_ leg: EdgeSession.Leg, _ edge: SimulatedEdge) {
    for place in leg.places {
      edge.shards[place.shard].feed.release(leg.filter)
      if let question = place.question { edge.sessions?.reads[question] = nil }
    }
  }

  /// What a resumed session followed, where it stood.
  func takeUp(_ subscriptions: [MQTTSessionState.Subscription], _ progress: MQTTSessionProgress, _ pipe: MQTTPipe, _ edge: SimulatedEdge) throws(Problem) {
    for (number, held) in subscriptions.enumerated() {
      let filter = SimulatedCluster.filter(held.subscription.filter.text)
      let kept = progress.legs.first { $0.subscriptions.contains(number) }
      let places = shards(of: filter).map { shard in
        var place = EdgeSession.Place(shard: shard)
        if let found = kept?.places.first(where: { Int($0.shard) == shard }) {
          place.began = Offset(found.began)
          place.at = Offset(found.offset)
        }
        return place
      }
      add(EdgeSession.Leg(filter: filter, granted: held.subscription.qos, places: places, isAnnounced: true), pipe, edge)
    }
    pump(pipe, edge)
  }

  // Reading ------------------------------------------------------------------------------------------------

  func careForReading(_ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    if let due = pipe.session.readsAgainAt, now >= due {
      pipe.session.readsAgainAt = nil
      goOnRecalling(pipe, edge)
    }
    pump(pipe, edge)
  }

  func pumpClients(_ edge: SimulatedEdge, _ shard: Int) {
    guard let own = edge.sessions else { return }
    for pipe in own.connections { pump(pipe, edge) }
  }

  func pump(_ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    guard pipe.isOpenAtEdge, pipe.session.channel.isConnected, problem == nil else { return }
    for leg in pipe.session.legs.indices {
      guard pipe.session.legs.indices.contains(leg) else { return }
      for place in pipe.session.legs[leg].places.indices { pump(leg, place, pipe, edge) }
    }
  }

  private func pump(_ leg: Int, _ place: Int, _ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    guard pipe.isOpenAtEdge, pipe.session.legs.indices.contains(leg) else { return }
    let filter = pipe.session.legs[leg].filter
    let current = pipe.session.legs[leg].places[place]
    guard current.question == nil, pipe.session.readsAgainAt == nil else { return }
    guard let at = current.at else { return question(.latest, leg, place, pipe, edge) }
    // What has not been answered has not begun, and who takes nothing is read nothing for.
    guard pipe.session.legs[leg].isAnnounced, pipe.session.channel.window > 0 else { return }
    let feed = edge.shards[current.shard].feed
    guard let coverage = feed.coverage(of: [filter]), at >= coverage else { return question(.after(at), leg, place, pipe, edge) }
    guard at < feed.upTo else { return }
    var isAtEnd = true
    feed.cache.forEach(after: at) { record in
      guard record.kind == .record, filter.matches(record.topic) else { return true }
      guard give(record, leg, place, pipe, edge) else {
        isAtEnd = false
        return false
      }
      return true
    }
    if isAtEnd { move(leg, place, filter, to: feed.upTo, pipe) }
  }

  private func move(_ leg: Int, _ place: Int, _ filter: Filter, to offset: Offset, _ pipe: MQTTPipe) {
    // Sending may have ended it all.
    guard pipe.isOpenAtEdge, pipe.session.legs.indices.contains(leg), pipe.session.legs[leg].filter == filter else { return }
    if let at = pipe.session.legs[leg].places[place].at, at < offset { pipe.session.legs[leg].places[place].at = offset }
  }

  private func question(_ start: ReadStart, _ leg: Int, _ place: Int, _ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    let ticket = nextTicket(of: edge)
    let filter = pipe.session.legs[leg].filter
    pipe.session.legs[leg].places[place].question = ticket
    edge.sessions?.reads[ticket] = pipe.number
    ask(
      edge, pipe.session.legs[leg].places[place].shard,
      .read(ReadRequest(edge: EdgeID(0), ticket: ticket, filters: [filter], start: start, maximumBytes: plan.pageBytes)))
  }

  /// False if the answer was to nobody here.
  func takesRead(_ reply: ReadReply, _ edge: SimulatedEdge) throws(Problem) -> Bool {
    guard let number = edge.sessions?.reads.removeValue(forKey: reply.ticket) else { return false }
    let pipe = pipes[number]
    let session = pipe.session
    guard pipe.isOpenAtEdge else { return true }
    if session.recallTicket == reply.ticket {
      try recall(reply, pipe, edge)
      return true
    }
    for leg in session.legs.indices {
      guard let place = session.legs[leg].places.firstIndex(where: { $0.question == reply.ticket }) else { continue }
      session.legs[leg].places[place].question = nil
      try take(reply, leg, place, pipe, edge)
      break
    }
    return true
  }

  private func take(_ reply: ReadReply, _ leg: Int, _ place: Int, _ pipe: MQTTPipe, _ edge: SimulatedEdge) throws(Problem) {
    let session = pipe.session
    switch reply.result {
    case .failure: session.readsAgainAt = now + SimulatedCluster.readAgain
    case .success(let page):
      if let gap = page.gap { throw Problem("client \(pipe.client) would be told of a gap in shard \(reply.shard): \(gap)") }
      guard session.legs[leg].places[place].at != nil else {
        session.legs[leg].places[place].at = page.upTo
        session.legs[leg].places[place].began = page.upTo
        answerSubscribes(pipe, edge)
        return pump(pipe, edge)
      }
      let filter = session.legs[leg].filter
      var isAtEnd = true
      for piece in page.pieces where isAtEnd {
        piece.withUnsafeBytes { memory in
          for record in RecordSequence(trusting: memory) where isAtEnd { isAtEnd = give(record, leg, place, pipe, edge) }
        }
      }
      guard isAtEnd else { return }
      move(leg, place, filter, to: page.upTo, pipe)
      if page.isBehind || page.upTo >= page.committed {
        // Until the feed is live there is no more for now.
        session.readsAgainAt = now + SimulatedCluster.readAgain
      } else {
        pump(pipe, edge)
      }
    }
  }

  // Delivering ---------------------------------------------------------------------------------------------

  /// False, and nothing sent, while the client takes nothing.
  private func give(_ record: RecordView, _ leg: Int, _ place: Int, _ pipe: MQTTPipe, _ edge: SimulatedEdge) -> Bool {
    let session = pipe.session
    guard pipe.isOpenAtEdge, session.legs.indices.contains(leg), session.channel.window > 0 else { return false }
    let shard = session.legs[leg].places[place].shard
    let delivery = delivery(of: record, shard, session.legs[leg].granted, MQTTToken.make(ShardID(shard), record.offset, isCurrent: false))
    // It stands behind the message before anything is saved of it.
    session.legs[leg].places[place].at = record.offset
    if delivery.qos == .exactlyOnce { oweSave(pipe, edge) }
    noteMove(pipe, edge)
    render(record, session) { bytes, rendering in
      _ = speak(pipe, edge) { channel, output in channel.deliver(delivery, rendering, of: bytes.bytes, into: &output) }
    }
    return true
  }

  private func delivery(of record: RecordView, _ shard: Int, _ granted: MQTTQoS, _ token: UInt64) -> MQTTDelivery {
    let properties = record.properties
    let published = properties.count >= 2 ? MQTTQoS(rawValue: properties[1]) ?? .exactlyOnce : .exactlyOnce
    return MQTTDelivery(min(published, granted), token: token)
  }

  private func render(_ record: RecordView, _ session: EdgeSession, _ body: (Bytes, MQTTPublishRendering) -> Void) {
    let topic = Bytes(copying: record.topic)
    let payload = Bytes(copying: record.payload)
    let nothing = Bytes()
    var bytes = ByteBuffer()
    let rendering = MQTTPublishRendering.append(
      session.channel.version ?? .v5, topic: topic.bytes, properties: nothing.bytes, payload: payload.bytes, into: &bytes)
    body(bytes.freeze(), rendering)
  }

  // Sending again ------------------------------------------------------------------------------------------

  func goOnRecalling(_ pipe: MQTTPipe, _ edge: SimulatedEdge) {
    let session = pipe.session
    guard pipe.isOpenAtEdge, let keeping = session.keeping, session.recallTicket == nil, session.readsAgainAt == nil else { return }
    guard let first = keeping.recalls.first, let place = MQTTToken.place(of: first.token) else { return pump(pipe, edge) }
    let ticket = nextTicket(of: edge)
    session.recallTicket = ticket
    edge.sessions?.reads[ticket] = pipe.number
    ask(
      edge, place.shard.index,
      .read(
        ReadRequest(
          edge: EdgeID(0), ticket: ticket, filters: [wildcard], start: .after(Offset(place.offset.value - 1)), maximumBytes: plan.pageBytes)))
  }

  private func recall(_ reply: ReadReply, _ pipe: MQTTPipe, _ edge: SimulatedEdge) throws(Problem) {
    let session = pipe.session
    session.recallTicket = nil
    guard let keeping = session.keeping, let first = keeping.recalls.first, let wanted = MQTTToken.place(of: first.token) else { return }
    guard case .success(let page) = reply.result, page.upTo >= wanted.offset else {
      session.readsAgainAt = now + SimulatedCluster.readAgain
      return
    }
    var isFound = false
    for piece in page.pieces {
      piece.withUnsafeBytes { memory in
        for record in RecordSequence(trusting: memory) where record.offset == wanted.offset {
          isFound = true
          keeping.recalls.removeFirst()
          let granted = session.legs.first { $0.filter.matches(record.topic) }?.granted ?? .exactlyOnce
          let delivery = delivery(of: record, wanted.shard.index, granted, first.token)
          render(record, session) { bytes, rendering in
            _ = speak(pipe, edge) { channel, output in channel.redeliver(delivery, rendering, of: bytes.bytes, into: &output) }
          }
        }
      }
    }
    guard isFound else { throw Problem("message \(wanted.shard).\(wanted.offset), which client \(pipe.client) has not acknowledged, is gone") }
    goOnRecalling(pipe, edge)
  }
}
