import Core

@testable import Raft

extension TestNode {
  static let three = Membership(voters: [NodeID(1), NodeID(2), NodeID(3)])

  /// Replica 1 of three, with entries of these terms and nobody to talk to but the test.
  static func alone(_ terms: [Term], base: LogPosition = .zero) -> TestNode {
    let node = TestNode(NodeID(1), membership: three, seed: 1, ledger: Ledger()) { _ in }
    node.disk.cached.base = base
    var offset = base.offset
    for term in terms {
      offset = offset.next
      let entry = TestNode.entries([""], from: offset, term: term)
      node.disk.cached.apply(LogWrite(truncateFrom: nil, entries: entry, last: offset, generation: 0))
    }
    node.disk.cached.hardState = RaftHardState(term: terms.last ?? base.term)
    node.disk.synced = node.disk.cached
    node.start(at: .zero)
    return node
  }

  /// What a message leads to, until a fast disk is done with it.
  func receive(_ message: RaftMessage, from sender: UInt64, at milliseconds: Int = 1) -> RaftOutput {
    let now = Instant.zero + .milliseconds(milliseconds)
    machine.receive(message, from: NodeID(sender), at: now, into: &output)
    let writes = output.writes
    settle(at: now)
    var all = output
    output.removeAll()
    all.writes = writes
    return all
  }
}
