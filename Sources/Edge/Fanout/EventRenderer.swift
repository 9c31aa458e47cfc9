internal import Core
internal import Feeds
internal import JSON
internal import MQTT
internal import SSE
internal import WebSocket

/// Turns records into the bytes of one format each. Writes into buffers it is given; knows nothing of sockets.
final class EventRenderer {
  /// The type under which followers hear that a current value was cleared.
  static let clearedType: StaticString = "tidings.cleared"
  /// The type of a server-sent event that tells of a gap.
  static let gapType: StaticString = "tidings.gap"

  /// `v1~CLUSTER`: what every cursor begins with.
  private let cursorPrefix: Bytes
  private let deflater = Deflater()
  private var json = ByteBuffer(capacity: 1024)
  /// Of one PUBLISH, and one PUBLISH, while it is put together.
  var properties = ByteBuffer(capacity: 256)
  var packet = ByteBuffer(capacity: 1024)

  init(cluster: ClusterID) {
    var buffer = ByteBuffer(capacity: 16)
    Cursor.writePrefix(cluster, into: &buffer)
    cursorPrefix = buffer.freeze()
  }

  // MARK: Cursors

  /// A shard that is not named stands at 0 anyway. Where a reader begins each is named all the same: a client that
  /// joins several cursors must tell a shard in which nothing was seen from one that holds nothing it wants.
  func appendCursor(_ shards: [ShardID], _ offsets: [Offset], namingAll: Bool = false, into buffer: inout ByteBuffer) {
    buffer.append(cursorPrefix)
    for index in shards.indices where namingAll || offsets[index] > .zero { Cursor.write(shards[index], offsets[index], into: &buffer) }
  }

  func appendCursor(_ shard: ShardID, _ offset: Offset, into buffer: inout ByteBuffer) {
    buffer.append(cursorPrefix)
    if offset > .zero { Cursor.write(shard, offset, into: &buffer) }
  }

  func appendID(_ shards: [ShardID], _ offsets: [Offset], into buffer: inout ByteBuffer) {
    buffer.append("id: ")
    appendCursor(shards, offsets, into: &buffer)
    buffer.append(UInt8(ascii: "\n"))
  }

  // MARK: Events

  /// Everything of a message but the id that some formats put before it.
  func appendBody(_ record: RecordView, _ shard: ShardID, as format: EventFormat, wall: WallTime, retained: Bool = false, into buffer: inout ByteBuffer) {
    switch format {
    case .sse:
      appendServerSentBody(record, into: &buffer)
    case .sseJSON:
      appendTypeLine(record, into: &buffer)
      buffer.append("data: ")
      appendJSON(record, shard, operation: false, retained: retained, into: &buffer)
      buffer.append("\n\n")
    case .ndjson:
      appendJSON(record, shard, operation: false, retained: retained, into: &buffer)
      buffer.append(UInt8(ascii: "\n"))
    case .json:
      appendJSON(record, shard, operation: false, retained: retained, into: &buffer)
      buffer.append(UInt8(ascii: ","))
    case .webSocket:
      json.removeAll()
      appendJSON(record, shard, operation: true, retained: retained, into: &json)
      json.withUnsafeBytes { WebSocketEncoder.append(.text, $0, into: &buffer) }
    case .webSocketDeflated:
      json.removeAll()
      appendJSON(record, shard, operation: true, retained: retained, into: &json)
      json.withUnsafeBytes { appendDeflatedFrame(of: $0, into: &buffer) }
    case .mqtt3: appendMQTT(record, .v311, wall: wall, into: &buffer)
    case .mqtt5: appendMQTT(record, .v5, wall: wall, into: &buffer)
    case .mqtt3Framed: appendFramedMQTT(record, .v311, wall: wall, into: &buffer)
    case .mqtt5Framed: appendFramedMQTT(record, .v5, wall: wall, into: &buffer)
    case .mqttAlone: preconditionFailure("a client that is written to alone is not written to with all")
    }
  }

  private func appendDeflatedFrame(of text: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
    var packed = ByteBuffer(capacity: text.count / 2 + 64)
    deflate(text, into: &packed)
    packed.withUnsafeBytes { WebSocketEncoder.append(.text, $0, isCompressed: true, into: &buffer) }
  }

  func deflate(_ message: UnsafeRawBufferPointer, into buffer: inout ByteBuffer) {
    deflater.compress(message, into: &buffer)
  }

  private func appendTypeLine(_ record: RecordView, into buffer: inout ByteBuffer) {
    if record.flags.contains(.clear) {
      buffer.append("event: ")
      buffer.append(Self.clearedType)
      buffer.append(UInt8(ascii: "\n"))
    } else if !record.type.isEmpty, EventType.isOneLine(record.type) {
      buffer.append("event: ")
      buffer.append(record.type)
      buffer.append(UInt8(ascii: "\n"))
    }
  }

  private func appendServerSentBody(_ record: RecordView, into buffer: inout ByteBuffer) {
    appendTypeLine(record, into: &buffer)
    if record.flags.contains(.text) || record.payload.isEmpty {
      SSEEncoder.append(data: record.payload, into: &buffer)
    } else {
      buffer.append("data: ")
      Base64.append(encoded: record.payload, into: &buffer)
      buffer.append("\n\n")
    }
  }

  /// An event as one JSON object on one line.
  func appendJSON(_ record: RecordView, _ shard: ShardID, operation: Bool, retained: Bool, into buffer: inout ByteBuffer) {
    buffer.append(operation ? "{\"op\":\"event\",\"topic\":" : "{\"topic\":")
    buffer.append(jsonString: record.topic)
    buffer.append(",\"position\":\"")
    buffer.append(decimal: UInt64(shard.value))
    buffer.append(UInt8(ascii: "."))
    buffer.append(decimal: record.offset.value)
    buffer.append("\",\"time\":\"")
    buffer.append(timestamp: record.time)
    buffer.append(UInt8(ascii: "\""))
    let flags = record.flags
    if flags.contains(.clear) {
      buffer.append(",\"type\":\"")
      buffer.append(Self.clearedType)
      buffer.append("\"}")
      return
    }
    if !record.type.isEmpty {
      buffer.append(",\"type\":")
      buffer.append(jsonString: record.type)
    }
    if !record.contentType.isEmpty {
      buffer.append(",\"datacontenttype\":")
      buffer.append(jsonString: record.contentType)
    }
    if retained { buffer.append(",\"retained\":true") }
    if flags.contains(.json) {
      buffer.append(",\"data\":")
      let payload = record.payload
      buffer.append(compacting: payload.bytes)
    } else if flags.contains(.text) || record.payload.isEmpty {
      buffer.append(",\"data\":")
      buffer.append(jsonString: record.payload)
    } else {
      buffer.append(",\"data_base64\":\"")
      Base64.append(encoded: record.payload, into: &buffer)
      buffer.append(UInt8(ascii: "\""))
    }
    buffer.append(UInt8(ascii: "}"))
  }

  // MARK: Gaps and heartbeats

  /// `{"reason","from","to","skipped"}`; with `operation`, as a WebSocket message.
  func appendGap(_ gap: Gap, operation: Bool, into buffer: inout ByteBuffer) {
    if operation {
      buffer.append("{\"op\":\"gap\",")
      if !gap.subscription.isEmpty {
        buffer.append("\"id\":")
        buffer.append(text: gap.subscription)
        buffer.append(UInt8(ascii: ","))
      }
      buffer.append("\"reason\":\"")
    } else {
      buffer.append("{\"reason\":\"")
    }
    buffer.append(text: gap.reason.rawValue)
    buffer.append("\",\"from\":\"")
    buffer.append(text: gap.from)
    buffer.append("\",\"to\":\"")
    buffer.append(text: gap.to)
    buffer.append(UInt8(ascii: "\""))
    if let skipped = gap.skipped {
      buffer.append(",\"skipped\":")
      buffer.append(decimal: skipped)
    }
    buffer.append(UInt8(ascii: "}"))
  }

  /// Tells a stream of a gap; `cursor` is where it goes on.
  func appendGapEvent(_ gap: Gap, as format: EventFormat, shards: [ShardID], offsets: [Offset], into buffer: inout ByteBuffer) {
    switch format {
    case .sse, .sseJSON:
      appendID(shards, offsets, into: &buffer)
      buffer.append("event: ")
      buffer.append(Self.gapType)
      buffer.append("\ndata: ")
      appendGap(gap, operation: false, into: &buffer)
      buffer.append("\n\n")
    case .ndjson:
      buffer.append("{\"gap\":")
      appendGap(gap, operation: false, into: &buffer)
      buffer.append("}\n")
    case .json:
      appendGap(gap, operation: false, into: &buffer)
    case .webSocket, .webSocketDeflated:
      json.removeAll()
      appendGap(gap, operation: true, into: &json)
      json.withUnsafeBytes { WebSocketEncoder.append(.text, $0, into: &buffer) }
    case .mqtt3, .mqtt5, .mqtt3Framed, .mqtt5Framed, .mqttAlone: preconditionFailure("an MQTT client's channel tells of gaps")
    }
  }

  /// What keeps an idle stream open; carries the cursor where that has moved on and the format has a place for it.
  func appendHeartbeat(_ format: EventFormat, shards: [ShardID], offsets: [Offset], moved: Bool, into buffer: inout ByteBuffer) {
    switch format {
    case .sse, .sseJSON:
      buffer.append(":\n")
      if moved { appendID(shards, offsets, into: &buffer) }
      buffer.append(UInt8(ascii: "\n"))
    case .ndjson:
      buffer.append(UInt8(ascii: "\n"))
    case .webSocket, .webSocketDeflated:
      WebSocketEncoder.append(header: .ping, payloadCount: 0, into: &buffer)
      if moved { appendCursorOperation(shards, offsets, into: &buffer) }
    case .json, .mqtt3, .mqtt5, .mqtt3Framed, .mqtt5Framed, .mqttAlone:
      break
    }
  }

  /// Tells a socket how far it has come where nothing matched, so that it need not read that again one day.
  func appendCursorOperation(_ shards: [ShardID], _ offsets: [Offset], into buffer: inout ByteBuffer) {
    WebSocketEncoder.append(.text, sizeHint: 200, into: &buffer) { buffer in
      buffer.append("{\"op\":\"cursor\",\"cursor\":\"")
      appendCursor(shards, offsets, namingAll: true, into: &buffer)
      buffer.append("\"}")
    }
  }
}

/// A gap as readers are told of it.
struct Gap {
  var reason: GapReason
  var from: String
  var to: String
  /// How many messages that were wanted are no longer there; nil where nobody knows.
  var skipped: UInt64?
  /// The WebSocket subscription that has the gap, as JSON; empty elsewhere.
  var subscription = ""
}

enum GapReason: String {
  case expired, foreign, future

  /// That a cursor is another cluster's an edge knows before it asks.
  init(_ reason: ReadGap.Reason) { self = reason == .future ? .future : .expired }
}
