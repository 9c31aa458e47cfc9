internal import Core
internal import HTTP
internal import JSON

/// The cluster's own account of itself, for people.
public enum ClusterStatus {
  public static func fetch(_ client: HTTPClient) throws(ClientFailure) -> ClientAnswer {
    try client.succeed(ClientRequest(.get, "/v1/cluster"))
  }

  /// Three paragraphs: the cluster, its nodes, its shards. What the node did not say stays empty.
  public static func text(of answer: ClientAnswer) throws(ClientFailure) -> String {
    let document = try AnswerDocument.parse(answer)
    guard let cluster = document["cluster"] else { throw .malformedAnswer("it does not describe a cluster") }
    let nodes = document["nodes"]?.array ?? []
    let names = Dictionary(
      nodes.map { (text($0, "id"), text($0, "name")) }.filter { !$0.0.isEmpty && !$0.1.isEmpty }, uniquingKeysWith: { first, _ in first })
    var paragraphs = [summary(cluster, document["totals"])]
    if !nodes.isEmpty { paragraphs.append(nodeTable(nodes)) }
    if let shards = document["shards"]?.array, !shards.isEmpty { paragraphs.append(shardTable(shards, names)) }
    return paragraphs.joined(separator: "\n")
  }

  private static func summary(_ cluster: JSONValue, _ totals: JSONValue?) -> String {
    var lines = [
      "cluster \(text(cluster, "id")) is \(text(cluster, "state")): \(counted(cluster, "shards")), \(counted(cluster, "replicas"))"
    ]
    for reason in cluster["why"]?.array ?? [] { lines.append("  \(AnswerDocument.cell(reason))") }
    if let totals {
      lines.append(
        "\(counted(totals, "connections")), \(counted(totals, "topics")), \(text(totals, "published")) published "
          + "(\(rate(totals["publishRate"]))), \(text(totals, "delivered")) delivered (\(rate(totals["deliverRate"])))")
    }
    return lines.map { $0 + "\n" }.joined()
  }

  private static func nodeTable(_ nodes: [JSONValue]) -> String {
    var table = TextTable(["node", "role", "state", "http", "up", "clients", "leads", "follows", "in", "out"])
    for node in nodes {
      table.add([
        text(node, "name"), text(node, "role"), text(node, "state"), text(node, "http"), uptime(node["uptime"]?.integer),
        AnswerDocument.cell(node["connections"]?["total"]), AnswerDocument.cell(node["shards"]?["leader"]),
        AnswerDocument.cell(node["shards"]?["follower"]), rate(node["rates"]?["published"]), rate(node["rates"]?["delivered"]),
      ])
    }
    return table.text
  }

  private static func shardTable(_ shards: [JSONValue], _ names: [String: String]) -> String {
    func name(_ id: String) -> String { names[id] ?? id }
    var table = TextTable(["shard", "state", "leader", "term", "first", "committed", "size", "replicas"])
    for shard in shards {
      let replicas = (shard["replicas"]?.array ?? []).map { replica in
        let lag = replica["lag"]?.integer ?? 0
        return name(text(replica, "node")) + (lag > 0 ? " (-\(lag))" : "")
      }
      table.add([
        text(shard, "id"), text(shard, "state"), name(text(shard, "leader")), text(shard, "term"), text(shard, "first"),
        text(shard, "committed"), shard["bytes"]?.integer.map { ByteSize.rounded($0) } ?? "", replicas.joined(separator: ", "),
      ])
    }
    return table.text
  }

  private static func text(_ value: JSONValue, _ name: String) -> String { AnswerDocument.cell(value[name]) }

  /// `16 shards`, `1 replica`: every name here is plural by an s.
  private static func counted(_ value: JSONValue, _ name: String) -> String {
    "\(text(value, name)) \(value[name]?.integer == 1 ? String(name.dropLast()) : name)"
  }

  private static func rate(_ value: JSONValue?) -> String {
    guard let rate = value?.double, rate.isFinite, rate.magnitude < 1e15 else { return "" }
    // Whole numbers from ten on, one digit after the point below.
    if rate >= 10 || rate == 0 { return "\(Int(rate + 0.5))/s" }
    let tenths = Int(rate * 10 + 0.5)
    return "\(tenths / 10).\(tenths % 10)/s"
  }

  /// The two largest units: `3d 4h`, `12m 5s`.
  static func uptime(_ seconds: Int?) -> String {
    guard let seconds, seconds >= 0 else { return "" }
    let parts = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")]
    let shown = parts.drop { $0.0 == 0 }.prefix(2).filter { $0.0 > 0 }
    return shown.isEmpty ? "0s" : shown.map { "\($0.0)\($0.1)" }.joined(separator: " ")
  }
}
