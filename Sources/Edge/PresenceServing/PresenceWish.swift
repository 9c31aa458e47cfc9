internal import Core
internal import Feeds
internal import HTTP
internal import JSON

/// What a reading request says of presence: where to be, as whom, and what to hear of. Each part is checked when it is taken.
struct PresenceWish {
  var enters: [Topic] = []
  var id: Bytes?
  var data: Bytes?
  var hears: [Topic] = []

  var isEmpty: Bool { enters.isEmpty && id == nil && data == nil && hears.isEmpty }

  mutating func enter(_ text: String) -> Problem? { PresenceWish.add(text, to: &enters, "enter") }

  mutating func hear(_ text: String) -> Problem? { PresenceWish.add(text, to: &hears, "presence") }

  private static func add(_ text: String, to topics: inout [Topic], _ name: String) -> Problem? {
    do throws(TopicError) {
      let topic = try Topic(text)
      if topics.contains(topic) { return nil }
      guard topics.count < PresenceLimits.connectionTopics else {
        return Problem(.badRequest, "A connection says \(name) for at most \(PresenceLimits.connectionTopics) topics.")
      }
      topics.append(topic)
      return nil
    } catch { return Problem(.badRequest, "\(name): \(error.description).") }
  }

  mutating func member(_ text: String) -> Problem? {
    guard let id = PresenceWish.id(text) else { return Problem(.badRequest, PresenceWish.idRule("member")) }
    self.id = id
    return nil
  }

  mutating func memberData(_ json: RawSpan) -> Problem? {
    switch PresenceWish.data(json) {
    case .success(let data): self.data = data
    case .failure(let problem): return problem
    }
    return nil
  }

  static let belongsElsewhere =
    "enter, member and presence are for reading /v1/events; on a WebSocket say {\"op\":\"presence\"}, and ask GET /v1/presence who is there."

  /// Whether it says everything that goes together.
  var problem: Problem? {
    if !enters.isEmpty, id == nil { return Problem(.badRequest, "Say who enters: member=NAME, with enter=TOPIC.") }
    if enters.isEmpty, id != nil { return Problem(.badRequest, "Say where to be present: enter=TOPIC, with member=NAME.") }
    if enters.isEmpty, data != nil { return Problem(.badRequest, "memberData belongs to enter=TOPIC and member=NAME.") }
    return nil
  }

  // Parts that are the same for every transport ------------------------------------------------------

  /// A member's name, if `text` can be one.
  static func id(_ text: String) -> Bytes? {
    let isWell = (1...PresenceLimits.idBytes).contains(text.utf8.count) && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
    return isWell ? Bytes(text) : nil
  }

  static func idRule(_ name: String) -> String {
    "\(name) is a name of 1 to \(PresenceLimits.idBytes) bytes, without control characters."
  }

  /// What a member says of itself, on one line.
  static func data(_ json: RawSpan) -> Result<Bytes, Problem> {
    if let error = JSONValidator.validate(json) { return .failure(Problem(.badRequest, "A member's data is not JSON: \(error.description).")) }
    var buffer = ByteBuffer(capacity: json.byteCount)
    buffer.append(compacting: json)
    guard buffer.count <= PresenceLimits.dataBytes else {
      return .failure(Problem(.badRequest, "A member's data is at most \(PresenceLimits.dataBytes) bytes, this is \(buffer.count)."))
    }
    return .success(buffer.freeze())
  }
}
