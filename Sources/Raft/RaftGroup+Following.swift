internal import Core

/// Taking what a leader sends: log replication §3.5.
extension RaftGroup {
  mutating func take(_ append: AppendEntries, from node: NodeID, into output: inout RaftOutput) {
    // While a snapshot takes the log's place there is no log; the leader asks again.
    guard incoming?.isInstalling != true else { return }
    let previous = append.previous
    if previous.offset >= log.base.offset, log.term(at: previous.offset) != previous.term {
      guard previous.offset > committed else { return diverged(at: previous.offset, node, into: &output) }
      let hint = log.newest(upTo: previous.offset, termAtMost: previous.term) ?? log.base.offset
      let position = LogPosition(offset: hint, term: log.term(at: hint) ?? log.base.term)
      let rejection = AppendRejection(term: term, rejected: previous.offset, hint: position)
      return send(.appendRejection(rejection), to: node, into: &output)
    }
    guard let (known, last) = survey(append) else { return diverged(at: previous.offset, node, into: &output) }
    let isNew = known < append.entries.count
    if isNew {
      let entries = known == 0 ? append.entries : append.entries.slice(known..<append.entries.count)
      let (first, firstTerm) = entries.withUnsafeBytes { memory in
        let entry = RecordView(trusting: memory.baseAddress!)
        return (entry.offset, entry.term)
      }
      // What is committed, or was received from this very leader, cannot conflict.
      guard first > received, first <= log.last || firstTerm >= log.lastTerm else { return diverged(at: first, node, into: &output) }
      extend(entries, cut: first <= log.last ? first : nil, into: &output)
    }
    received = max(received, min(last, log.last))
    advance(to: min(append.committed, received), into: &output)
    acknowledge(atOnce: append.isProbe || !isNew, into: &output)
  }

  /// How many bytes of the entries are in the log already, and the last entry's offset; nil when the entries do not
  /// follow each other.
  private func survey(_ append: AppendEntries) -> (known: Int, last: Offset)? {
    append.entries.withUnsafeBytes { memory in
      var known = 0
      var isKnown = true
      var previous = append.previous
      for entry in RecordSequence(trusting: memory) {
        let position = LogPosition(offset: entry.offset, term: entry.term)
        guard position.offset == previous.offset.next, position.term >= previous.term, position.term <= append.term else { return nil }
        if isKnown {
          isKnown = has(position)
          if isKnown { known += entry.length }
        }
        previous = position
      }
      return (known, previous.offset)
    }
  }

  private func has(_ position: LogPosition) -> Bool {
    // What is before the log's start was committed, so every leader has the same.
    if position.offset < log.base.offset { return true }
    guard let term = log.term(at: position.offset) else { return false }
    return term == position.term || settings.faults.contains(.conflictNotTruncated)
  }

  mutating func diverged(at offset: Offset, _ node: NodeID, into output: inout RaftOutput) {
    counters.refused += 1
    output.facts.append(.diverged(at: offset, from: node))
  }

  mutating func take(_ heartbeat: Heartbeat, from node: NodeID, into output: inout RaftOutput) {
    // While a snapshot takes the log's place there is none to apply entries from.
    if incoming?.isInstalling != true { advance(to: min(heartbeat.committed, received), into: &output) }
    let kept = isHardStateDurable ? acknowledgeable : .zero
    let reply = HeartbeatReply(term: term, sentAt: heartbeat.sentAt, received: received, durable: kept)
    output.heartbeatReplies.append(AddressedHeartbeatReply(to: node, reply: reply))
  }

  /// How far the log is the leader's and durable. One that may have forgotten a term acknowledges nothing: it could be
  /// counted by a leader that was deposed with its help.
  private var acknowledgeable: Offset {
    if abstains { return .zero }
    return settings.faults.contains(.acknowledgedBeforeDurable) ? received : min(durable, received)
  }

  /// Tells the leader how far the log is durable, if that is news or was asked for. Never before the term is durable: a
  /// replica that forgot the term could let an older leader cut what it acknowledged here.
  mutating func acknowledge(atOnce: Bool, into output: inout RaftOutput) {
    guard role == .follower, let leader else { return }
    guard isHardStateDurable else {
      owesReply = owesReply || atOnce
      return
    }
    let kept = acknowledgeable
    guard atOnce || kept > acknowledged else { return }
    acknowledged = max(acknowledged, kept)
    owesReply = false
    send(.appendReply(AppendReply(term: term, received: received, durable: kept)), to: leader, into: &output)
  }
}
