internal import Core
internal import Feeds
internal import HTTP
internal import JSON
internal import Security

/// `{"op":"presence","topic":…}`: with `member` to enter, `leave` to leave, `events` to hear of who comes and goes.
extension EdgeReactor {
  func presenceOperation(
    _ text: RawSpan, _ id: Bytes?, _ reference: Bytes?, _ connection: Connection
  ) throws(JSONError) {
    func refuse(_ code: StaticString, _ detail: String) {
      sendError(connection, OperationError(code: code, detail: detail), id: id, reference: reference)
    }
    let operation: PresenceOperation
    switch try PresenceOperation.read(text) {
    case .failure(let problem): return refuse("bad-request", problem.detail)
    case .success(let read): operation = read
    }
    var wish = PresenceWish()
    let topic = operation.topic
    if operation.member != nil { wish.enters = [topic] }
    if operation.events == true { wish.hears = [topic] }
    if let problem = refusal(of: wish) { return refuse(problem.status == .forbidden ? "forbidden" : "unavailable", problem.detail) }
    let place = connection.presence
    let most = PresenceLimits.connectionTopics
    if operation.member != nil, let holds = place?.holds, holds.count >= most, !holds.contains(where: { $0.topic == topic }) {
      return refuse("too-many", "A connection is present on at most \(most) topics.")
    }
    if operation.events == true, let watches = place?.watches, watches.count >= most, !watches.contains(where: { $0.topic == topic }) {
      return refuse("too-many", "A connection hears of at most \(most) topics.")
    }
    if operation.leaves, !leave(topic, connection) { return refuse("not-present", "You are not present on '\(topic)'.") }
    if operation.events == false, !hearNoMore(of: topic, connection) { return refuse("not-present", "You did not hear of '\(topic)'.") }
    if operation.leaves || operation.events == false, operation.member == nil {
      send(connection) { buffer in
        buffer.append(operation.leaves ? "{\"op\":\"left\"" : "{\"op\":\"presence\"")
        buffer.append(names: id ?? Bytes(), reference ?? Bytes())
        buffer.append(",\"topic\":")
        buffer.append(jsonBytes: topic.bytes)
        buffer.append(operation.leaves ? "}" : ",\"events\":false}")
      }
    }
    if let member = operation.member {
      enter(topic, member.id, data: member.data, connection, subscription: id ?? Bytes(), reference: reference ?? Bytes())
    }
    if operation.events == true { hear(of: topic, connection) }
  }
}

/// The operation as it was said.
private struct PresenceOperation {
  var topic: Topic
  var member: (id: Bytes, data: Bytes)?
  var leaves = false
  var events: Bool?

  static func read(_ text: RawSpan) throws(JSONError) -> Result<PresenceOperation, Problem> {
    var topic: Topic?
    var operation = PresenceOperation(topic: Topic(trusting: Bytes()))
    var members = JSONObjectReader(text)
    func problem(_ detail: String) -> Result<PresenceOperation, Problem> { .failure(Problem(.badRequest, detail)) }
    while let member = try members.next() {
      let name = try JSONText.name(of: member, in: text)
      switch name {
      case "op", "id", "ref": continue
      case "topic":
        guard member.kind == .string else { return problem("'topic' is a string: the name of one topic.") }
        let written = try JSONText.string(text, member.value)
        do throws(TopicError) { topic = try Topic(written) } catch {
          return problem("This is not a topic: \(error.description).")
        }
      case "member":
        switch try read(member: text.extracting(member.value), member.kind) {
        case .failure(let wrong): return .failure(wrong)
        case .success(let read): operation.member = read
        }
      case "leave", "events":
        guard member.kind == .boolean else { return problem("'\(name)' is true or false.") }
        let isTrue = text.byte(at: member.value.lowerBound) == UInt8(ascii: "t")
        if name == "leave" { operation.leaves = isTrue } else { operation.events = isTrue }
      default: return problem("There is no '\(name.prefix(64))' in a presence operation: topic, member, leave, events.")
      }
    }
    guard let topic else { return problem("A presence operation has a 'topic': the name of one, without wildcards.") }
    operation.topic = topic
    if operation.leaves, operation.member != nil { return problem("'member' enters and 'leave' leaves: say one of them.") }
    guard operation.leaves || operation.member != nil || operation.events != nil else {
      return problem("Say 'member' to enter, \"leave\":true to leave, or \"events\":true to hear who comes and goes.")
    }
    return .success(operation)
  }

  private static func read(member text: RawSpan, _ kind: JSONKind) throws(JSONError) -> Result<(id: Bytes, data: Bytes), Problem> {
    guard kind == .object else { return .failure(Problem(.badRequest, "'member' is an object: {\"id\":NAME,\"data\":…}.")) }
    var id: Bytes?
    var data = Bytes()
    var members = JSONObjectReader(text)
    while let member = try members.next() {
      switch try JSONText.name(of: member, in: text) {
      case "id":
        guard member.kind == .string, let name = PresenceWish.id(try JSONText.string(text, member.value)) else {
          return .failure(Problem(.badRequest, PresenceWish.idRule("A member's id")))
        }
        id = name
      case "data":
        switch PresenceWish.data(text.extracting(member.value)) {
        case .failure(let problem): return .failure(problem)
        case .success(let read): data = read
        }
      case let name: return .failure(Problem(.badRequest, "A member has 'id' and 'data', and no '\(name.prefix(64))'."))
      }
    }
    guard let id else { return .failure(Problem(.badRequest, "'member' has an 'id': the name under which it is present.")) }
    return .success((id, data))
  }
}
