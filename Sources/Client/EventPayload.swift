internal import Core
internal import JSON

/// Takes the payload out of an event.
enum EventPayload {
  /// Appends the payload of the event that `json` is: nothing when it carries none.
  static func append(of json: RawSpan, into buffer: inout ByteBuffer) throws(JSONError) {
    var reader = JSONObjectReader(json)
    while let member = try reader.next() {
      if JSONText.name(of: member, in: json, is: "data") {
        if member.kind == .string {
          try JSONText.decodeString(json, member.value, into: &buffer)
        } else {
          buffer.append(compacting: json.extracting(member.value))
        }
      } else if JSONText.name(of: member, in: json, is: "data_base64"), member.kind == .string {
        let text = json.extracting(member.value.lowerBound + 1..<member.value.upperBound - 1)
        let isDecoded = text.withUnsafeBytes { Base64.append(decoded: $0, into: &buffer) }
        // What is not base64 is shown as it came rather than dropped.
        if !isDecoded { buffer.append(text) }
      }
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
