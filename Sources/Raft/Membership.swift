public import Core

/// Who takes part in a group.
///
/// A change of voters passes through a joint membership (§4.3): while `outgoing` is not empty, elections and commits
/// need a majority of `voters` and a majority of `outgoing`, so that there is no moment at which two majorities
/// could decide without each other. Learners get the log and count for nothing (§4.2.1).
public struct Membership: Hashable, Sendable {
  /// No group has more members, so that none can be talked into unbounded work.
  public static let maximumMembers = 32

  /// The voters, or those to be; in ascending order, like all lists here.
  public let voters: [NodeID]
  /// The voters there were until now; empty unless joint.
  public let outgoing: [NodeID]
  /// Members that do not vote. One that is also outgoing votes until the change is done.
  public let learners: [NodeID]

  public init(voters: [NodeID], outgoing: [NodeID] = [], learners: [NodeID] = []) {
    self.voters = Membership.inOrder(voters)
    self.outgoing = Membership.inOrder(outgoing)
    let voting = self.voters
    self.learners = Membership.inOrder(learners.filter { !voting.contains($0) })
  }

  public var isJoint: Bool { !outgoing.isEmpty }
  public func isVoter(_ node: NodeID) -> Bool { voters.contains(node) || outgoing.contains(node) }
  public func contains(_ node: NodeID) -> Bool { isVoter(node) || learners.contains(node) }
  /// Everyone, once, in ascending order.
  public var members: [NodeID] { Membership.inOrder(voters + outgoing + learners) }

  /// Whether those that `agrees` picks can decide.
  public func isQuorum(_ agrees: (NodeID) -> Bool) -> Bool {
    Membership.isMajority(of: voters, agrees) && (outgoing.isEmpty || Membership.isMajority(of: outgoing, agrees))
  }

  /// The membership between this one and `target`, or `target` itself when the same nodes vote in both.
  func step(towards target: Membership) -> Membership {
    if voters == target.voters { return target }
    return Membership(voters: target.voters, outgoing: voters, learners: target.learners)
  }

  /// What a joint membership leads to.
  var final: Membership { Membership(voters: voters, learners: learners) }

  private static func isMajority(of nodes: [NodeID], _ agrees: (NodeID) -> Bool) -> Bool {
    nodes.reduce(0) { $0 + (agrees($1) ? 1 : 0) } > nodes.count / 2
  }

  private static func inOrder(_ nodes: [NodeID]) -> [NodeID] {
    var result: [NodeID] = []
    for node in nodes.sorted() where result.last != node { result.append(node) }
    return result
  }
}

extension Membership: CustomStringConvertible {
  public var description: String {
    func list(_ nodes: [NodeID]) -> String { nodes.map { String($0.value, radix: 16) }.joined(separator: " ") }
    return list(voters) + (isJoint ? " out of " + list(outgoing) : "") + (learners.isEmpty ? "" : " learning " + list(learners))
  }
}
