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

  func operate(_ text: RawSpan, _ connection: Connection, _ session: WebSocketSession) throws(JSONError) {
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
    if connection.reader != nil || session.isOpening, operation == "subscribe" || operation == "unsubscribe" {
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
    case "ack": try acknowledgeOperation(text, id, reference, connection, session)
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
      try presenceOperation(text, id, reference, connection)
    case let name?:
      sendError(
        connection, OperationError(code: "unknown-op", detail: "There is no operation '\(name.prefix(64))': subscribe, unsubscribe, publish, ack, presence, ping."),
        id: id, reference: reference)
    case nil:
      sendError(connection, OperationError(code: "bad-message", detail: "The message has no 'op'."), id: id, reference: reference)
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

  /// `consumer`, or the `id` of a subscription that reads as one; a `cursor`, or the `position` of an event: everything
  /// up to there was dealt with. Answered only when it is wrong.
  private func acknowledgeOperation(
    _ text: RawSpan, _ id: Bytes?, _ reference: Bytes?, _ connection: Connection, _ session: WebSocketSession
  ) throws(JSONError) {
    var name: String?
    var cursor: String?
    var members = JSONObjectReader(text)
    while let member = try members.next() {
      guard member.kind == .string else { continue }
      if JSONText.name(of: member, in: text, is: "consumer") { name = try JSONText.string(text, member.value) }
      if JSONText.name(of: member, in: text, is: "cursor") { cursor = try JSONText.string(text, member.value) }
      if JSONText.name(of: member, in: text, is: "position") { cursor = "v1~\(settings.cluster)~" + (try JSONText.string(text, member.value)) }
    }
    let place = cursor.flatMap { try? Cursor(parsing: $0) }
    if name == nil, let id { name = session.legs.first { $0.subscription == id.text }?.consumer?.name }
    func refuse(_ code: StaticString, _ detail: String) { sendError(connection, OperationError(code: code, detail: detail), id: id, reference: reference) }
    guard let name, ReadParameters.isConsumerName(name), let place, place.cluster == settings.cluster else {
      return refuse("bad-request", "An acknowledgement has 'consumer' (or the 'id' of its subscription) and a 'cursor' of this cluster (or a 'position').")
    }
    guard session.pendingAcknowledgements.count < SocketLimits.pendingAcknowledgements else {
      return refuse("overloaded", "Too many acknowledgements wait to be written.")
    }
    let sequence = nextSequence()
    session.pendingAcknowledgements.append((sequence, id ?? Bytes(), reference ?? Bytes()))
    acknowledge(name, place, TicketParts.make(connection.key, sequence))
  }

  func answerAcknowledgement(_ connection: Connection, _ session: WebSocketSession, _ sequence: UInt32, _ result: Result<[Consumer], Refusal>) {
    guard let index = session.pendingAcknowledgements.firstIndex(where: { $0.sequence == sequence }) else { return }
    let (_, id, reference) = session.pendingAcknowledgements.remove(at: index)
    if case .failure(let refusal) = result {
      sendError(connection, OperationError(code: refusal.code, detail: problem(of: refusal).detail), id: id, reference: reference)
    }
  }
}
