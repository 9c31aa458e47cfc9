public import Core

/// Sending the log to one follower, as fast as it takes it.
extension RaftGroup {
  /// Sends what the follower may get now.
  mutating func replicate(to index: Int, into output: inout RaftOutput) {
    while followers[index].hasRoom(settings) {
      let isProbe = followers[index].mode == .probe
      let next = followers[index].next
      guard next <= log.last || isProbe else { return }
      let previous = Offset(next.value - 1)
      guard let previousTerm = log.term(at: previous) else { return beginSnapshot(index, into: &output) }
      var entries = Bytes()
      var last = previous
      if next <= log.last {
        guard let held = tail.entries(from: next, maximumBytes: settings.maximumAppendBytes) else {
          return fetch(for: index, into: &output)
        }
        (entries, last) = held
      }
      sendAppend(entries, after: LogPosition(offset: previous, term: previousTerm), last: last, to: index, into: &output)
    }
  }

  private mutating func sendAppend(
    _ entries: Bytes, after previous: LogPosition, last: Offset, to index: Int, into output: inout RaftOutput
  ) {
    let isProbe = followers[index].mode == .probe
    if isProbe {
      followers[index].probedAt = clock
    } else {
      followers[index].window.append(last: last, bytes: entries.count)
      followers[index].next = last.next
    }
    let append = AppendEntries(term: term, previous: previous, entries: entries, committed: committed, isProbe: isProbe)
    send(.append(append), to: followers[index].node, into: &output)
  }

  private mutating func fetch(for index: Int, into output: inout RaftOutput) {
    counters.fetches += 1
    let follower = followers[index]
    followers[index].fetching = follower.next
    output.fetches.append(
      EntryFetch(follower: follower.node, from: follower.next, maximumBytes: settings.maximumAppendBytes, term: term))
  }

  /// The answer to a fetch: whole, checked entries from `fetch.from` on; nil when they could not be read, be it that
  /// they were trimmed meanwhile.
  public mutating func fetched(_ fetch: EntryFetch, _ entries: Bytes?, at now: Instant, into output: inout RaftOutput) {
    clock = now
    guard role == .leader, fetch.term == term, let index = index(of: fetch.follower),
      followers[index].fetching == fetch.from
    else { return }
    followers[index].fetching = nil
    let previous = Offset(fetch.from.value - 1)
    guard followers[index].next == fetch.from, followers[index].hasRoom(settings) else { return }
    guard let entries, !entries.isEmpty, let previousTerm = log.term(at: previous) else {
      // A later heartbeat's answer tries again, with a snapshot if the entries are gone.
      followers[index].probe(after: followers[index].match)
      followers[index].probedAt = clock
      return
    }
    let last = entries.withUnsafeBytes { memory in
      var expected = fetch.from
      for entry in RecordSequence(trusting: memory) {
        precondition(entry.offset == expected, "entries other than those asked for")
        expected = expected.next
      }
      return Offset(expected.value - 1)
    }
    sendAppend(entries, after: LogPosition(offset: previous, term: previousTerm), last: last, to: index, into: &output)
    replicate(to: index, into: &output)
  }

  mutating func take(_ reply: AppendReply, fromFollower index: Int, into output: inout RaftOutput) {
    guard reply.received <= log.last, reply.durable <= reply.received else { return counters.refused += 1 }
    switch followers[index].mode {
    case .probe:
      // From the probe, or from an append that came before it: either says where the logs agree.
      if reply.received.next >= followers[index].next { followers[index].replicate(after: reply.received) }
    case .replicate:
      followers[index].next = max(followers[index].next, reply.received.next)
    case .snapshot(let sending):
      if reply.received >= sending.mark.base.offset { followers[index].replicate(after: reply.received) }
    }
    acknowledge(reply.durable, by: index, into: &output)
  }

  /// The follower has everything up to `offset` on its disk. Then goes on sending.
  private mutating func acknowledge(_ offset: Offset, by index: Int, into output: inout RaftOutput) {
    var place = index
    if offset > followers[index].match {
      followers[index].match = offset
      followers[index].window.release(upTo: offset)
      let node = followers[index].node
      commitByCounting(into: &output)
      // The commit may have changed the membership, or ended this leadership.
      guard let found = self.index(of: node) else { return }
      place = found
      pressTransfer(place, into: &output)
    }
    replicate(to: place, into: &output)
  }

  mutating func take(_ rejection: AppendRejection, fromFollower index: Int, into output: inout RaftOutput) {
    // What it acknowledged it has: a rejection of that was overtaken by the acknowledgement.
    guard rejection.rejected > followers[index].match else {
      output.facts.append(.contradicted(followers[index].node, acknowledged: followers[index].match))
      return counters.refused += 1
    }
    switch followers[index].mode {
    case .probe: guard rejection.rejected.next == followers[index].next else { return }
    case .replicate: break
    case .snapshot: return
    }
    counters.rejections += 1
    // One message per term in which the logs differ, not per entry (§3.5).
    let reach = min(rejection.hint.offset, Offset(rejection.rejected.value - 1))
    let shared = log.newest(upTo: reach, termAtMost: rejection.hint.term)
    // Nothing known to be shared: a probe from there finds the log's start, and sends a snapshot.
    followers[index].probe(after: shared ?? .zero)
    replicate(to: index, into: &output)
  }

  mutating func take(_ reply: HeartbeatReply, fromFollower index: Int, into output: inout RaftOutput) {
    guard reply.sentAt <= clock, reply.received <= log.last, reply.durable <= reply.received else { return counters.refused += 1 }
    followers[index].leasedAt = max(followers[index].leasedAt ?? reply.sentAt, reply.sentAt)
    switch followers[index].mode {
    case .probe:
      if let probedAt = followers[index].probedAt, reply.sentAt > probedAt { followers[index].probedAt = nil }
    case .replicate:
      if let mark = followers[index].mark, reply.sentAt > mark.sentAt {
        followers[index].mark = nil
        if reply.received < mark.upTo {
          counters.lostAppends += 1
          followers[index].probe(after: reply.received)
        }
      }
    case .snapshot(let sending):
      if reply.received >= sending.mark.base.offset { followers[index].replicate(after: reply.received) }
    }
    acknowledge(reply.durable, by: index, into: &output)
  }
}
