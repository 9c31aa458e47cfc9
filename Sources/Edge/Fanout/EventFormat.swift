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
  /// A PUBLISH of QoS 0 that has nothing of the subscriber's own, in 3.1.1 and 5.0, on TCP and in WebSocket messages.
  case mqtt3, mqtt5
  case mqtt3Framed, mqtt5Framed
  /// MQTT clients that are written to alone: no stream is made of it.
  case mqttAlone

  var transport: Transport {
    switch self {
    case .sse, .sseJSON: .sse
    case .ndjson: .ndjson
    case .webSocket, .webSocketDeflated: .webSocket
    case .json: .longPoll
    case .mqtt3, .mqtt5, .mqtt3Framed, .mqtt5Framed, .mqttAlone: .mqtt
    }
  }

  /// Whether every message carries the reader's whole cursor, rather than its own position alone.
  var carriesCursor: Bool { self == .sse || self == .sseJSON }

  /// Whether the server keeps an idle stream open; MQTT's clients do that themselves.
  var beats: Bool { transport != .mqtt }
}

/// How a client is connected, as status and metrics name it.
public enum Transport: Int, CaseIterable, Sendable {
  case http, sse, ndjson, webSocket, longPoll, mqtt

  public var name: StaticString {
    switch self {
    case .http: "http"
    case .sse: "sse"
    case .ndjson: "ndjson"
    case .webSocket: "websocket"
    case .longPoll: "longpoll"
    case .mqtt: "mqtt"
    }
  }
}
