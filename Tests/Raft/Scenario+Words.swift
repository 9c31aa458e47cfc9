import Core

@testable import Raft

// How traces say things. A reader should need no key to them.

extension Bytes {
  /// Whole entries: `2@1 a, 3@1 b`.
  var entryWords: String {
    withUnsafeBytes { memory in
      var words: [String] = []
      for entry in RecordSequence(trusting: memory) {
        var word = "\(entry.offset)@\(entry.term)"
        if entry.kind == .membership, let membership = Membership(decoding: entry.body) { word += " (\(membership))" }
        if entry.kind == .command, !entry.body.isEmpty { word += " \(String(decoding: entry.body, as: UTF8.self))" }
        words.append(word)
      }
      return words.joined(separator: ", ")
    }
  }
}

extension RaftHardState {
  var words: String { "term \(term)" + (vote.map { ", vote \($0.short)" } ?? "") }
}

extension LogWrite {
  var words: String { (truncateFrom.map { "cuts from \($0), " } ?? "") + "writes \(entries.entryWords)" }
}

extension SnapshotPiece {
  var words: String {
    "keeps \(bytes.count) bytes from byte \(position) of the snapshot of \(mark.state)" + (isLast ? ", and installs it" : "")
  }
}

extension SnapshotMark {
  var words: String { "snapshot of \(state), log after \(base)" }
}

extension RaftFact {
  var words: String {
    switch self {
    case .leaderChanged(nil, let term): "knows no leader, term \(term)"
    case .leaderChanged(.some(let node), let term): "follows \(node.short), term \(term)"
    case .becameLeader(let term, let opening): "LEADS term \(term), from entry \(opening) on"
    case .steppedDown(.newerTerm, let term): "steps down from term \(term): a newer one"
    case .steppedDown(.lostQuorum, let term): "steps down from term \(term): no majority"
    case .steppedDown(.removed, let term): "steps down from term \(term): removed"
    case .membershipChanged(let membership, let at): "has members \(membership), since entry \(at)"
    case .membershipCommitted(let membership, _): "knows members \(membership) committed"
    case .transferEnded(let node, let isTaken): isTaken ? "has handed over to \(node.short)" : "gives up handing over to \(node.short)"
    case .snapshotWanted(let node): "needs a snapshot for \(node.short)"
    case .snapshotInstalled(let mark): "has installed the \(mark.words)"
    case .contradicted(let node, let acknowledged): "hears \(node.short) deny what it acknowledged, up to \(acknowledged)"
    case .diverged(let at, let node): "cannot agree with \(node.short) on entry \(at)"
    }
  }
}

extension RaftMessage {
  var words: String {
    switch self {
    case .preVote(let request): "would you vote? term \(request.term), log ends \(request.last)"
    case .preVoteReply(let reply): reply.isGranted ? "would vote, term \(reply.term)" : "would not vote, term \(reply.term)"
    case .vote(let request):
      "vote! term \(request.term), log ends \(request.last)" + (request.isTransfer ? ", by the leader's wish" : "")
    case .voteReply(let reply): reply.isGranted ? "votes, term \(reply.term)" : "does not vote, term \(reply.term)"
    case .append(let append):
      (append.isProbe ? "probe" : "append") + " after \(append.previous)"
        + (append.entries.isEmpty ? "" : ": \(append.entries.entryWords)") + "; committed \(append.committed)"
    case .appendReply(let reply): "has \(reply.received), durable \(reply.durable)"
    case .appendRejection(let rejection): "lacks \(rejection.rejected), perhaps shares \(rejection.hint)"
    case .snapshotChunk(let chunk):
      "\(chunk.mark.words): bytes \(chunk.position)..<\(chunk.position + chunk.bytes.count)" + (chunk.isLast ? ", the last" : "")
    case .snapshotReply(let reply): "has \(reply.received) bytes of the snapshot of \(reply.state)"
    case .heartbeat(let heartbeat): "beat, term \(heartbeat.term); committed \(heartbeat.committed)"
    case .heartbeatReply(let reply): "heard, term \(reply.term); has \(reply.received), durable \(reply.durable)"
    case .timeoutNow(let term): "campaign now! term \(term)"
    }
  }
}

extension ProposalVerdict {
  /// Nil when it goes without saying.
  var words: String? {
    switch self {
    case .accepted: nil
    case .notLeader(let leader): "refused: not leader" + (leader.map { ", \($0.short) is" } ?? "")
    case .noQuorum: "refused: no majority"
    case .transferring(let node): "refused: handing over to \(node.short)"
    case .overloaded: "refused: overloaded"
    }
  }
}

extension MembershipVerdict {
  var words: String? {
    switch self {
    case .accepted: nil
    case .notLeader: "refused: not leader"
    case .busy: "refused: busy"
    case .unchanged: "refused: it is so already"
    case .invalid: "refused: no such membership"
    case .behind(let nodes): "refused: \(nodes.map(\.short).joined(separator: " ")) lack too much"
    case .unanswered(let nodes): "refused: \(nodes.map(\.short).joined(separator: " ")) did not answer lately"
    }
  }
}

extension TransferVerdict {
  var words: String? {
    switch self {
    case .started: nil
    case .notLeader: "refused: not leader"
    case .unsuitable: "refused: not another voter that is heard from"
    case .busy: "refused: busy"
    }
  }
}

extension TestNode {
  /// Role, term, and the log as the terms of its entries.
  var words: String {
    guard isUp else { return "is down" }
    let log = disk.cached
    let terms = log.entries.map { String($0.term) }.joined(separator: " ")
    let start = log.base == .zero ? "" : "after \(log.base) "
    let vote = machine.vote.map { ", vote \($0.short)" } ?? ""
    let durable = machine.durable == machine.last ? "" : ", durable \(machine.durable)"
    return "\(machine.role), term \(machine.term)\(vote); log \(start)[\(terms)]\(durable), committed \(machine.committed)"
  }
}
