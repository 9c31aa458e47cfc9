internal import Core
internal import HTTP
internal import JSON

/// Looks after durable consumers.
public struct ConsumerCommands {
  private let client: HTTPClient

  public init(client: HTTPClient) { self.client = client }

  /// Where a consumer is set to.
  public enum Place: Hashable, Sendable {
    case cursor(String)
    /// `earliest`, `latest`, a duration back from now or an RFC 3339 time.
    case since(String)
  }

  public func list() throws(ClientFailure) -> ClientAnswer {
    try client.succeed(ClientRequest(.get, "/v1/consumers"))
  }

  public func show(_ name: String) throws(ClientFailure) -> ClientAnswer {
    try client.succeed(ClientRequest(.get, ConsumerCommands.path(name)))
  }

  public func delete(_ name: String) throws(ClientFailure) {
    _ = try client.succeed(ClientRequest(.delete, ConsumerCommands.path(name)))
  }

  /// Moves the consumer, backwards too.
  public func reset(_ name: String, to place: Place) throws(ClientFailure) -> ClientAnswer {
    let cursor: String
    switch place {
    case .cursor(let given): cursor = given
    case .since(let moment):
      // A moment means a place in the topics that this consumer follows.
      let consumer = try AnswerDocument.parse(show(name))
      let filters = (consumer["topics"]?.array ?? []).compactMap(\.string)
      guard !filters.isEmpty else { throw .malformedAnswer("it does not say what the consumer follows") }
      cursor = try CursorProbe.locate(FollowRequest(filters: filters, start: .since(moment)), client)
    }
    return try client.succeed(ConsumerCommands.resetRequest(name, to: cursor))
  }

  static func path(_ name: String) -> String { "/v1/consumers/" + RequestTarget.escaped(name) }

  static func resetRequest(_ name: String, to cursor: String) -> ClientRequest {
    var body = ByteBuffer()
    var json = JSONWriter()
    json.beginObject(into: &body)
    json.member("cursor", cursor, into: &body)
    json.member("reset", true, into: &body)
    json.endObject(into: &body)
    var request = ClientRequest(.post, path(name) + "/ack")
    request.headers.append(("Content-Type", "application/json"))
    request.body = body.freeze()
    return request
  }

  /// A list as a table, whichever members its consumers have.
  public static func table(of answer: ClientAnswer) throws(ClientFailure) -> String {
    let document = try AnswerDocument.parse(answer)
    let list = document.array ?? document["consumers"]?.array
    guard let list else { throw .malformedAnswer("it has no consumers") }
    if list.isEmpty { return "there are no consumers\n" }
    var columns: [String] = ["name"]
    for member in list.flatMap({ $0.object?.members ?? [] }) where !columns.contains(member.name) { columns.append(member.name) }
    var table = TextTable(columns)
    for entry in list { table.add(columns.map { AnswerDocument.cell(entry[$0]) }) }
    return table.text
  }

  /// One consumer, a member a line.
  public static func details(of answer: ClientAnswer) throws(ClientFailure) -> String {
    guard let object = try AnswerDocument.parse(answer).object else { throw .malformedAnswer("it is no object") }
    let width = object.members.map(\.name.count).max() ?? 0
    return object.members.map { member in
      member.name + String(repeating: " ", count: width - member.name.count + 2) + AnswerDocument.cell(member.value) + "\n"
    }.joined()
  }
}

/// Answers looked at as trees.
enum AnswerDocument {
  static func parse(_ answer: ClientAnswer) throws(ClientFailure) -> JSONValue {
    do throws(JSONError) {
      return try JSONValue(parsing: answer.body.bytes)
    } catch {
      throw .malformedAnswer("\(error)")
    }
  }

  /// A value in the cell of a table: texts bare, lists with commas, nothing for null.
  static func cell(_ value: JSONValue?) -> String {
    guard let value else { return "" }
    switch value.content {
    case .null: return ""
    case .boolean(let truth): return truth ? "yes" : "no"
    case .number(let number): return number.text
    case .string(let text): return text
    case .array(let elements): return elements.map { cell($0) }.joined(separator: ", ")
    case .object(let object): return object.members.map { "\($0.name)=\(cell($0.value))" }.joined(separator: " ")
    }
  }
}
