public import Core

/// A hand-over under way: nothing new is taken until the target has everything and is told to campaign.
struct LeadershipTransfer {
  let target: NodeID
  /// Past it this replica goes on leading.
  let deadline: Instant
  var isTold = false
}

/// Handing leadership over, §3.10.
extension RaftGroup {
  /// Hands leadership to `target`, or to the voter that has most of the log. `RaftFact.transferEnded` tells the end.
  public mutating func transferLeadership(
    to target: NodeID? = nil, at now: Instant, into output: inout RaftOutput
  ) -> TransferVerdict {
    clock = now
    guard role == .leader else { return .notLeader(leader) }
    guard transfer == nil, !membership.isJoint else { return .busy }
    var chosen = mostCaughtUp
    if let target { chosen = index(of: target) }
    // One that is silent, or ill, would keep everybody waiting until the attempt is given up.
    guard let index = chosen, followers[index].isVoter, followers[index].heardAt + settings.electionMinimum > clock else { return .unsuitable }
    transfer = LeadershipTransfer(target: followers[index].node, deadline: clock + settings.electionMinimum)
    pressTransfer(index, into: &output)
    return .started
  }

  /// Tells the target to campaign once it has the whole log.
  mutating func pressTransfer(_ index: Int, into output: inout RaftOutput) {
    guard let transfer, !transfer.isTold, transfer.target == followers[index].node, followers[index].match == log.last else { return }
    self.transfer?.isTold = true
    // Nobody knows when the message arrives: from here to the end of the term another may be elected at any time.
    hasForfeitedLease = !settings.faults.contains(.leaseKeptInTransfer)
    send(.timeoutNow(term: term), to: transfer.target, into: &output)
  }
}
