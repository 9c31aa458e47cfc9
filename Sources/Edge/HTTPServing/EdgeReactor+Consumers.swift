internal import Core
internal import Feeds
internal import HTTP
internal import JSON
internal import Reactor

/// A question about consumers that a request waits for, and what to do with the answer.
final class ConsumerCall {
  let sequence: UInt32
  var remaining: Int
  var found: [Consumer] = []
  let then: (EdgeReactor, Connection, Result<[Consumer], Refusal>) -> Void

  init(sequence: UInt32, remaining: Int, then: @escaping (EdgeReactor, Connection, Result<[Consumer], Refusal>) -> Void) {
    self.sequence = sequence
    self.remaining = remaining
    self.then = then
  }
}

extension EdgeReactor {
  /// A consumer lives in the shard of its name, whatever it reads.
  func shard(ofConsumer name: String) -> ShardID {
    Bytes(name).withUnsafeBytes { ShardID(Int(StableHash.of($0) % UInt64(settings.shardCount))) }
  }

  /// Asks the consumer's shard, or with no name all shards, and goes on with what they say.
  private func askConsumer(
    _ operation: ConsumerRequest.Operation, named name: String?, _ connection: Connection,
    then: @escaping (EdgeReactor, Connection, Result<[Consumer], Refusal>) -> Void
  ) {
    let sequence = nextSequence()
    let shards = name.map { [shard(ofConsumer: $0)] } ?? (0..<settings.shardCount).map { ShardID($0) }
    connection.consumerCall = ConsumerCall(sequence: sequence, remaining: shards.count, then: then)
    if case .http(let session) = connection.role { session.isPaused = true }
    for shard in shards {
      ask(shard, .consumer(ConsumerRequest(edge: edge, ticket: TicketParts.make(connection.key, sequence), operation: operation)))
    }
  }

  func answerConsumer(_ reply: ConsumerReply) {
    guard let connection = connection(of: reply.ticket) else { return }
    let sequence = TicketParts(reply.ticket).sequence
    guard let call = connection.consumerCall, call.sequence == sequence else {
      if case .webSocket(let session) = connection.role { answerAcknowledgement(connection, session, sequence, reply.result) }
      return
    }
    switch reply.result {
    case .failure:
      call.remaining = 0
    case .success(let consumers):
      call.found += consumers
      call.remaining -= 1
    }
    guard call.remaining == 0 else { return }
    connection.consumerCall = nil
    if case .http(let session) = connection.role { session.isPaused = false }
    switch reply.result {
    case .failure(let refusal): call.then(self, connection, .failure(refusal))
    case .success: call.then(self, connection, .success(call.found))
    }
    if !connection.isClosed { resumeReading(connection) }
  }

  // MARK: Routes

  func listConsumers(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner) {
    let sequence = expect(session, manner)
    askConsumer(.list, named: nil, connection) { edge, connection, result in
      guard case .http(let session) = connection.role else { return }
      edge.answerConsumers(connection, session, sequence, result.map { $0.sorted { $0.name < $1.name } }, isList: true)
    }
  }

  func consumer(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner, _ name: String) {
    let sequence = expect(session, manner)
    guard ReadParameters.isConsumerName(name) else {
      return answerProblem(connection, session, sequence, Problem(.notFound, "There is no consumer of this name."))
    }
    let deletes = session.head.method == .delete
    askConsumer(deletes ? .delete(name: name) : .show(name: name), named: name, connection) { edge, connection, result in
      guard case .http(let session) = connection.role else { return }
      if deletes, case .success = result {
        edge.complete(connection, session, sequence) { manner, buffer in
          edge.appendAnswer(.noContent, "application/json", UnsafeRawBufferPointer(start: nil, count: 0), manner, into: &buffer) { _ in }
        }
      } else {
        edge.answerConsumers(connection, session, sequence, result, isList: false)
      }
    }
  }

  /// `POST /v1/consumers/{name}/ack` with `{"cursor":"…"}`; `"reset":true` lets it move back.
  func acknowledge(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner, _ name: String, body: RawSpan) {
    let sequence = expect(session, manner)
    var cursor: Cursor?
    var reset = false
    do throws(JSONError) {
      if let error = JSONValidator.validate(body) {
        return answerProblem(connection, session, sequence, Problem(.badRequest, "The body is not JSON: \(error.description)."))
      }
      var members = JSONObjectReader(body)
      while let member = try members.next() {
        switch try JSONText.name(of: member, in: body) {
        case "cursor" where member.kind == .string:
          let text = try JSONText.string(body, member.value)
          do throws(CursorError) { cursor = try Cursor(parsing: text) } catch {
            return answerProblem(connection, session, sequence, Problem(.badRequest, "\(error.description)."))
          }
        case "reset" where member.kind == .boolean:
          reset = body.byte(at: member.value.lowerBound) == UInt8(ascii: "t")
        default: break
        }
      }
    } catch {
      return answerProblem(connection, session, sequence, Problem(.badRequest, "The body is not a JSON object: \(error.description)."))
    }
    guard let cursor else {
      return answerProblem(connection, session, sequence, Problem(.badRequest, "The body is {\"cursor\":\"…\"}: everything up to it was dealt with."))
    }
    guard cursor.cluster == settings.cluster else {
      return answerProblem(connection, session, sequence, Problem(.conflict, "This cursor is another cluster's; nothing here was acknowledged."))
    }
    askConsumer(.acknowledge(name: name, cursor: cursor, reset: reset), named: name, connection) { edge, connection, result in
      guard case .http(let session) = connection.role else { return }
      edge.answerConsumers(connection, session, sequence, result, isList: false)
    }
  }

  private func answerConsumers(
    _ connection: Connection, _ session: HTTPSession, _ sequence: UInt32, _ result: Result<[Consumer], Refusal>, isList: Bool
  ) {
    switch result {
    case .failure(let refusal):
      answerProblem(connection, session, sequence, problem(of: refusal))
    case .success(let consumers):
      var body = ByteBuffer(capacity: 256)
      if isList { body.append("{\"consumers\":[") }
      for (index, consumer) in consumers.enumerated() {
        if index > 0 { body.append(UInt8(ascii: ",")) }
        append(consumer, into: &body)
      }
      if isList { body.append("]}") }
      complete(connection, session, sequence) { manner, buffer in
        body.withUnsafeBytes { appendAnswer(.ok, "application/json", $0, manner, into: &buffer) { _ in } }
      }
    }
  }

  private func append(_ consumer: Consumer, into body: inout ByteBuffer) {
    body.append("{\"name\":")
    body.append(jsonText: consumer.name)
    body.append(",\"topics\":[")
    for (index, filter) in consumer.filters.enumerated() {
      if index > 0 { body.append(UInt8(ascii: ",")) }
      body.append(jsonText: filter.description)
    }
    body.append("],\"cursor\":\"")
    consumer.cursor.write(into: &body)
    body.append("\",\"created\":\"")
    body.append(timestamp: consumer.created)
    body.append("\",\"updated\":\"")
    body.append(timestamp: consumer.updated)
    body.append("\"}")
  }

  // MARK: Reading as a consumer

  /// Finds the consumer, or makes it where `parameters` say that it begins. Refuses with what is wrong.
  func openConsumer(
    _ name: String, _ parameters: ReadParameters, _ connection: Connection,
    then: @escaping (EdgeReactor, Connection, Result<(consumer: Consumer, isNew: Bool), ConsumerRefusal>) -> Void
  ) {
    askConsumer(.show(name: name), named: name, connection) { edge, connection, result in
      switch result {
      case .success(let consumers):
        guard let consumer = consumers.first else { return then(edge, connection, .failure(.refused(.noSuchConsumer))) }
        if !parameters.filters.isEmpty, Set(parameters.filters) != Set(consumer.filters) {
          return then(edge, connection, .failure(.refused(.consumerDiffers)))
        }
        then(edge, connection, .success((consumer, false)))
      case .failure(.noSuchConsumer):
        guard !parameters.filters.isEmpty else { return then(edge, connection, .failure(.unnamedTopics)) }
        switch parameters.start {
        case .last, .current: return then(edge, connection, .failure(.noBeginning))
        default: break
        }
        edge.makeConsumer(name, parameters, connection, then: then)
      case .failure(let refusal):
        then(edge, connection, .failure(.refused(refusal)))
      }
    }
  }

  private func makeConsumer(
    _ name: String, _ parameters: ReadParameters, _ connection: Connection,
    then: @escaping (EdgeReactor, Connection, Result<(consumer: Consumer, isNew: Bool), ConsumerRefusal>) -> Void
  ) {
    if case .http(let session) = connection.role { session.isPaused = true }
    let reader = Reader(
      goal: .locate { edge, connection, located in
        let cursor: Cursor
        switch located {
        case .failure(let refusal): return then(edge, connection, .failure(.refused(refusal)))
        case .success(let found): cursor = found
        }
        let operation = ConsumerRequest.Operation.open(name: name, filters: parameters.filters, cursor: cursor)
        edge.askConsumer(operation, named: name, connection) { edge, connection, result in
          switch result {
          case .success(let consumers):
            guard let consumer = consumers.first else { return then(edge, connection, .failure(.refused(.noSuchConsumer))) }
            then(edge, connection, .success((consumer, true)))
          case .failure(let refusal): then(edge, connection, .failure(.refused(refusal)))
          }
        }
      }, legs: [leg(for: ReadWish(filters: parameters.filters, start: parameters.start))])
    begin(reader, on: connection, format: .json)
  }

  func bindConsumer(_ consumer: ConsumerBinding, to connection: Connection) {
    connection.consumer = consumer
    if consumer.acknowledgesItself { listAsConsumer(connection) }
  }

  func listAsConsumer(_ connection: Connection) {
    if !consumerConnections.contains(connection.key) { consumerConnections.append(connection.key) }
  }

  func takeConsumer(from connection: Connection) -> ConsumerBinding? {
    defer { connection.consumer = nil }
    return connection.consumer
  }

  /// Once a second: what has been handed to their sockets counts as acknowledged.
  func acknowledgeConsumers() {
    consumerConnections.removeAll { key in
      guard let connection = connections[key], connection.audience != nil else { return true }
      return !acknowledgeWritten(connection)
    }
  }

  /// What a connection was handed counts as acknowledged for the consumers it reads as. False if there are none.
  @discardableResult func acknowledgeWritten(_ connection: Connection) -> Bool {
    guard let audience = connection.audience else { return false }
    let session: WebSocketSession? = if case .webSocket(let session) = connection.role { session } else { nil }
    guard connection.consumer != nil || session?.legs.contains(where: { $0.consumer?.acknowledgesItself == true }) == true else { return false }
    // What still waits for the socket was not handed over.
    guard connection.output.isEmpty else { return true }
    let member = audience.members[connection.memberIndex]
    let offsets = audience.stream.isEmpty || member.position == audience.stream.end ? fanout.cursor(of: audience) : audience.stream.cursor(at: member.position)
    acknowledge(&connection.consumer, audience.shards, offsets)
    guard let session else { return true }
    for index in session.legs.indices where session.legs[index].consumer?.acknowledgesItself == true {
      let shards = session.legs[index].places.map(\.shard)
      acknowledge(&session.legs[index].consumer, shards, shards.map { offsets[Int(audience.places[$0.index])] })
    }
    return true
  }

  private func acknowledge(_ consumer: inout ConsumerBinding?, _ shards: [ShardID], _ offsets: [Offset]) {
    guard let name = consumer?.name else { return }
    let cursor = Cursor(cluster: settings.cluster, positions: shards.indices.map { Position(shards[$0], offsets[$0]) })
    if consumer?.acknowledged != cursor {
      consumer?.acknowledged = cursor
      acknowledge(name, cursor)
    }
  }

  /// An answer was given to a consumer that acknowledges by reading on.
  func acknowledge(_ reader: Reader, _ shards: [ShardID], _ offsets: [Offset]) {
    guard let consumer = reader.consumer, consumer.acknowledgesItself else { return }
    acknowledge(consumer.name, Cursor(cluster: settings.cluster, positions: shards.indices.map { Position(shards[$0], offsets[$0]) }))
  }

  func acknowledge(_ name: String, _ cursor: Cursor, _ ticket: Ticket = Ticket(0)) {
    ask(
      shard(ofConsumer: name),
      .consumer(ConsumerRequest(edge: edge, ticket: ticket, operation: .acknowledge(name: name, cursor: cursor, reset: false))))
  }
}

/// Why a reader cannot read as a consumer.
enum ConsumerRefusal: Error {
  case refused(Refusal)
  /// It is not there, and nothing says what it should read.
  case unnamedTopics
  /// It is not there, and what was asked for is no place to begin at.
  case noBeginning
}

extension EdgeReactor {
  func problem(of refusal: ConsumerRefusal) -> Problem {
    switch refusal {
    case .refused(let refusal): problem(of: refusal)
    case .unnamedTopics: Problem(.notFound, "There is no consumer of this name. Say topic=FILTER to make it.")
    case .noBeginning:
      Problem(.badRequest, "A new consumer begins at since=… or at a cursor; last and retained are for readers without a name.")
    }
  }
}
