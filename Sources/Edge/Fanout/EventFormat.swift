/// The ways in which a message can be put on a wire. A record is rendered once for each that is wanted.
enum EventFormat: UInt8, Hashable, CaseIterable {
  /// Server-sent event: id, type, payload by line.
  case sse
  /// Server-sent event whose data is the whole event as JSON.
  case sseJSON
  /// One JSON object a line.
  case ndjson
  /// A WebSocket text frame of `tidings.v1`.
  case webSocket
  /// The same, compressed once for all.
  case webSocketDeflated
  /// A JSON object and a comma, to stand in an array: for readers that wait and poll.
  case json

  var transport: Transport {
    switch self {
    case .sse, .sseJSON: .sse
    case .ndjson: .ndjson
    case .webSocket, .webSocketDeflated: .webSocket
    case .json: .longPoll
    }
  }

  /// Whether every message carries the reader's whole cursor, rather than its own position alone.
  var carriesCursor: Bool { self == .sse || self == .sseJSON }
}

/// How a client is connected, as status and metrics name it.
public enum Transport: Int, CaseIterable, Sendable {
  case http, sse, ndjson, webSocket, longPoll

  public var name: StaticString {
    switch self {
    case .http: "http"
    case .sse: "sse"
    case .ndjson: "ndjson"
    case .webSocket: "websocket"
    case .longPoll: "longpoll"
    }
  }
}
