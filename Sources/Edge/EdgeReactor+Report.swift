public import Core
internal import Feeds
internal import HTTP
public import MQTT
internal import Reactor
internal import SSE
internal import WebSocket

/// How one edge reactor is: numbers only, taken when somebody asks.
public struct EdgeReport: Sendable {
  /// Open connections by `Transport`.
  public var connections = [Int](repeating: 0, count: Transport.allCases.count)
  public var counters = EdgeCounters()
  /// Messages handed to followers, by `Transport`.
  public var delivered = [Int](repeating: 0, count: Transport.allCases.count)
  /// From commit until it was written to followers, by `Transport`.
  public var latencies = [LatencyHistogram](repeating: LatencyHistogram(), count: Transport.allCases.count)
  public var bytesSent = 0
  public var writes = 0
  public var renderings = 0
  public var audiences = 0
  /// Readers that are behind: they read on at their own pace.
  public var behind = 0
  public var queuedBytes = 0
  public var streamBytes = 0
  public var cacheBytes = 0
  public var filters = 0
  /// Of MQTT clients that are connected.
  public var mqttSubscriptions = 0
  public var mqtt = MQTTTraffic()
  /// What MQTT clients were refused, or did wrong.
  public var mqttProtocol = MQTTChannelCounters()
  public var mqttLoad = MQTTLoad()

  public init() {}

  public var publishedTotal: Int { counters.published }
  public var deliveredTotal: Int { delivered.reduce(0, +) }
}

extension EdgeReactor {
  /// What rates are taken of: cheap enough for every second.
  public var totals: (published: Int, delivered: Int) {
    (counters.published, fanout.counters.deliveries.reduce(0, +) + counters.catchUpEvents.reduce(0, +))
  }

  /// From commit until it was written to followers, by `Transport`, since the start.
  public var latencies: [LatencyHistogram] {
    var latencies = [LatencyHistogram](repeating: LatencyHistogram(), count: Transport.allCases.count)
    for format in EventFormat.allCases { latencies[format.transport.rawValue].merge(fanout.latencies[Int(format.rawValue)]) }
    return latencies
  }

  public func report() -> EdgeReport {
    var report = EdgeReport()
    report.counters = counters
    report.counters.protocolErrors += mqttOutput.counters.violations
    for key in connections.keys {
      guard let connection = connections[key] else { continue }
      report.connections[connection.transport.rawValue] += 1
      if let reader = connection.reader, !reader.isParked { report.behind += 1 }
      report.queuedBytes += connection.output.pendingBytes
      if case .mqtt(let session) = connection.role { report.mqttSubscriptions += session.subscriptions.count }
    }
    for format in EventFormat.allCases {
      report.delivered[format.transport.rawValue] += fanout.counters.deliveries[Int(format.rawValue)]
    }
    report.latencies = latencies
    report.mqtt = mqttTotals
    report.mqttProtocol = mqttOutput.counters
    report.mqttLoad = system.load
    for transport in Transport.allCases { report.delivered[transport.rawValue] += counters.catchUpEvents[transport.rawValue] }
    report.bytesSent = fanout.counters.bytes
    report.writes = fanout.counters.writes
    report.renderings = fanout.counters.renderings
    for case let audience? in fanout.audiences {
      report.audiences += 1
      report.streamBytes += audience.stream.byteCount
    }
    for feed in fanout.feeds {
      report.cacheBytes += feed.cache.byteCount
      report.filters += feed.heldFilters
    }
    return report
  }

  // MARK: The end

  /// A connection between two requests may be a proxy's that has not noticed yet, and sends one more: it is answered, and told that
  /// it was the last. So long it has for that.
  private static let idlePatience = TimeSpan.seconds(2)

  /// Tells every client, each in its transport's own words, to come back elsewhere; spread over `window`, so that
  /// those elsewhere are not run over.
  public func drain(over window: TimeSpan) {
    isDraining = true
    let keys = connections.keys
    for (place, key) in keys.enumerated() {
      guard let connection = connections[key] else { continue }
      var share = TimeSpan(nanoseconds: window.nanoseconds / Int64(max(1, keys.count)) * Int64(place))
      if case .http(let session) = connection.role, isBetweenRequests(connection, session) { share = min(window, Self.idlePatience) }
      departures.append((now + share, key))
    }
    departures.sort { $0.0 < $1.0 }
    careForDepartures()
  }

  private func isBetweenRequests(_ connection: Connection, _ session: HTTPSession) -> Bool {
    session.pending.isEmpty && connection.output.isEmpty && !session.decoder.isInsideMessage(pending: connection.input.count)
  }

  /// The node takes part again; whoever was not sent off yet stays.
  public func resume() {
    isDraining = false
    departures.removeAll()
  }

  /// Sends off those whose time has come.
  func careForDepartures() {
    let now = now
    let due = departures.prefix { $0.0 <= now }
    departures.removeFirst(due.count)
    for (_, key) in due { if let connection = connections[key], !connection.isClosed { sendOff(connection) } }
    if let first = departures.first {
      _ = loop.schedule(TimerKey(PollToken(kind: Self.departureTimer).rawValue), at: first.0)
    }
  }

  private func sendOff(_ connection: Connection) {
    switch connection.role {
    case .following(let format):
      if format.carriesCursor { SSEEncoder.append(retryMilliseconds: reconnectMilliseconds(), into: &connection.output.own) }
      closeWhenSent(connection)
    case .webSocket(let session):
      if !session.isEcho {
        let milliseconds = reconnectMilliseconds()
        send(connection) { buffer in
          buffer.append("{\"op\":\"drain\",\"reconnectAfter\":")
          buffer.append(decimal: milliseconds)
          buffer.append(UInt8(ascii: "}"))
        }
      }
      failSocket(connection, .goingAway, "the node is going down; connect again")
    case .mqtt(let session):
      speak(connection, session) { $0.end(.serverShuttingDown, "The node is going down; connect again.", at: now, into: &$1) }
    case .http(let session):
      // Whoever is in the middle of a request has it answered, and is let go with that.
      if session.waitsForEvents {
        waitIsOver(connection, session)
      } else if isBetweenRequests(connection, session) {
        closeWhenSent(connection)
      }
    case .finishing: break
    }
  }

  /// Everyone still here is let go, now.
  public func closeAll() {
    // Who is let go by a node that goes may come back elsewhere before anybody is told that it is gone.
    isDraining = true
    for key in connections.keys { if let connection = connections[key] { close(connection) } }
  }

  public var connectionCount: Int { connections.count }
}
