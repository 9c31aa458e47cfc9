import Core

@testable import Raft

/// What must hold in every cluster at every moment, checked as things happen (§3.6.3, figure 3.2).
final class Ledger {
  struct Committed {
    var chain: UInt64
    /// The term of the leader that committed it.
    var term: Term
  }

  private(set) var violations: [String] = []
  /// From offset 1 on.
  private(set) var committed: [Committed] = []
  private var leaders: [Term: NodeID] = [:]
  private var chains: [LogPosition: UInt64] = [:]

  func fail(_ text: String) { violations.append(text) }

  func chain(ofCommitted offset: Offset) -> UInt64 {
    if offset == .zero { return 0 }
    let index = Int(offset.value) - 1
    return index < committed.count ? committed[index].chain : 0
  }

  /// Log matching: an offset and a term stand for one entry and one past.
  func check(log: TestDisk.Contents, from: Offset, at node: NodeID) {
    var offset = max(from, log.base.offset.next)
    while let entry = log.entry(offset) {
      let position = LogPosition(offset: offset, term: entry.term)
      if let known = chains.updateValue(entry.chain, forKey: position), known != entry.chain {
        fail("log matching: \(node.short) has another past of \(position)")
      }
      offset = offset.next
    }
  }

  /// Election safety and leader completeness.
  func check(leader node: NodeID, term: Term, log: TestDisk.Contents) {
    if let other = leaders.updateValue(node, forKey: term), other != node {
      fail("election safety: \(other.short) and \(node.short) both lead term \(term)")
    }
    for index in committed.indices where committed[index].term < term {
      let offset = Offset(UInt64(index + 1))
      guard offset > log.base.offset else { continue }
      if log.entry(offset)?.chain != committed[index].chain {
        return fail("leader completeness: \(node.short) leads term \(term) without entry \(offset), committed in term \(committed[index].term)")
      }
    }
  }

  /// State machine safety: what is committed at an offset is the same everywhere.
  func check(committed upTo: Offset, after: Offset, log: TestDisk.Contents, at node: NodeID, term: Term) {
    var offset = max(after, log.base.offset).next
    while offset <= upTo {
      guard let entry = log.entry(offset) else { return fail("\(node.short) commits entry \(offset), which it does not have") }
      let index = Int(offset.value) - 1
      if index < committed.count {
        if committed[index].chain != entry.chain {
          return fail("state machine safety: \(node.short) commits another entry \(offset) than was committed before")
        }
      } else if index == committed.count {
        committed.append(Committed(chain: entry.chain, term: term))
      } else {
        return fail("\(node.short) commits entry \(offset) while \(committed.count + 1) was never committed")
      }
      offset = offset.next
    }
  }

  /// A vote and an acknowledgement leave when what they promise would outlast a loss of power, not before.
  func check(promise message: RaftMessage, disk: TestDisk, at node: NodeID) {
    switch message {
    case .voteReply(let reply) where reply.isGranted:
      if disk.synced.hardState.term < reply.term { fail("\(node.short) votes in term \(reply.term) before that is durable") }
    case .appendReply(let reply): check(durable: reply.durable, disk, at: node)
    case .heartbeatReply(let reply): check(durable: reply.durable, disk, at: node)
    default: break
    }
  }

  private func check(durable offset: Offset, _ disk: TestDisk, at node: NodeID) {
    guard offset > max(disk.synced.base.offset, disk.cached.base.offset), let entry = disk.cached.entry(offset) else { return }
    if disk.synced.entry(offset)?.chain != entry.chain { fail("\(node.short) acknowledges entry \(offset) before it is durable") }
  }

  func check(snapshot bytes: [UInt8], of mark: SnapshotMark, at node: NodeID) {
    if bytes != TestNode.snapshotBytes(chain(ofCommitted: mark.state)) {
      fail("\(node.short) got a snapshot of \(mark.state) that is not what was committed")
    }
  }

  func check(facts: [RaftFact], at node: NodeID) {
    for fact in facts {
      if case .diverged(let offset, let from) = fact { fail("\(node.short) cannot agree with \(from.short) on entry \(offset)") }
    }
  }
}

extension NodeID {
  /// Nodes of tests have small numbers.
  var short: String { String(value, radix: 16) }
}
