internal import Core

/// Changing the log in memory, and asking the disk to follow.
extension RaftGroup {
  /// Appends whole entries that follow `last`, cut before `cut` if there is one. The caller has checked them.
  ///
  /// `isWritten`: the owner appends them to its log itself.
  mutating func extend(_ entries: Bytes, cut: Offset? = nil, isWritten: Bool = false, into output: inout RaftOutput) {
    if let cut { truncate(from: cut, into: &output) }
    var found: [(Offset, Membership)] = []
    entries.withUnsafeBytes { memory in
      var at = 0
      var start = 0
      var first = log.last.next
      var runTerm: Term = 0
      var previous = log.last
      for entry in RecordSequence(trusting: memory) {
        let length = entry.length
        precondition(entry.offset == previous.next, "entries out of order")
        let entryTerm = entry.term
        if entryTerm != runTerm {
          if previous > log.last { log.append(upTo: previous, term: runTerm) }
          runTerm = entryTerm
        }
        if at > start, at + length - start > settings.maximumAppendBytes {
          tail.append(entries.slice(start..<at), first: first, last: previous)
          start = at
          first = entry.offset
        }
        if entry.kind == .membership, let membership = Membership(decoding: entry.body) { found.append((entry.offset, membership)) }
        previous = entry.offset
        time = entry.time
        at += length
      }
      guard at > start else { return }
      log.append(upTo: previous, term: runTerm)
      tail.append(start == 0 ? entries : entries.slice(start..<at), first: first, last: previous)
    }
    tail.shrink(durable: durable)
    if !isWritten { output.writes.append(LogWrite(truncateFrom: cut, entries: entries, last: log.last, generation: generation)) }
    for (offset, membership) in found {
      memberships.append(membership, at: offset)
      membershipChanged(into: &output)
    }
  }

  private mutating func truncate(from cut: Offset, into output: inout RaftOutput) {
    precondition(cut > committed, "a committed entry would be truncated")
    counters.truncations += 1
    log.truncate(from: cut)
    tail.truncate(from: cut)
    noteCut(from: cut)
    durable = min(durable, Offset(cut.value - 1))
    if memberships.truncate(from: cut) { membershipChanged(into: &output) }
  }

  mutating func noteCut(from offset: Offset) {
    generation += 1
    cuts.append(Cut(generation: generation, from: offset))
  }

  /// Everything up to `offset` is committed.
  mutating func advance(to offset: Offset, into output: inout RaftOutput) {
    guard offset > committed else { return }
    let before = committed
    committed = offset
    received = max(received, offset)
    output.committed = offset
    for change in memberships.changes where change.at > before && change.at <= offset {
      output.facts.append(.membershipCommitted(change.membership, at: change.at))
    }
  }
}
