internal import Core
internal import Feeds
internal import HTTP
internal import JSON
internal import Reactor
internal import Security

/// What a `tidings.v1` client follows: subscriptions that begin at places of their own and then go on together.
extension EdgeReactor {
  func subscribe(_ text: RawSpan, _ id: Bytes?, _ connection: Connection, _ session: WebSocketSession) throws(JSONError) {
    var parameters = ReadParameters()
    var members = JSONObjectReader(text)
    func refuse(_ problem: Problem) { sendError(connection, OperationError(code: "bad-request", detail: problem.detail), id: id) }
    while let member = try members.next() {
      let name = try JSONText.name(of: member, in: text)
      if name == "op" || name == "id" || name == "ref" { continue }
      if name == "topics" || name == "topic", member.kind == .array {
        var elements = JSONArrayReader(text, in: member.value)
        while let element = try elements.next() {
          guard element.kind == .string else { return refuse(Problem(.badRequest, "'topics' is a list of strings.")) }
          if let problem = parameters.take("topic", try JSONText.string(text, element.range)) { return refuse(problem) }
        }
        continue
      }
      let value: String
      switch member.kind {
      case .string: value = try JSONText.string(text, member.value)
      case .number, .boolean: value = text.text(member.value)
      case .null: continue
      default: return refuse(Problem(.badRequest, "'\(name.prefix(64))' is not a list or an object."))
      }
      if let problem = parameters.take(name, value) { return refuse(problem) }
    }
    if !parameters.presence.isEmpty { return refuse(Problem(.badRequest, PresenceWish.belongsElsewhere)) }
    guard let id, !id.isEmpty else { return refuse(Problem(.badRequest, "A subscription has an 'id' of the client's choice.")) }
    if let problem = parameters.settle(lastEventID: nil, now: loop.wallTime) { return refuse(problem) }
    for filter in parameters.filters where !filter.bytes.withUnsafeBytes({ settings.permissions.allows(.follow, $0) }) {
      return sendError(connection, OperationError(code: "forbidden", detail: "You may not follow '\(filter)'."), id: id)
    }
    let name = id.text
    if session.legs.contains(where: { $0.subscription == name }) {
      return sendError(connection, OperationError(code: "id-in-use", detail: "A subscription of this id exists; unsubscribe it first."), id: id)
    }
    guard session.legs.count < SocketLimits.subscriptions else {
      return sendError(connection, OperationError(code: "too-many", detail: "A connection has at most \(SocketLimits.subscriptions) subscriptions."), id: id)
    }
    if let consumer = parameters.consumer { return subscribe(as: consumer, parameters, id, connection, session) }
    takeUp(session.legs + [leg(for: ReadWish(filters: parameters.filters, start: parameters.start), subscription: name)], connection, session)
  }

  /// Subscribes at a durable consumer's cursor. What else is followed rests until the consumer has been found.
  private func subscribe(as consumer: String, _ parameters: ReadParameters, _ id: Bytes, _ connection: Connection, _ session: WebSocketSession) {
    guard !session.legs.contains(where: { $0.consumer?.name == consumer }) else {
      return sendError(connection, OperationError(code: "id-in-use", detail: "This connection reads as '\(consumer)' already."), id: id)
    }
    rest(connection, session)
    session.isOpening = true
    openConsumer(consumer, parameters, connection) { edge, connection, result in
      guard case .webSocket(let session) = connection.role else { return }
      session.isOpening = false
      var legs = session.legs
      switch result {
      case .failure(let refusal):
        edge.sendError(connection, OperationError(code: refusal.code, detail: edge.problem(of: refusal).detail), id: id)
      case .success(let opened):
        var leg = edge.leg(for: ReadWish(filters: opened.consumer.filters, start: .cursor(opened.consumer.cursor)), subscription: id.text)
        leg.isResumed = !opened.isNew
        leg.consumer = ConsumerBinding(parameters, opened.consumer)
        legs.append(leg)
      }
      edge.takeUp(legs, connection, session)
    }
  }

  func unsubscribe(_ id: Bytes?, _ connection: Connection, _ session: WebSocketSession) {
    guard let id, let index = session.legs.firstIndex(where: { $0.subscription == id.text }) else {
      return sendError(connection, OperationError(code: "no-such-id", detail: "There is no subscription of this id."), id: id)
    }
    acknowledgeWritten(connection)
    var legs = session.legs
    legs.remove(at: index)
    takeUp(legs, connection, session)
    send(connection) { buffer in
      buffer.append("{\"op\":\"unsubscribed\",\"id\":")
      buffer.append(id)
      buffer.append(UInt8(ascii: "}"))
    }
  }

  /// Changes what is followed, and reads on with the new set.
  private func takeUp(_ legs: [Reader.Leg], _ connection: Connection, _ session: WebSocketSession) {
    session.legs = legs
    rest(connection, session)
    guard !legs.isEmpty else { return runDeferred(connection, session) }
    let reader = Reader(goal: .follow(session.format), legs: session.legs)
    reader.toldStart = true
    begin(reader, on: connection, format: session.format)
  }

  /// Leaves the audience; every subscription that stands remembers its place there.
  private func rest(_ connection: Connection, _ session: WebSocketSession) {
    guard connection.audience != nil else { return }
    session.legs = standing(session.legs, connection)
    leaveAudience(connection)
  }

  /// Tells the client of each subscription whose start has become known, with the place of all it follows together.
  func announceSubscriptions(_ reader: Reader, _ connection: Connection) -> Bool {
    var hasTold = false
    for index in reader.legs.indices where !reader.legs[index].isAnnounced && reader.isReadyToTell(index) {
      reader.legs[index].isAnnounced = true
      hasTold = true
      let leg = reader.legs[index]
      let shards = reader.shards
      send(connection) { buffer in
        buffer.append("{\"op\":\"subscribed\",\"id\":")
        buffer.append(text: leg.subscription)
        buffer.append(",\"cursor\":\"")
        fanout.renderer.appendCursor(shards, reader.offsets(of: shards), namingAll: true, into: &buffer)
        buffer.append(leg.isResumed ? "\",\"resumed\":true}" : "\",\"resumed\":false}")
      }
    }
    return hasTold
  }

  /// A subscription stands: what waited behind it goes on.
  func runDeferred(_ connection: Connection, _ session: WebSocketSession) {
    while !session.deferred.isEmpty, connection.reader == nil, !session.isOpening, !connection.isClosed {
      guard case .webSocket = connection.role else { return }
      let text = session.deferred.removeFirst()
      do throws(JSONError) {
        try operate(text.bytes, connection, session)
      } catch {
        sendError(connection, OperationError(code: "bad-message", detail: "\(error.description)."))
      }
    }
  }
}

extension Reader.Leg {
  /// Goes on where the audience has come to.
  mutating func stand(at offsets: [Offset], of audience: Audience) {
    for place in places.indices {
      places[place].offset = offsets[Int(audience.places[places[place].shard.index])]
      places[place].phase = .ready
      places[place].isRead = false
    }
  }
}

extension ConsumerRefusal {
  /// The refusal's name in `tidings.v1`.
  var code: StaticString {
    switch self {
    case .refused(let refusal): refusal.code
    case .unnamedTopics: "no-such-consumer"
    case .noBeginning: "bad-request"
    }
  }
}
