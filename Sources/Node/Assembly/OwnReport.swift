internal import Core
internal import Edge
internal import JSON
internal import Placement
internal import Raft
internal import Reactor
internal import Replica

/// What a node knows of itself, from the reports of its reactors.
struct OwnReport {
  let plan: NodePlan
  let reports: [ReactorReport]
  let now: Instant
  /// What this node's clock says, right or wrong.
  let clock: WallTime

  private let shards: [ReplicaStatus]
  /// Of all reactors together, in tenths of a message a second.
  private let publishRate: UInt64
  private let deliverRate: UInt64

  init(plan: NodePlan, reports: [ReactorReport], now: Instant, clock: WallTime) {
    self.plan = plan
    self.reports = reports
    self.now = now
    self.clock = clock
    shards = reports.flatMap(\.shards).sorted { $0.shard < $1.shard }
    publishRate = OwnReport.tenths(reports, \.published)
    deliverRate = OwnReport.tenths(reports, \.delivered)
  }

  func make() -> NodeReport {
    var report = NodeReport(node: plan.node, json: Bytes())
    report.connections = UInt64(reports.reduce(0) { $0 + $1.edge.connections.reduce(0, +) })
    report.published = UInt64(reports.reduce(0) { $0 + $1.edge.counters.published })
    report.delivered = UInt64(reports.reduce(0) { $0 + $1.edge.deliveredTotal })
    report.publishRate = publishRate
    report.deliverRate = deliverRate
    report.mqttClients = UInt64(clamping: plan.edge.mqttCensus.clients)
    report.retained = UInt64(shards.reduce(0) { $0 + ($1.isServing ? $1.retainedValues : 0) })
    report.behind = UInt64(reports.reduce(0) { $0 + $1.edge.behind })
    report.latencies = LatencyTable(reports.map(\.latencies))
    report.why = why
    report.clock = clock
    report.json = node(report)
    report.shards = shards.map { status in
      NodeReport.Shard(
        id: status.shard, leads: status.isServing, isRefusing: isRefusing(status), isShort: isShort(status),
        knowsLeader: status.isServing || status.raft.leader != nil, term: status.raft.term,
        committed: status.committed.value, topics: UInt64(status.topics), situation: situation(of: status), json: shard(status))
    }
    return report
  }

  private static func tenths(_ reports: [ReactorReport], _ rate: (Rates) -> Double) -> UInt64 {
    UInt64(max(0, (reports.reduce(0.0) { $0 + rate($1.rates) } * 10).rounded()))
  }

  /// A learner lacks no more than this, so that it can vote without holding anyone up.
  private static let caughtUpWithin: UInt64 = 1000

  private func situation(of status: ReplicaStatus) -> ShardSituation? {
    guard status.isServing else { return nil }
    let members = status.raft.membership
    return ShardSituation(
      shard: status.shard, voters: members.voters,
      learners: members.learners.map { node in
        let match = status.raft.members.first { $0.node == node }?.match.value ?? 0
        return LearnerSituation(id: node, isCaughtUp: match + OwnReport.caughtUpWithin >= status.committed.value && match >= status.first.value)
      }, leader: plan.node, isChanging: members.isJoint, load: UInt64(status.bytes))
  }

  private func isRefusing(_ status: ReplicaStatus) -> Bool {
    switch status.condition {
    case .ok, .repairing: false
    case .full, .failed: true
    }
  }

  private var why: [String] {
    let place = plan.clusterPlan == nil ? "" : "\(plan.configuration.name), "
    var why: [String] = shards.compactMap { status in
      switch status.condition {
      case .ok: nil
      case .full: "\(place)shard \(status.shard): the disk is full"
      case .repairing(let reason): "\(place)shard \(status.shard): \(reason); it is learned anew"
      case .failed(let reason): "\(place)shard \(status.shard): \(reason)"
      }
    }
    if let trouble = plan.board.clockTrouble { why.append(trouble) }
    if plan.board.isDraining { why.append(plan.clusterPlan == nil ? "the node is draining" : "\(plan.configuration.name) is draining") }
    return why
  }

  // MARK: The node

  private func node(_ report: NodeReport) -> Bytes {
    var buffer = ByteBuffer(capacity: 1024)
    var json = JSONWriter()
    var connections = [Int](repeating: 0, count: Transport.allCases.count)
    for report in reports {
      for index in connections.indices { connections[index] += report.edge.connections[index] }
    }
    json.beginObject(into: &buffer)
    json.member("id", plan.node.description, into: &buffer)
    json.member("name", plan.configuration.name, into: &buffer)
    json.member("role", plan.configuration.role.rawValue, into: &buffer)
    json.member("state", plan.board.isDraining ? "draining" : "alive", into: &buffer)
    json.member("http", plan.httpAddress, into: &buffer)
    if let cluster = plan.clusterPlan {
      json.member("cluster", cluster.advertised.description, into: &buffer)
    } else {
      json.name("cluster", into: &buffer)
      json.null(into: &buffer)
    }
    json.member("version", plan.edge.version, into: &buffer)
    json.member("uptime", Int((now - plan.started).nanoseconds / 1_000_000_000), into: &buffer)
    json.member("incarnation", plan.clusterPlan?.incarnation ?? 1, into: &buffer)
    json.name("connections", into: &buffer)
    json.beginObject(into: &buffer)
    for transport in Transport.allCases { json.member(transport.name, connections[transport.rawValue], into: &buffer) }
    json.member("total", connections.reduce(0, +), into: &buffer)
    json.endObject(into: &buffer)
    json.member("behind", report.behind, into: &buffer)
    json.name("shards", into: &buffer)
    json.beginObject(into: &buffer)
    json.member("leader", shards.count { $0.isServing }, into: &buffer)
    json.member("follower", shards.count { !$0.isServing }, into: &buffer)
    json.endObject(into: &buffer)
    json.name("rates", into: &buffer)
    json.beginObject(into: &buffer)
    json.name("published", into: &buffer)
    json.double(Double(publishRate) / 10, into: &buffer)
    json.name("delivered", into: &buffer)
    json.double(Double(deliverRate) / 10, into: &buffer)
    json.endObject(into: &buffer)
    report.latencies.write(&json, &buffer)
    json.endObject(into: &buffer)
    return buffer.freeze()
  }

  // MARK: A shard

  private func shard(_ status: ReplicaStatus) -> Bytes {
    var buffer = ByteBuffer(capacity: 256)
    var json = JSONWriter()
    json.beginObject(into: &buffer)
    json.member("id", Int(status.shard.value), into: &buffer)
    json.name("leader", into: &buffer)
    if let leader = status.isServing ? plan.node : status.raft.leader {
      json.string(leader.description, into: &buffer)
    } else {
      json.null(into: &buffer)
    }
    json.member("term", status.raft.term, into: &buffer)
    json.member("state", state(of: status), into: &buffer)
    json.name("replicas", into: &buffer)
    json.beginArray(into: &buffer)
    for replica in replicas(of: status) {
      json.beginObject(into: &buffer)
      json.member("node", replica.node.description, into: &buffer)
      json.member("role", replica.isVoter ? "voter" : "learner", into: &buffer)
      if let match = replica.match {
        json.member("match", match, into: &buffer)
        json.member("lag", status.committed.value > match ? status.committed.value - match : 0, into: &buffer)
      }
      json.endObject(into: &buffer)
    }
    json.endArray(into: &buffer)
    json.member("first", status.first.value, into: &buffer)
    json.member("committed", status.committed.value, into: &buffer)
    json.member("bytes", status.bytes, into: &buffer)
    json.member("topics", status.topics, into: &buffer)
    json.endObject(into: &buffer)
    return buffer.freeze()
  }

  /// How long a follower may be silent before the shard counts as short of a replica.
  private static let silence = TimeSpan.seconds(3)

  private func state(of status: ReplicaStatus) -> String {
    if isRefusing(status) { return "stalled" }
    guard status.isServing else { return status.raft.leader == nil ? "electing" : "ok" }
    guard status.condition == .ok else { return "stalled" }
    return isShort(status) ? "under-replicated" : "ok"
  }

  private func isShort(_ status: ReplicaStatus) -> Bool { OwnReport.isShort(status, of: plan) }

  /// As only the leader can tell.
  static func isShort(_ status: ReplicaStatus, of plan: NodePlan) -> Bool {
    guard status.isServing, status.condition == .ok else { return false }
    let newest = status.raft.members.map(\.heardAt).max()
    let isSilent = status.raft.members.contains { member in
      member.isVoter && member.node != plan.node && (newest.map { $0 - member.heardAt > OwnReport.silence } ?? false)
    }
    // A learner beside enough voters is on its way to replace one of them; nothing is missing.
    return isSilent || (!status.raft.membership.learners.isEmpty && status.raft.membership.voters.count < plan.replicas)
  }

  /// What only the leader knows of the others is left out elsewhere.
  private func replicas(of status: ReplicaStatus) -> [(node: NodeID, isVoter: Bool, match: UInt64?)] {
    let members = status.raft.membership.members
    guard !members.isEmpty else { return [(plan.node, true, status.committed.value)] }
    return members.map { node in
      let known = status.raft.members.first { $0.node == node }
      let match = node == plan.node ? status.committed.value : status.isServing ? known?.match.value : nil
      return (node, status.raft.membership.isVoter(node), match)
    }
  }
}
