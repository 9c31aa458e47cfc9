internal import Core
internal import Raft
internal import Replica

/// After the last fault everything must become well by itself, and soon.
extension SimulatedCluster {
  /// Longer than two elections, a repair and the catch-up of everybody.
  private var patience: TimeSpan { .seconds(90) }

  func heal() throws(Problem) {
    isHealing = true
    note("everything is healed")
    network.openAll()
    network.mix.loss = 0
    for index in partitions.indices { partitions[index] = [] }
    for broker in brokers {
      broker.diskTenths = 10
      broker.diskStalledUntil = now
      // Clocks agree again, and none is behind what any said before.
      broker.wallOffset = SimulatedBroker.farthestClock
      for host in broker.hosts {
        host.disk.isFull = false
        host.disk.failsSync = false
      }
      try resume(broker)
      if broker.hosts.contains(where: { $0.isDead }) { stop(broker, losesPower: true) }
      try start(broker)
    }
    for edge in edges { start(edge) }
    healClients()
    let start = now
    var deadline = now + patience
    // Publishing goes on for a while, and must succeed.
    try run(until: now + .seconds(10))
    for publisher in publishers { publisher.isStopped = true }
    for consumer in consumers { consumer.isStopped = true }
    for client in clients { client.isStopped = true }
    var wrong = ailments()
    while let problem = wrong {
      guard now < deadline else { throw Problem("not well \(patience.milliseconds / 1000) s after the last fault: \(problem)") }
      let given = report.mqttDeliveries + ledger.checkedDeliveries
      try run(until: now + .milliseconds(200))
      // Who was away for long has much to be given, a little at a time.
      if report.mqttDeliveries + ledger.checkedDeliveries > given { deadline = max(deadline, now + .seconds(30)) }
      wrong = ailments()
    }
    report.healedAfter = max(report.healedAfter, now - start)
    try checkKept()
  }

  /// What is not yet as it should be; nil when all is.
  private func ailments() -> String? {
    for shard in 0..<plan.shards {
      guard let leader = brokers.first(where: { $0.hosts[shard].query { $0.status.isServing } == true }) else { return "shard \(shard) has no leader" }
      guard let status = leader.hosts[shard].query({ $0.status }) else { return "broker \(leader.index) is down" }
      guard !status.raft.membership.isJoint, status.raft.membership.learners.isEmpty else { return "shard \(shard) is changing its members" }
      guard status.raft.last == status.committed else { return "shard \(shard) has uncommitted entries" }
      for member in status.raft.membership.voters {
        guard let other = brokers[Int(member.value) - 1].hosts[shard].query({ $0.status }) else { return "broker \(member) is down" }
        guard other.condition == .ok else { return "broker \(member) shard \(shard): \(other.condition)" }
        guard other.committed == status.committed else { return "broker \(member) shard \(shard) is at \(other.committed) of \(status.committed)" }
      }
      for reader in readers where reader.shards.contains(shard) && reader.places[shard].at < status.committed {
        return "reader \(reader.index) is at \(shard).\(reader.places[shard].at) of \(status.committed)"
      }
    }
    for publisher in publishers where publisher.isAsking && publisher.edge != nil { return "publisher \(publisher.index) waits for an answer" }
    return clientAilment()
  }

  /// Everything that was ever committed is where it was: on every member, though no process remembers it.
  private func checkKept() throws(Problem) {
    for broker in brokers { stop(broker, losesPower: true) }
    for broker in brokers { try start(broker) }
    var deadline = now + patience
    while now < deadline, ailments() != nil { try run(until: now + .milliseconds(200)) }
    if let wrong = ailments() { throw Problem("not well \(patience.milliseconds / 1000) s after power came back: \(wrong)") }
    for shard in 0..<plan.shards {
      let committed = brokers.compactMap { $0.hosts[shard].query { $0.committed } }.max() ?? .zero
      guard committed.value >= UInt64(ledger.shards[shard].entries.count) else {
        throw Problem("shard \(shard) had \(ledger.shards[shard].entries.count) committed entries and has \(committed)")
      }
    }
    guard !plan.losesHistory else { return }
    // A newcomer reads everything from the beginning, over a network that is worth it.
    network.mix = NetworkMix()
    for reader in readers {
      leave(reader)
      for shard in reader.shards { reader.places[shard] = ReaderPlace() }
    }
    deadline = now + patience
    while now < deadline, ailments() != nil {
      for reader in readers { pump(reader) }
      try run(until: now + .milliseconds(200))
    }
    if let wrong = ailments() { throw Problem("not all could be read again: \(wrong)") }
  }
}
