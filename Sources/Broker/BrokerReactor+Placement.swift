internal import Core
internal import Disks
internal import Feeds
internal import Placement
internal import Raft
internal import Replica

/// Replicas that come and go while the node runs.
///
/// ```
///   leader's first message ─▶ opened, empty, a member as soon as the log says so
///   leader's `retire` ─▶ struck from what is held ─▶ journal closed ─▶ files deleted
/// ```
extension BrokerReactor {
  /// A leader writes to this node about a shard that it has no replica of: this is how a new member hears of it.
  func newMember(_ id: ShardID, hearing message: ReplicaMessage, at now: Instant) -> HostedShard? {
    guard case .raft(let raft, _) = message, raft.isLeaders, !isClosing, !leaving.contains(id) else { return nil }
    do throws(BrokerError) {
      let shard = try open(id, isNewHere: true, at: now)
      do throws(DataDirectoryError) { try store.holdings?.add(id) } catch { throw .directory(error) }
      host(shard)
      onMove(id, .taken)
      return shard
    } catch {
      onMove(id, .trouble("\(error)"))
      return nil
    }
  }

  func carryOut(_ order: PlacementOrder, of id: ShardID, at now: Instant) {
    guard let shard = shard(id), !isClosing else { return }
    switch order {
    case .step(let step): carryOut(step, in: shard, at: now)
    case .dismiss(let node):
      let status = shard.replica.status
      guard status.isServing, !status.raft.membership.isJoint, !status.raft.membership.contains(node) else { return }
      postOrder(node, id, .retire(term: status.raft.term, last: status.raft.last))
    case .retire(let term, let last):
      let status = shard.replica.status
      // Who has heard of something newer since may be a member again.
      guard !status.isServing, status.raft.term <= term, status.raft.term < term || status.raft.last <= last else { return }
      giveUp(shard)
    }
  }

  /// Refusals are not answered: whoever drives placement looks at what has become of it, and plans anew.
  private func carryOut(_ step: PlacementStep, in shard: HostedShard, at now: Instant) {
    let status = shard.replica.status
    let members = status.raft.membership
    guard status.isServing, !members.isJoint else { return }
    switch step {
    case .addLearner(_, let node):
      change(shard, to: Membership(voters: members.voters, learners: members.learners + [node]), at: now)
    case .promote(_, let node):
      guard members.learners.contains(node) else { return }
      change(shard, to: Membership(voters: members.voters + [node], learners: members.learners), at: now)
    case .remove(_, let node):
      let target = Membership(voters: members.voters.filter { $0 != node }, learners: members.learners.filter { $0 != node })
      guard !target.voters.isEmpty else { return }
      change(shard, to: target, at: now)
    case .transferLeadership(_, let node):
      guard node != store.directory.identity.node else { return }
      _ = shard.replica.transferLeadership(to: node, at: now, into: &output)
      takeOutput(of: shard)
    }
  }

  private func change(_ shard: HostedShard, to target: Membership, at now: Instant) {
    _ = shard.replica.changeMembership(to: target, at: now, into: &output)
    takeOutput(of: shard)
  }

  private func giveUp(_ shard: HostedShard) {
    let id = shard.id
    do throws(DataDirectoryError) {
      try store.holdings?.remove(id)
    } catch {
      return onMove(id, .trouble("\(error)"))
    }
    hosted.removeAll { $0 === shard }
    byNumber[id.index] = nil
    dirty.removeAll { $0 === shard }
    leaving.insert(id)
    let (post, readers, directory) = (postToSelf, store.readers, store.directory)
    journals.detach(id.index) {
      readers.remove(id, from: directory) { result in
        if case .failure(let error) = result { post(.removed(id, error)) } else { post(.removed(id, nil)) }
      }
    }
    onMove(id, .givenUp)
  }
}

/// What became of a replica here, for the log.
public enum ShardMove: Hashable, Sendable {
  /// Begun, empty: everything is learned from the leader.
  case taken
  /// No member any more: it is deleted.
  case givenUp
  case trouble(String)
}
