internal import Core
internal import Edge
internal import JSON
internal import Replica

/// `GET /v1/cluster` for a cluster of one node.
struct StatusPage {
  let plan: NodePlan
  let reports: [ReactorReport]
  /// Nil leaves out what changes with time alone, to see whether anything else did.
  let wall: WallTime?

  private var shards: [ReplicaStatus] { reports.flatMap(\.shards).sorted { $0.shard < $1.shard } }

  func render() -> Bytes {
    var buffer = ByteBuffer(capacity: 4096)
    var json = JSONWriter()
    json.beginObject(into: &buffer)
    writeCluster(&json, &buffer)
    writeNodes(&json, &buffer)
    writeShards(&json, &buffer)
    writeTotals(&json, &buffer)
    json.endObject(into: &buffer)
    return buffer.freeze()
  }

  private func writeCluster(_ json: inout JSONWriter, _ buffer: inout ByteBuffer) {
    var why: [String] = []
    var refusing = 0
    for shard in shards {
      switch shard.condition {
      case .ok: break
      case .full:
        why.append("shard \(shard.shard): the disk is full")
        refusing += 1
      case .repairing(let reason):
        why.append("shard \(shard.shard): \(reason); it is learned anew")
      case .failed(let reason):
        why.append("shard \(shard.shard): \(reason)")
        refusing += 1
      }
    }
    if plan.board.isDraining { why.append("the node is draining") }
    json.name("cluster", into: &buffer)
    json.beginObject(into: &buffer)
    json.member("id", plan.cluster.description, into: &buffer)
    json.member("state", refusing == 0 ? "healthy" : refusing == shards.count ? "unavailable" : "degraded", into: &buffer)
    json.member("shards", plan.shardCount, into: &buffer)
    json.member("replicas", 1, into: &buffer)
    json.member("durability", plan.configuration.durability.rawValue, into: &buffer)
    json.name("why", into: &buffer)
    json.beginArray(into: &buffer)
    for reason in why { json.string(reason, into: &buffer) }
    json.endArray(into: &buffer)
    json.endObject(into: &buffer)
  }

  private func writeNodes(_ json: inout JSONWriter, _ buffer: inout ByteBuffer) {
    var connections = [Int](repeating: 0, count: Transport.allCases.count)
    var behind = 0
    for report in reports {
      for index in connections.indices { connections[index] += report.edge.connections[index] }
      behind += report.edge.behind
    }
    json.name("nodes", into: &buffer)
    json.beginArray(into: &buffer)
    json.beginObject(into: &buffer)
    json.member("id", plan.node.description, into: &buffer)
    json.member("name", plan.configuration.name, into: &buffer)
    json.member("role", "all", into: &buffer)
    json.member("state", plan.board.isDraining ? "draining" : "alive", into: &buffer)
    json.member("http", plan.httpAddress, into: &buffer)
    json.name("cluster", into: &buffer)
    json.null(into: &buffer)
    json.member("version", plan.edge.version, into: &buffer)
    if let wall { json.member("uptime", Int((wall.milliseconds - plan.started.milliseconds) / 1000), into: &buffer) }
    json.member("incarnation", 1, into: &buffer)
    json.name("connections", into: &buffer)
    json.beginObject(into: &buffer)
    for transport in Transport.allCases { json.member(name(of: transport), connections[transport.rawValue], into: &buffer) }
    json.member("mqtt", 0, into: &buffer)
    json.member("total", connections.reduce(0, +), into: &buffer)
    json.endObject(into: &buffer)
    json.member("behind", behind, into: &buffer)
    json.name("shards", into: &buffer)
    json.beginObject(into: &buffer)
    json.member("leader", shards.count, into: &buffer)
    json.member("follower", 0, into: &buffer)
    json.endObject(into: &buffer)
    json.name("rates", into: &buffer)
    json.beginObject(into: &buffer)
    writeRate("published", \.published, &json, &buffer)
    writeRate("delivered", \.delivered, &json, &buffer)
    json.endObject(into: &buffer)
    writeLatencies(&json, &buffer)
    json.endObject(into: &buffer)
    json.endArray(into: &buffer)
  }

  private func name(of transport: Transport) -> StaticString {
    switch transport {
    case .http: "http"
    case .sse: "sse"
    case .ndjson: "ndjson"
    case .webSocket: "websocket"
    case .longPoll: "longpoll"
    }
  }

  private func writeRate(_ name: StaticString, _ rate: (Rates) -> Double, _ json: inout JSONWriter, _ buffer: inout ByteBuffer) {
    let sum = reports.reduce(0.0) { $0 + rate($1.rates) }
    json.name(name, into: &buffer)
    json.double((sum * 10).rounded() / 10, into: &buffer)
  }

  /// From commit to the socket, in milliseconds, for the transports that delivered anything.
  private func writeLatencies(_ json: inout JSONWriter, _ buffer: inout ByteBuffer) {
    json.name("latency", into: &buffer)
    json.beginObject(into: &buffer)
    for transport in Transport.allCases {
      var merged = LatencyHistogram()
      for report in reports { merged.merge(report.edge.latencies[transport.rawValue]) }
      guard let half = merged.percentile(0.5), let most = merged.percentile(0.99) else { continue }
      json.name(name(of: transport), into: &buffer)
      json.beginObject(into: &buffer)
      json.member("p50", Int(half), into: &buffer)
      json.member("p99", Int(most), into: &buffer)
      json.endObject(into: &buffer)
    }
    json.endObject(into: &buffer)
  }

  private func writeShards(_ json: inout JSONWriter, _ buffer: inout ByteBuffer) {
    json.name("shards", into: &buffer)
    json.beginArray(into: &buffer)
    for shard in shards {
      json.beginObject(into: &buffer)
      json.member("id", Int(shard.shard.value), into: &buffer)
      json.member("leader", plan.node.description, into: &buffer)
      json.member("term", 1, into: &buffer)
      json.member("state", shard.condition == .ok ? "ok" : "stalled", into: &buffer)
      json.name("replicas", into: &buffer)
      json.beginArray(into: &buffer)
      json.beginObject(into: &buffer)
      json.member("node", plan.node.description, into: &buffer)
      json.member("role", "voter", into: &buffer)
      json.member("match", shard.committed.value, into: &buffer)
      json.member("lag", 0, into: &buffer)
      json.endObject(into: &buffer)
      json.endArray(into: &buffer)
      json.member("first", shard.first.value, into: &buffer)
      json.member("committed", shard.committed.value, into: &buffer)
      json.member("bytes", shard.bytes, into: &buffer)
      json.member("topics", shard.topics, into: &buffer)
      json.endObject(into: &buffer)
    }
    json.endArray(into: &buffer)
  }

  private func writeTotals(_ json: inout JSONWriter, _ buffer: inout ByteBuffer) {
    json.name("totals", into: &buffer)
    json.beginObject(into: &buffer)
    json.member("connections", reports.reduce(0) { $0 + $1.edge.connections.reduce(0, +) }, into: &buffer)
    json.member("topics", shards.reduce(0) { $0 + $1.topics }, into: &buffer)
    json.member("published", shards.reduce(UInt64(0)) { $0 + $1.counters.published }, into: &buffer)
    json.member("delivered", reports.reduce(0) { $0 + $1.edge.deliveredTotal }, into: &buffer)
    writeRate("publishRate", \.published, &json, &buffer)
    writeRate("deliverRate", \.delivered, &json, &buffer)
    json.endObject(into: &buffer)
  }
}
