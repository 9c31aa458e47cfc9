internal import Broker
internal import Core
internal import Gossip
internal import Placement
internal import Replica
internal import Wire

/// Who leads shard 0 sees to it that every shard has its replicas, and every broker its share.
extension ClusterDesk {
  static let metaShard = ShardID(0)

  func steer(by own: NodeReport) {
    guard own.shards.contains(where: { $0.id == Self.metaShard && $0.leads }) else {
      // Whoever takes over begins to count anew.
      steward = Steward(policy: Self.policy(of: plan))
      steersSince = nil
      return
    }
    let since = steersSince ?? now
    steersSince = since
    // What was read under another leader may not be all that was agreed on: a broker that leaves would be given shards.
    guard let known = meta.knownAsOf, known > since else { return }
    let holders = reports.fresh(at: now).flatMap { report in
      report.shards.map { HolderReport(node: report.node, shard: $0.id, term: $0.term, situation: $0.situation) }
    }
    for node in steward.emptied(meta.state.leaving, reports: holders, shards: plan.shardCount, at: now) { change(.remove(node), for: nil) }
    for (node, shard, order) in steward.orders(brokers: sightings, reports: holders, at: now) {
      plan.log.debug("placement", nil, ["shard": LogValue(Int(shard.value)), "order": LogValue("\(order)"), "to": LogValue(node)])
      if node == plan.node { post(.broker(.order(shard, order)), plan.owner(of: shard)) } else { send(.order(shard, order), to: node) }
    }
  }

  static func policy(of plan: NodePlan) -> PlacementPolicy {
    PlacementPolicy(replicas: plan.replicas, grace: plan.configuration.replaceAfter)
  }

  /// The brokers of this cluster, this one among them.
  private var sightings: [BrokerSighting] {
    // One that was removed and is still there is to get nothing either.
    func leaves(_ node: NodeID) -> Bool { meta.state.leaving.contains(node) || meta.state.removed.contains(node) }
    var sightings = [
      BrokerSighting(
        id: plan.node, rack: plan.configuration.rack, isDraining: plan.board.isDraining, isLeaving: isLeaving || leaves(plan.node))
    ]
    for member in members where member.profile.role.ownsShards && member.profile.cluster == plan.cluster {
      sightings.append(
        BrokerSighting(
          id: member.id, rack: member.profile.rack, isAlive: member.standing.isLive, isDraining: member.profile.isDraining || meta.state.draining.contains(member.id),
          isLeaving: leaves(member.id), isReplaced: isReplaced(member)))
    }
    return sightings
  }
}
