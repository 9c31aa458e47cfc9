internal import Core
internal import JSON
internal import Placement

/// `GET /v1/cluster`: every node's own report, put together. What could not be learnt is said, not guessed.
struct StatusPage {
  let plan: NodePlan
  let own: NodeReport
  let peers: PeerView
  /// Of all nodes that are heard from, this one first.
  private let reports: [NodeReport]

  init(plan: NodePlan, own: NodeReport, peers: PeerView) {
    self.plan = plan
    self.own = own
    self.peers = peers
    reports = [own] + peers.reports.filter { $0.node != own.node && ![.gone, .dead].contains(peers.standing(of: $0.node)) }
  }

  func render() -> Bytes {
    var buffer = ByteBuffer(capacity: 4096)
    var json = JSONWriter()
    let shards = self.shards
    json.beginObject(into: &buffer)
    writeCluster(situation(of: shards), &json, &buffer)
    json.name("nodes", into: &buffer)
    json.beginArray(into: &buffer)
    for report in reports { writeNode(report, &json, &buffer) }
    for member in unheard { writeUnheard(member, &json, &buffer) }
    json.endArray(into: &buffer)
    json.name("shards", into: &buffer)
    json.beginArray(into: &buffer)
    for shard in shards { json.raw(shard.json.bytes, into: &buffer) }
    json.endArray(into: &buffer)
    writeTotals(shards, &json, &buffer)
    json.endObject(into: &buffer)
    return buffer.freeze()
  }

  /// Known by the gossip, but silent.
  private var unheard: [PeerView.Member] {
    peers.members.filter { member in !reports.contains { $0.node == member.node } }
  }

  /// For each shard what its leader says, or the replica that has most.
  private var shards: [NodeReport.Shard] {
    var best: [ShardID: NodeReport.Shard] = [:]
    for report in reports {
      for shard in report.shards {
        guard let known = best[shard.id] else {
          best[shard.id] = shard
          continue
        }
        let isBetter = (shard.leads ? 1 : 0, shard.term, shard.committed) > (known.leads ? 1 : 0, known.term, known.committed)
        if isBetter { best[shard.id] = shard }
      }
    }
    return best.values.sorted { $0.id < $1.id }
  }

  /// How the cluster is, and why it is not better.
  struct Situation {
    var state = ""
    var why: [String] = []
    var leaderless = 0
    var short = 0
  }

  var situation: Situation { situation(of: shards) }

  private func situation(of shards: [NodeReport.Shard]) -> Situation {
    var why = reports.flatMap(\.why)
    // Edges come and go; only who has clients there misses one. Nor is a broker missed whose replicas others hold by now.
    let holders = Set(shards.flatMap { $0.situation?.voters ?? [] })
    let isAllTold = shards.allSatisfy(\.leads)
    for member in peers.members
    where (member.standing == .dead || member.standing == .suspect) && member.role != "edge" && (!isAllTold || holders.contains(member.node)) {
      why.append("\(member.name) (\(member.role)) \(member.standing == .dead ? "is dead" : "does not answer")")
    }
    let missing = plan.isBorn ? plan.shardCount - shards.count : 0
    if missing > 0 { why.append("nothing is known of \(missing) shards: no broker that holds them is heard from") }
    let leaderless = plan.isBorn ? shards.count { !$0.leads && !$0.knowsLeader } : 0
    if leaderless > 0 { why.append("\(leaderless) \(leaderless == 1 ? "shard has" : "shards have") no leader that is heard from") }
    let short = shards.count { $0.leads && $0.isShort }
    if short > 0 { why.append(short == 1 ? "1 shard lacks a replica" : "\(short) shards lack a replica") }
    if !plan.isBorn { why.append(plan.board.birthStatus) }
    let refusing = shards.count { $0.leads && $0.isRefusing } + leaderless + missing
    let state = !plan.isBorn || refusing == plan.shardCount ? "unavailable" : why.isEmpty ? "healthy" : "degraded"
    return Situation(state: state, why: why, leaderless: leaderless + missing, short: short)
  }

  private func writeCluster(_ situation: Situation, _ json: inout JSONWriter, _ buffer: inout ByteBuffer) {
    json.name("cluster", into: &buffer)
    json.beginObject(into: &buffer)
    if plan.isBorn {
      json.member("id", plan.cluster.description, into: &buffer)
    } else {
      json.name("id", into: &buffer)
      json.null(into: &buffer)
    }
    json.member("state", situation.state, into: &buffer)
    json.member("shards", plan.isBorn ? plan.shardCount : 0, into: &buffer)
    json.member("replicas", plan.replicas, into: &buffer)
    json.member("durability", plan.configuration.durability.rawValue, into: &buffer)
    json.name("why", into: &buffer)
    json.beginArray(into: &buffer)
    for reason in situation.why { json.string(reason, into: &buffer) }
    json.endArray(into: &buffer)
    json.endObject(into: &buffer)
  }

  /// The gossip may know better than the node's own last words.
  private func writeNode(_ report: NodeReport, _ json: inout JSONWriter, _ buffer: inout ByteBuffer) {
    guard report.node != own.node, let standing = peers.standing(of: report.node), standing != .alive,
      let member = peers.members.first(where: { $0.node == report.node })
    else { return json.raw(report.json.bytes, into: &buffer) }
    writeUnheard(member, &json, &buffer)
  }

  private func writeUnheard(_ member: PeerView.Member, _ json: inout JSONWriter, _ buffer: inout ByteBuffer) {
    json.beginObject(into: &buffer)
    json.member("id", member.node.description, into: &buffer)
    json.member("name", member.name, into: &buffer)
    json.member("role", member.role, into: &buffer)
    json.member("state", member.standing.rawValue, into: &buffer)
    json.member("http", member.http, into: &buffer)
    json.member("cluster", member.address, into: &buffer)
    json.member("version", member.version, into: &buffer)
    json.endObject(into: &buffer)
  }

  private func writeTotals(_ shards: [NodeReport.Shard], _ json: inout JSONWriter, _ buffer: inout ByteBuffer) {
    json.name("totals", into: &buffer)
    json.beginObject(into: &buffer)
    json.member("connections", sum(\.connections), into: &buffer)
    json.member("topics", shards.reduce(UInt64(0)) { $0 + $1.topics }, into: &buffer)
    json.member("published", sum(\.published), into: &buffer)
    json.member("delivered", sum(\.delivered), into: &buffer)
    json.name("publishRate", into: &buffer)
    json.double(Double(sum(\.publishRate)) / 10, into: &buffer)
    json.name("deliverRate", into: &buffer)
    json.double(Double(sum(\.deliverRate)) / 10, into: &buffer)
    json.member("behind", sum(\.behind), into: &buffer)
    var latencies = LatencyTable()
    for report in reports { latencies.merge(report.latencies) }
    latencies.write(&json, &buffer)
    json.endObject(into: &buffer)
  }

  func sum(_ value: (NodeReport) -> UInt64) -> UInt64 { reports.reduce(0) { $0 &+ value($1) } }
}

/// What this node has heard of the others, for its status.
struct PeerView: Sendable {
  enum Standing: String, Sendable {
    case alive, suspect, dead
    case gone = "left"
  }

  struct Member: Sendable {
    var node: NodeID
    var name: String
    var role: String
    var standing: Standing
    var http: String
    var address: String
    var version: String
  }

  var reports: [NodeReport] = []
  var members: [Member] = []

  func standing(of node: NodeID) -> Standing? { members.first { $0.node == node }?.standing }
}
