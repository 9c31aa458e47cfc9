internal import Core

/// The answers to one round of asking for votes.
struct Tally {
  private var granted: [NodeID] = []
  private var denied: [NodeID] = []

  mutating func note(_ node: NodeID, isGranted: Bool) {
    guard !granted.contains(node), !denied.contains(node) else { return }
    if isGranted { granted.append(node) } else { denied.append(node) }
  }

  func isWon(in membership: Membership) -> Bool { membership.isQuorum { granted.contains($0) } }
  func isLost(in membership: Membership) -> Bool { !membership.isQuorum { !denied.contains($0) } }
}
