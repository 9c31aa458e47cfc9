internal import Core
internal import JSON

/// Takes the payload out of an event.
enum EventPayload {
  /// Appends the payload of the event that `json` is, as it was published: nothing when it carries none.
  ///
  /// A string is the payload's text, unless the event says that the payload is JSON: then it is a JSON string.
  static func append(of json: RawSpan, into buffer: inout ByteBuffer) throws(JSONError) {
    var data: JSONMember?
    var isJSON = false
    var reader = JSONObjectReader(json)
    while let member = try reader.next() {
      if JSONText.name(of: member, in: json, is: "data") {
        data = member
      } else if JSONText.name(of: member, in: json, is: "datacontenttype"), member.kind == .string {
        isJSON = PublishOptions.isJSON(try JSONText.string(json, member.value))
      } else if JSONText.name(of: member, in: json, is: "data_base64"), member.kind == .string {
        let text = json.extracting(member.value.lowerBound + 1..<member.value.upperBound - 1)
        let isDecoded = text.withUnsafeBytes { Base64.append(decoded: $0, into: &buffer) }
        // What is not base64 is shown as it came rather than dropped.
        if !isDecoded { buffer.append(text) }
      }
    }
    guard let data else { return }
    if data.kind == .string, !isJSON {
      try JSONText.decodeString(json, data.value, into: &buffer)
    } else {
      buffer.append(compacting: json.extracting(data.value))
    }
  }
}

/// Says in words what a gap's JSON says.
enum EventGap {
  static func sentence(_ json: RawSpan) -> String {
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONValue(parsing: json)
    } catch {
      return "gap: \(json.text(0..<json.byteCount))"
    }
    let count = value["skipped"]?.integer.map { $0 == 1 ? "1 event" : "\($0) events" } ?? "some events"
    switch value["reason"]?.string {
    case "expired": return "gap: \(count) had expired before they were read"
    case "foreign": return "gap: the cursor belongs to another cluster; reading from what there is"
    case "future": return "gap: the cursor is ahead of what this cluster holds; reading from what there is"
    case let reason?: return "gap: \(count) skipped (\(reason))"
    case nil: return "gap: \(count) skipped"
    }
  }
}
