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
  let then: (EdgeReactor, Connection, HTTPSession, Result<[Consumer], Refusal>) -> Void

  init(sequence: UInt32, remaining: Int, then: @escaping (EdgeReactor, Connection, HTTPSession, Result<[Consumer], Refusal>) -> Void) {
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
    _ operation: ConsumerRequest.Operation, named name: String?, _ connection: Connection, _ session: HTTPSession,
    then: @escaping (EdgeReactor, Connection, HTTPSession, Result<[Consumer], Refusal>) -> Void
  ) {
    let sequence = nextSequence()
    let shards = name.map { [shard(ofConsumer: $0)] } ?? (0..<settings.shardCount).map { ShardID($0) }
    session.consumerCall = ConsumerCall(sequence: sequence, remaining: shards.count, then: then)
    session.isPaused = true
    for shard in shards {
      ask(shard, .consumer(ConsumerRequest(edge: edge, ticket: TicketParts.make(connection.key, sequence), operation: operation)))
    }
  }

  func answerConsumer(_ reply: ConsumerReply) {
    guard let connection = connection(of: reply.ticket), case .http(let session) = connection.role, let call = session.consumerCall,
      call.sequence == TicketParts(reply.ticket).sequence
    else { return }
    switch reply.result {
    case .failure:
      call.remaining = 0
    case .success(let consumers):
      call.found += consumers
      call.remaining -= 1
    }
    guard call.remaining == 0 else { return }
    session.consumerCall = nil
    session.isPaused = false
    switch reply.result {
    case .failure(let refusal): call.then(self, connection, session, .failure(refusal))
    case .success: call.then(self, connection, session, .success(call.found))
    }
    if !connection.isClosed { resumeReading(connection) }
  }

  // MARK: Routes

  func listConsumers(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner) {
    let sequence = expect(session, manner)
    askConsumer(.list, named: nil, connection, session) { edge, connection, session, result in
      edge.answerConsumers(connection, session, sequence, result.map { $0.sorted { $0.name < $1.name } }, isList: true)
    }
  }

  func consumer(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner, _ name: String) {
    let sequence = expect(session, manner)
    guard ReadParameters.isConsumerName(name) else {
      return answerProblem(connection, session, sequence, Problem(.notFound, "There is no consumer of this name."))
    }
    let deletes = session.head.method == .delete
    askConsumer(deletes ? .delete(name: name) : .show(name: name), named: name, connection, session) { edge, connection, session, result in
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
    askConsumer(.acknowledge(name: name, cursor: cursor, reset: reset), named: name, connection, session) { edge, connection, session, result in
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

  /// Finds the consumer, or makes it where the request says it begins, and reads on from its cursor.
  func openConsumer(
    _ name: String, _ parameters: ReadParameters, _ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner,
    then: @escaping (EdgeReactor, Connection, HTTPSession, ReadParameters, ConsumerBinding) -> Void
  ) {
    func refuse(_ connection: Connection, _ session: HTTPSession, _ problem: Problem) {
      answerProblem(connection, session, expect(session, manner), problem)
    }
    func go(_ connection: Connection, _ session: HTTPSession, _ consumer: Consumer) {
      var parameters = parameters
      parameters.filters = consumer.filters
      parameters.start = .cursor(consumer.cursor)
      then(self, connection, session, parameters, ConsumerBinding(name: name, acknowledgesItself: parameters.acknowledgesItself, acknowledged: consumer.cursor))
    }
    askConsumer(.show(name: name), named: name, connection, session) { edge, connection, session, result in
      switch result {
      case .success(let consumers):
        guard let consumer = consumers.first else { return refuse(connection, session, edge.problem(of: .noSuchConsumer)) }
        if !parameters.filters.isEmpty, Set(parameters.filters) != Set(consumer.filters) {
          return refuse(connection, session, edge.problem(of: .consumerDiffers))
        }
        go(connection, session, consumer)
      case .failure(.noSuchConsumer):
        guard !parameters.filters.isEmpty else {
          return refuse(connection, session, Problem(.notFound, "There is no consumer of this name. Say topic=FILTER to make it."))
        }
        switch parameters.start {
        case .last, .current:
          return refuse(connection, session, Problem(.badRequest, "A new consumer begins at since=… or at a cursor; last and retained are for readers without a name."))
        default: break
        }
        session.isPaused = true
        let wish = ReadWish(filters: parameters.filters, start: parameters.start)
        let reader = Reader(
          goal: .locate { edge, connection, cursor in
            guard case .http(let session) = connection.role else { return }
            let operation = ConsumerRequest.Operation.open(name: name, filters: parameters.filters, cursor: cursor)
            edge.askConsumer(operation, named: name, connection, session) { edge, connection, session, result in
              switch result {
              case .success(let consumers):
                guard let consumer = consumers.first else { return refuse(connection, session, edge.problem(of: .noSuchConsumer)) }
                go(connection, session, consumer)
              case .failure(let refusal): refuse(connection, session, edge.problem(of: refusal))
              }
            }
          }, legs: [edge.leg(for: wish)])
        edge.begin(reader, on: connection, format: .json)
      case .failure(let refusal):
        refuse(connection, session, edge.problem(of: refusal))
      }
    }
  }

  func bindConsumer(_ consumer: ConsumerBinding, to connection: Connection) {
    connection.consumer = consumer
    if consumer.acknowledgesItself, !consumerConnections.contains(connection.key) { consumerConnections.append(connection.key) }
  }

  func takeConsumer(from connection: Connection) -> ConsumerBinding? {
    defer { connection.consumer = nil }
    return connection.consumer
  }

  /// Once a second: what has been handed to their sockets counts as acknowledged.
  func acknowledgeConsumers() {
    consumerConnections.removeAll { key in
      guard let connection = connections[key], let consumer = connection.consumer, let audience = connection.audience else { return true }
      // What still waits for the socket was not handed over.
      guard connection.output.isEmpty else { return false }
      let member = audience.members[connection.memberIndex]
      let offsets = audience.stream.isEmpty || member.position == audience.stream.end ? fanout.cursor(of: audience) : audience.stream.cursor(at: member.position)
      let cursor = Cursor(cluster: settings.cluster, positions: audience.shards.indices.map { Position(audience.shards[$0], offsets[$0]) })
      if consumer.acknowledged != cursor {
        connection.consumer?.acknowledged = cursor
        acknowledge(consumer.name, cursor)
      }
      return false
    }
  }

  /// An answer was given to a consumer that acknowledges by reading on.
  func acknowledge(_ reader: Reader, _ shards: [ShardID], _ offsets: [Offset]) {
    guard let consumer = reader.consumer, consumer.acknowledgesItself else { return }
    acknowledge(consumer.name, Cursor(cluster: settings.cluster, positions: shards.indices.map { Position(shards[$0], offsets[$0]) }))
  }

  func acknowledge(_ name: String, _ cursor: Cursor) {
    ask(
      shard(ofConsumer: name),
      .consumer(ConsumerRequest(edge: edge, ticket: Ticket(0), operation: .acknowledge(name: name, cursor: cursor, reset: false))))
  }
}
