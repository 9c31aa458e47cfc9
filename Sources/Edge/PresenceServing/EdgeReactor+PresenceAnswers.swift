internal import Core
internal import Feeds
internal import HTTP
internal import JSON
internal import Reactor
internal import Security

/// What `GET /v1/presence` asks for.
struct PresenceParameters {
  static let defaultLimit = 100

  var filters: [Filter] = []
  var limit = PresenceParameters.defaultLimit
  var after: Bytes?
  var wantsCountOnly = false

  /// The one topic that is asked for, if it is one.
  var topic: Topic? { filters.count == 1 && !filters[0].hasWildcard ? Topic(trusting: filters[0].bytes) : nil }

  mutating func take(_ name: String, _ value: String) -> Problem? {
    switch name {
    case "topic", "topics":
      guard filters.count < RequestLimits.filters else { return Problem(.badRequest, "A question has at most \(RequestLimits.filters) filters.") }
      do throws(TopicError) {
        let filter = try Filter(value)
        if !filters.contains(filter) { filters.append(filter) }
      } catch { return Problem(.badRequest, "topic: \(error.description).") }
    case "count":
      guard value == "true" || value == "false" else { return Problem(.badRequest, "count is 'true' or 'false'.") }
      wantsCountOnly = value == "true"
    case "limit":
      guard let count = Int(value), (1...PresenceLimits.listed).contains(count) else {
        return Problem(.badRequest, "limit is a number from 1 to \(PresenceLimits.listed).")
      }
      limit = count
    case "after":
      guard let id = PresenceWish.id(value) else { return Problem(.badRequest, PresenceWish.idRule("after")) }
      after = id
    case "access_token", "_": break
    default: return Problem(.badRequest, "There is no parameter '\(name.prefix(64))' here.")
    }
    return nil
  }

  /// What is wrong with all of it together.
  var problem: Problem? {
    if filters.isEmpty { return Problem(.badRequest, "Say where: topic=FILTER, once or more. '+' stands for one level, '#' for the rest.") }
    if after != nil, topic == nil { return Problem(.badRequest, "after goes on in the list of one topic: say one, without wildcards.") }
    return nil
  }
}

/// A question about presence that a request waits for.
final class PresenceCall {
  let sequence: UInt32
  let parameters: PresenceParameters
  var remaining: Int
  var list = PresenceList(topics: [], count: 0)

  init(sequence: UInt32, parameters: PresenceParameters, remaining: Int) {
    self.sequence = sequence
    self.parameters = parameters
    self.remaining = remaining
  }
}

extension EdgeReactor {
  /// `GET /v1/presence`: asks the leaders of all shards that can know.
  func askPresence(_ connection: Connection, _ session: HTTPSession, _ manner: AnswerManner) {
    let sequence = expect(session, manner)
    var parameters = PresenceParameters()
    let pairs = ReadParameters.pairs(of: session.head.query, in: session.headSpan) { name, value in parameters.take(name, value) }
    if let problem = pairs ?? parameters.problem { return answerProblem(connection, session, sequence, problem) }
    for filter in parameters.filters where !filter.bytes.withUnsafeBytes({ settings.permissions.allows(.follow, $0) }) {
      return answerProblem(connection, session, sequence, Problem(.forbidden, "You may not follow '\(filter)', nor hear who does."))
    }
    let shards = Fanout.shards(of: parameters.filters, among: settings.shardCount)
    connection.presenceCall = PresenceCall(sequence: sequence, parameters: parameters, remaining: shards.count)
    session.isPaused = true
    for shard in shards {
      let question = PresenceQuestion(
        filters: filters(parameters.filters, on: shard), limit: parameters.limit, after: parameters.after,
        wantsCountOnly: parameters.wantsCountOnly)
      ask(shard, .presence(PresenceRequest(edge: edge, ticket: TicketParts.make(connection.key, sequence), operation: .ask(question))))
    }
  }

  func answerPresence(_ reply: PresenceReply) {
    guard let connection = connection(of: reply.ticket), case .http(let session) = connection.role, let call = connection.presenceCall,
      call.sequence == TicketParts(reply.ticket).sequence
    else { return }
    switch reply.result {
    case .failure(let refusal):
      connection.presenceCall = nil
      session.isPaused = false
      answerProblem(connection, session, call.sequence, problem(of: refusal))
    case .success(.receipt): return
    case .success(.list(let list)):
      call.list.topics += list.topics
      call.list.count += list.count
      if list.isTruncated { call.list.isTruncated = true }
      if list.isPartial { call.list.isPartial = true }
      call.remaining -= 1
      guard call.remaining == 0 else { return }
      connection.presenceCall = nil
      session.isPaused = false
      give(call, connection, session)
    }
    if !connection.isClosed { resumeReading(connection) }
  }

  private func give(_ call: PresenceCall, _ connection: Connection, _ session: HTTPSession) {
    var list = call.list
    let showsMembers = !call.parameters.wantsCountOnly
    list.topics.sort { $0.topic.description < $1.topic.description }
    list.cut(to: call.parameters.limit, showsMembers: showsMembers)
    var body = ByteBuffer(capacity: 256)
    if let topic = call.parameters.topic {
      body.append(UInt8(ascii: "{"))
      body.append(list.topics.first ?? PresenceList.Entry(topic: topic, count: 0), showsMembers: showsMembers)
    } else {
      body.append("{\"count\":")
      body.append(decimal: UInt64(list.count))
      body.append(",\"topics\":[")
      for (index, entry) in list.topics.enumerated() {
        body.append(index == 0 ? "{" : ",{")
        body.append(entry, showsMembers: showsMembers)
        body.append(UInt8(ascii: "}"))
      }
      body.append(UInt8(ascii: "]"))
    }
    if list.isTruncated { body.append(",\"truncated\":true") }
    if list.isPartial { body.append(",\"partial\":true") }
    body.append(UInt8(ascii: "}"))
    complete(connection, session, call.sequence) { manner, buffer in
      body.withUnsafeBytes { appendAnswer(.ok, "application/json", $0, manner, into: &buffer) { HTTPFieldEncoder.field("Cache-Control", "no-store", into: &$0) } }
    }
  }
}

extension PresenceList {
  /// Each shard gave as much as was asked for: together it may be more.
  fileprivate mutating func cut(to limit: Int, showsMembers: Bool) {
    let most = showsMembers ? PresenceLimits.listedTopics : limit
    if topics.count > most {
      topics.removeLast(topics.count - most)
      isTruncated = true
    }
    var room = limit
    for index in topics.indices {
      let over = topics[index].members.count - room
      if over > 0 {
        topics[index].members.removeLast(over)
        isTruncated = true
      }
      room -= topics[index].members.count
    }
  }
}

extension ByteBuffer {
  fileprivate mutating func append(_ entry: PresenceList.Entry, showsMembers: Bool) {
    append(presenceOf: entry.topic, count: entry.count)
    guard showsMembers else { return }
    append(",\"members\":[")
    append(members: entry.members, withConnections: true)
    append(UInt8(ascii: "]"))
  }
}
