internal import Core
internal import Edge
internal import Reactor
internal import Replica

/// What MQTT clients are told on `$SYS/…`: of this node from the reports of its reactors, of the cluster from its status.
struct SystemPage {
  let plan: NodePlan
  let reports: [ReactorReport]
  let status: StatusPage
  let now: Instant

  func make() -> SystemFacts {
    var facts = SystemFacts(
      version: plan.edge.version, node: plan.configuration.name, uptime: now - plan.started, clients: plan.edge.mqttCensus.clients,
      maximumClients: plan.edge.mqttCensus.maximum)
    for report in reports {
      facts.subscriptions += report.edge.mqttSubscriptions
      facts.traffic += report.edge.mqtt
      facts.load += report.edge.mqttLoad
    }
    facts.heapBytes = Machine.allocatedBytes()
    facts.retained = Int(clamping: status.sum(\.retained))
    facts.cluster = cluster
    return facts
  }

  private var cluster: SystemFacts.Cluster {
    var cluster = SystemFacts.Cluster()
    let situation = status.situation
    cluster.state = situation.state
    cluster.shards = plan.isBorn ? plan.shardCount : 0
    cluster.leaderlessShards = situation.leaderless
    cluster.shortShards = situation.short
    cluster.clients = Int(clamping: status.sum(\.mqttClients))
    cluster.connections = Int(clamping: status.sum(\.connections))
    var versions: Set<String> = [plan.edge.version]
    count(plan.configuration.role.rawValue, isAlive: true, in: &cluster)
    for member in status.peers.members where member.node != plan.node && member.standing != .gone {
      let isAlive = member.standing == .alive
      count(member.role, isAlive: isAlive, in: &cluster)
      if isAlive, !member.version.isEmpty { versions.insert(member.version) }
    }
    cluster.versions = versions.sorted()
    return cluster
  }

  private func count(_ role: String, isAlive: Bool, in cluster: inout SystemFacts.Cluster) {
    func add(_ count: inout SystemFacts.Count) {
      count.total += 1
      if isAlive { count.alive += 1 }
    }
    add(&cluster.nodes)
    if role != "edge" { add(&cluster.brokers) }
    if role != "broker" { add(&cluster.edges) }
  }
}
