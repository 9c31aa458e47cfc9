internal import Core
internal import Feeds
internal import HTTP
internal import JSON
internal import Reactor
internal import Security
internal import WebSocket

extension EdgeReactor {
  /// One message of a `tidings.v1` client: an operation as JSON text, or a publish as a binary frame.
  func operate(_ message: WebSocketMessage, _ connection: Connection, _ session: WebSocketSession) {
    if message.kind == .binary { return publishBinary(message.bytes, connection, session) }
    let text = message.bytes.bytes
    if let error = JSONValidator.validate(text) {
      return sendError(connection, OperationError(code: "bad-json", detail: "The message is not JSON: \(error.description)."))
    }
    do throws(JSONError) {
      try operate(text, connection, session)
    } catch {
      sendError(connection, OperationError(code: "bad-message", detail: "A message is a JSON object with 'op': \(error.description)."))
    }
  }

  private func operate(_ text: RawSpan, _ connection: Connection, _ session: WebSocketSession) throws(JSONError) {
    var operation: String?
    var id: Bytes?
    var reference: Bytes?
    var members = JSONObjectReader(text)
    while let member = try members.next() {
      if JSONText.name(of: member, in: text, is: "op") {
        operation = member.kind == .string ? try JSONText.string(text, member.value) : nil
      } else if JSONText.name(of: member, in: text, is: "id") {
        id = Bytes(copying: text.extracting(member.value))
      } else if JSONText.name(of: member, in: text, is: "ref") {
        reference = Bytes(copying: text.extracting(member.value))
      }
    }
    if let id, id.count > 256 { return sendError(connection, OperationError(code: "bad-message", detail: "'id' is too long.")) }
    if let reference, reference.count > 256 { return sendError(connection, OperationError(code: "bad-message", detail: "'ref' is too long.")) }
    // A subscription must stand before the next change to what is followed.
    if connection.reader != nil, operation == "subscribe" || operation == "unsubscribe" {
      guard session.deferred.count < SocketLimits.deferredOperations else {
        return failSocket(connection, .policyViolation, "too many operations at once")
      }
      session.deferred.append(Bytes(copying: text))
      return
    }
    switch operation {
    case "subscribe": try subscribe(text, id, connection, session)
    case "unsubscribe": unsubscribe(id, connection, session)
    case "publish": publishOperation(text, reference, connection, session)
    case "ack": try acknowledgeOperation(text, reference, connection, session)
    case "ping":
      send(connection) { buffer in
        buffer.append("{\"op\":\"pong\"")
        if let reference {
          buffer.append(",\"ref\":")
          buffer.append(reference)
        }
        buffer.append(UInt8(ascii: "}"))
      }
    case "auth":
      // Nobody is asked for a token where everything is allowed.
      send(connection) { $0.append("{\"op\":\"authenticated\"}") }
    case "presence":
      sendError(connection, OperationError(code: "unsupported", detail: "Presence is not served by this version."), id: id, reference: reference)
    case let name?:
      sendError(
        connection, OperationError(code: "unknown-op", detail: "There is no operation '\(name.prefix(64))': subscribe, unsubscribe, publish, ack, ping."),
        id: id, reference: reference)
    case nil:
      sendError(connection, OperationError(code: "bad-message", detail: "The message has no 'op'."), id: id, reference: reference)
    }
  }

  // MARK: Subscribing

  private func subscribe(_ text: RawSpan, _ id: Bytes?, _ connection: Connection, _ session: WebSocketSession) throws(JSONError) {
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
    guard let id, !id.isEmpty else { return refuse(Problem(.badRequest, "A subscription has an 'id' of the client's choice.")) }
    if parameters.consumer != nil {
      return sendError(connection, OperationError(code: "unsupported", detail: "Named consumers are read at /v1/events in this version."), id: id)
    }
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
    takeUp(session.legs + [leg(for: ReadWish(filters: parameters.filters, start: parameters.start), subscription: name)], connection, session)
  }

  private func unsubscribe(_ id: Bytes?, _ connection: Connection, _ session: WebSocketSession) {
    guard let id, let index = session.legs.firstIndex(where: { $0.subscription == id.text }) else {
      return sendError(connection, OperationError(code: "no-such-id", detail: "There is no subscription of this id."), id: id)
    }
    var legs = session.legs
    legs.remove(at: index)
    takeUp(legs, connection, session)
    send(connection) { buffer in
      buffer.append("{\"op\":\"unsubscribed\",\"id\":")
      buffer.append(id)
      buffer.append(UInt8(ascii: "}"))
    }
  }

  /// Changes what is followed: leaves the audience at its place, and reads on from there with the new set.
  private func takeUp(_ legs: [Reader.Leg], _ connection: Connection, _ session: WebSocketSession) {
    var legs = legs
    if let audience = connection.audience {
      let member = audience.members[connection.memberIndex]
      let offsets =
        audience.stream.isEmpty || member.position == audience.stream.end ? fanout.cursor(of: audience) : audience.stream.cursor(at: member.position)
      for index in legs.indices where legs[index].isAnnounced {
        for place in legs[index].places.indices {
          let at = Int(audience.places[legs[index].places[place].shard.index])
          legs[index].places[place].offset = offsets[at]
          legs[index].places[place].phase = .ready
          legs[index].places[place].isRead = false
        }
      }
      leaveAudience(connection)
    }
    session.legs = legs
    guard !legs.isEmpty else { return runDeferred(connection, session) }
    let reader = Reader(goal: .follow(session.format), legs: legs)
    reader.toldStart = true
    begin(reader, on: connection, format: session.format)
  }

  /// Tells the client of each subscription whose start has become known.
  func announceSubscriptions(_ reader: Reader, _ connection: Connection, _ session: WebSocketSession) {
    for index in reader.legs.indices where !reader.legs[index].isAnnounced {
      guard reader.legs[index].places.allSatisfy({ $0.phase == .ready }) else { continue }
      reader.legs[index].isAnnounced = true
      let leg = reader.legs[index]
      send(connection) { buffer in
        buffer.append("{\"op\":\"subscribed\",\"id\":")
        buffer.append(text: leg.subscription)
        buffer.append(",\"cursor\":\"")
        fanout.renderer.appendCursor(leg.places.map(\.shard), leg.places.map(\.offset), namingAll: true, into: &buffer)
        buffer.append(leg.isResumed ? "\",\"resumed\":true}" : "\",\"resumed\":false}")
      }
    }
  }

  /// A subscription stands: what waited behind it goes on.
  func runDeferred(_ connection: Connection, _ session: WebSocketSession) {
    while !session.deferred.isEmpty, connection.reader == nil, !connection.isClosed {
      guard case .webSocket = connection.role else { return }
      let text = session.deferred.removeFirst()
      do throws(JSONError) {
        try operate(text.bytes, connection, session)
      } catch {
        sendError(connection, OperationError(code: "bad-message", detail: "\(error.description)."))
      }
    }
  }

  // MARK: Publishing

  private func publishOperation(_ text: RawSpan, _ reference: Bytes?, _ connection: Connection, _ session: WebSocketSession) {
    switch EventDraft.read(text, 0..<text.byteCount, isLine: false) {
    case .failure(let problem):
      counters.publishErrors += 1
      sendError(connection, OperationError(code: "bad-request", detail: problem.detail), reference: reference)
    case .success(let event):
      publish(event, reference, connection, session)
    }
  }

  private func publish(_ event: EventDraft, _ reference: Bytes?, _ connection: Connection, _ session: WebSocketSession) {
    if let problem = refusal(of: event) {
      counters.publishErrors += 1
      return sendError(connection, OperationError(code: "forbidden", detail: problem.detail), reference: reference)
    }
    guard session.pending.count < SocketLimits.pendingPublishes else {
      return sendError(connection, OperationError(code: "overloaded", detail: "Too many publishes wait for their answers."), reference: reference)
    }
    let sequence = nextSequence()
    session.pending.append(WebSocketSession.PendingPublish(sequence: sequence, reference: reference ?? Bytes()))
    enqueue(event, TicketParts.make(connection.key, sequence))
  }

  /// A binary frame: the operation's members as JSON on the first line, the payload behind the line's end.
  private func publishBinary(_ bytes: UnsafeRawBufferPointer, _ connection: Connection, _ session: WebSocketSession) {
    guard let lineEnd = bytes.firstIndex(of: UInt8(ascii: "\n")) else {
      return sendError(
        connection,
        OperationError(code: "bad-message", detail: "A binary message is a line of JSON ({\"topic\":…,\"ref\":…}), a line feed, and the payload."))
    }
    let head = UnsafeRawBufferPointer(rebasing: bytes[..<lineEnd]).bytes
    var reference: Bytes?
    do throws(JSONError) {
      var members = JSONObjectReader(head)
      while let member = try members.next() {
        if JSONText.name(of: member, in: head, is: "ref") { reference = Bytes(copying: head.extracting(member.value)) }
      }
    } catch {
      return sendError(connection, OperationError(code: "bad-json", detail: "The first line is not JSON: \(error.description)."))
    }
    switch EventDraft.read(head, 0..<head.byteCount, isLine: true) {
    case .failure(let problem):
      sendError(connection, OperationError(code: "bad-request", detail: problem.detail), reference: reference)
    case .success(var event):
      event.payload = Bytes(copying: UnsafeRawBufferPointer(rebasing: bytes[(lineEnd + 1)...]))
      publish(event, reference, connection, session)
    }
  }

  // MARK: Acknowledging

  private func acknowledgeOperation(_ text: RawSpan, _ reference: Bytes?, _ connection: Connection, _ session: WebSocketSession) throws(JSONError) {
    var name: String?
    var cursor: String?
    var members = JSONObjectReader(text)
    while let member = try members.next() {
      guard member.kind == .string else { continue }
      if JSONText.name(of: member, in: text, is: "consumer") { name = try JSONText.string(text, member.value) }
      if JSONText.name(of: member, in: text, is: "cursor") { cursor = try JSONText.string(text, member.value) }
    }
    guard let name, let cursor, ReadParameters.isConsumerName(name), let place = try? Cursor(parsing: cursor), place.cluster == settings.cluster else {
      return sendError(
        connection, OperationError(code: "bad-request", detail: "An acknowledgement has 'consumer' and a 'cursor' of this cluster."), reference: reference)
    }
    acknowledge(name, place)
  }
}
