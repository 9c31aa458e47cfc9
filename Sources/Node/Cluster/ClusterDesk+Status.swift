internal import Core
internal import Gossip
internal import Links
internal import Placement
internal import Reactor
internal import Wire

/// What nodes tell each other of themselves, once a second: every node tells the brokers it is linked to; one that hears
/// from nobody, because nobody dials it, asks one of them for everything.
extension ClusterDesk {
  func tellOthers(_ report: NodeReport) {
    reports.take(report, at: now)
    var buffer = ByteBuffer()
    report.encode(age: .zero, into: &buffer)
    let own = buffer.freeze()
    var asked = cluster.isBroker
    for member in members where member.profile.role.ownsShards && links.isLinked(to: member.id) {
      send(.statusAnswer(ticket: 0, own), to: member.id)
      if !asked {
        asked = true
        send(.statusAsk(ticket: 1, Bytes()), to: member.id)
      }
    }
    compareClocks()
    steer(by: report)
    plan.board.set(PeerView(reports: reports.fresh(at: now), members: members.filter { !isReplaced($0) }.map(view)))
  }

  /// A node without a disk comes back as another; at its address it is the same to everybody.
  func isReplaced(_ member: Member) -> Bool {
    guard !member.standing.isLive else { return false }
    return SocketAddress(member.address) == cluster.advertised
      || members.contains { $0.standing.isLive && $0.address == member.address }
  }

  var report: ClusterReport? {
    guard let gossip else { return nil }
    let status = links.status
    return ClusterReport(
      links: links.counters, linked: status.count { $0.state == .linked }, queuedBytes: status.reduce(0) { $0 + $1.queuedBytes },
      gossip: gossip.node.counters, packets: gossip.portCounters, membersAlive: gossip.node.liveCount, remoteEdges: remoteEdgeCount)
  }

  private func view(_ member: Member) -> PeerView.Member {
    let standing: PeerView.Standing =
      switch member.standing {
      case .alive: .alive
      case .suspect: .suspect
      // It was told to leave, and others hold what it held: nobody misses it.
      case .dead: meta.state.removed.contains(member.id) ? .gone : .dead
      case .left: .gone
      }
    return PeerView.Member(
      node: member.id, name: member.profile.name, role: "\(member.profile.role)", standing: standing, http: member.profile.http,
      address: "\(member.address)", version: member.profile.version)
  }
}
