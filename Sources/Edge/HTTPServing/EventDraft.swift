internal import Core
internal import HTTP
internal import JSON

/// A message to publish as it comes in JSON: in a batch, or over WebSocket.
struct EventDraft {
  var topic = ""
  var type = ""
  var contentType = ""
  var key = ""
  var payload = Bytes()
  var isJSON = false
  var retain = false
  var timeToLive: UInt32 = 0
  var expectedHead: Offset?

  /// Reads the object in `range` of `input`. Members that events have and publishing does not need (`position`,
  /// `time`, `id`, `source`) are passed over, so that what was read can be published again; unknown ones too.
  static func read(_ input: RawSpan, _ range: Range<Int>, isLine: Bool) -> Result<EventDraft, Problem> {
    var event = EventDraft()
    var hasTopic = false
    var hasData = false
    // A string as it stood in the input: what the payload is if the content type says JSON.
    var quoted: Bytes?
    do throws(JSONError) {
      if isLine, let error = JSONValidator.validate(input.extracting(range)) {
        return .failure(Problem(.badRequest, "This line is not JSON: \(error.description)."))
      }
      guard firstKind(input, range) == .object else { return .failure(Problem(.badRequest, "An event is a JSON object.")) }
      var members = JSONObjectReader(input, in: range)
      while let member = try members.next() {
        switch try JSONText.name(of: member, in: input) {
        case "topic":
          guard member.kind == .string else { return .failure(Problem(.badRequest, "'topic' is a string.")) }
          event.topic = try JSONText.string(input, member.value)
          hasTopic = true
        case "specversion":
          let version = member.kind == .string ? try JSONText.string(input, member.value) : input.text(member.value)
          guard version == "1.0" else {
            return .failure(Problem(.badRequest, "Events of version '\(version.prefix(16))' are not known here; 'specversion' is \"1.0\" or left out."))
          }
        case "type":
          guard member.kind == .string else { return .failure(Problem(.badRequest, "'type' is a string.")) }
          event.type = try JSONText.string(input, member.value)
        case "datacontenttype":
          guard member.kind == .string else { return .failure(Problem(.badRequest, "'datacontenttype' is a string.")) }
          event.contentType = try JSONText.string(input, member.value)
        case "key":
          guard member.kind == .string else { return .failure(Problem(.badRequest, "'key' is a string.")) }
          event.key = try JSONText.string(input, member.value)
        case "retain":
          guard member.kind == .boolean else { return .failure(Problem(.badRequest, "'retain' is true or false.")) }
          event.retain = input.byte(at: member.value.lowerBound) == UInt8(ascii: "t")
        case "ttl":
          guard member.kind == .string else { return .failure(Problem(.badRequest, "'ttl' is a string such as \"30s\".")) }
          switch RequestText.timeToLive(try JSONText.string(input, member.value)) {
          case .success(let milliseconds): event.timeToLive = milliseconds
          case .failure(let error): return .failure(Problem(.badRequest, "'ttl': \(error.description)"))
          }
        case "ifMatch":
          guard let head = RequestText.expectedHead(member.kind == .string ? try JSONText.string(input, member.value) : input.text(member.value)) else {
            return .failure(Problem(.badRequest, "'ifMatch' is the topic's last offset."))
          }
          event.expectedHead = head
        case "data":
          guard !hasData else { return .failure(Problem(.badRequest, "An event has 'data' or 'data_base64', not both.")) }
          hasData = true
          if member.kind == .string {
            event.payload = Bytes(try JSONText.string(input, member.value))
            quoted = Bytes(copying: input.extracting(member.value))
          } else {
            event.payload = Bytes(copying: input.extracting(member.value))
            event.isJSON = true
          }
        case "data_base64":
          guard !hasData else { return .failure(Problem(.badRequest, "An event has 'data' or 'data_base64', not both.")) }
          hasData = true
          var buffer = ByteBuffer()
          guard member.kind == .string else { return .failure(Problem(.badRequest, "'data_base64' is a string.")) }
          let text = Bytes(try JSONText.string(input, member.value))
          guard text.withUnsafeBytes({ Base64.append(decoded: $0, into: &buffer) }) else {
            return .failure(Problem(.badRequest, "'data_base64' is not base64."))
          }
          event.payload = buffer.freeze()
        default:
          break
        }
      }
    } catch {
      return .failure(Problem(.badRequest, "The event is not JSON: \(error.description)."))
    }
    guard hasTopic else { return .failure(Problem(.badRequest, "The event has no 'topic'.")) }
    if let quoted, event.namesJSON { event.payload = quoted }
    return event.checked()
  }

  private var namesJSON: Bool {
    let value = Bytes(contentType)
    return !contentType.isEmpty && MediaType.isJSON(0..<value.count, in: value.bytes)
  }

  private func checked() -> Result<EventDraft, Problem> {
    let name = Bytes(topic)
    if let problem = name.withUnsafeBytes(Topic.problem) {
      return .failure(Problem(.badRequest, "This is not a topic: \(problem.description)."))
    }
    if let problem = Bytes(type).withUnsafeBytes(EventType.problem) { return .failure(Problem(.badRequest, "'type': \(problem)")) }
    var event = self
    if contentType.isEmpty {
      // JSON that is not a string was given as JSON, and is that to every reader.
      if isJSON { event.contentType = "application/json" }
    } else {
      let value = Bytes(contentType)
      guard contentType.utf8.count <= RequestLimits.contentTypeLength, MediaType.isWellFormed(0..<value.count, in: value.bytes) else {
        return .failure(Problem(.badRequest, "'datacontenttype' is not a media type; an example is application/json."))
      }
      event.isJSON = MediaType.isJSON(0..<value.count, in: value.bytes)
    }
    guard key.utf8.count <= RequestLimits.keyLength else {
      return .failure(Problem(.badRequest, "'key' has at most \(RequestLimits.keyLength) bytes."))
    }
    return .success(event)
  }

  private static func firstKind(_ input: RawSpan, _ range: Range<Int>) -> JSONKind? {
    var at = range.lowerBound
    while at < range.upperBound, input.byte(at: at) <= 0x20 { at += 1 }
    return at < range.upperBound && input.byte(at: at) == UInt8(ascii: "{") ? .object : nil
  }
}
