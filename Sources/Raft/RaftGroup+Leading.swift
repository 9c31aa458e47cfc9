public import Core

/// Leading: proposals, beats, and what is committed.
extension RaftGroup {
  mutating func becomeLeader(into output: inout RaftOutput) {
    counters.leaderships += 1
    role = .leader
    leader = node
    opening = log.last.next
    waiting.removeAll()
    waitingBytes = 0
    transfer = nil
    hasForfeitedLease = false
    followers = []
    enlistFollowers()
    if membership.voters == [node], !membership.isJoint {
      // Who decides alone has committed what its disk has, of whatever term: nobody else can have been elected.
      opening = log.last
      output.facts.append(.becameLeader(term: term, opening: opening))
      advance(to: durable, into: &output)
      return beat(into: &output)
    }
    output.facts.append(.becameLeader(term: term, opening: opening))
    // Entries of earlier terms are committed only under one of this term (§3.6.2).
    appendOwn(.nothing, body: ByteBuffer(), into: &output)
    beat(into: &output)
  }

  mutating func stopLeading(_ reason: StepDownReason, into output: inout RaftOutput) {
    if let transfer {
      output.facts.append(.transferEnded(to: transfer.target, isTaken: reason == .newerTerm))
      self.transfer = nil
    }
    leader = nil
    followers = []
    waiting.removeAll()
    waitingBytes = 0
    // Its whole log is this term's.
    received = log.last
    acknowledged = .zero
    output.facts.append(.steppedDown(reason, term: term))
  }

  /// Why a proposal would be refused now; nil when it would be taken.
  public func refusal(at now: Instant) -> ProposalVerdict? {
    guard role == .leader else { return .notLeader(leader) }
    if let transfer { return .transferring(to: transfer.target) }
    if !hasQuorum(at: now) { return .noQuorum }
    return waitingBytes >= settings.maximumUncommittedBytes ? .overloaded : nil
  }

  /// Appends whole entries that the owner stamped with this term and with offsets from `last.next` on.
  ///
  /// `isWritten`: the owner appends them to its log itself, and no write is asked for.
  public mutating func propose(
    _ entries: Bytes, isWritten: Bool = false, at now: Instant, into output: inout RaftOutput
  ) -> ProposalVerdict {
    clock = now
    if let refusal = refusal(at: now) { return refusal }
    guard !entries.isEmpty else { return .accepted(last: log.last) }
    entries.withUnsafeBytes { memory in
      let first = RecordView(trusting: memory.baseAddress!)
      precondition(first.term == term, "entries stamped with another term")
    }
    take(own: entries, isWritten: isWritten, into: &output)
    return .accepted(last: log.last)
  }

  private mutating func take(own entries: Bytes, isWritten: Bool, into output: inout RaftOutput) {
    extend(entries, isWritten: isWritten, into: &output)
    precondition(log.lastTermBegins >= opening, "entries stamped with another term")
    waiting.append((log.last, entries.count))
    waitingBytes += entries.count
    for index in followers.indices { replicate(to: index, into: &output) }
    if settings.faults.contains(.ownWriteCountedEarly) { commitByCounting(into: &output) }
  }

  /// Appends an entry of consensus's own.
  mutating func appendOwn(_ kind: EntryKind, body: consuming ByteBuffer, into output: inout RaftOutput) {
    var buffer = ByteBuffer(capacity: RecordLayout.entryHeaderSize + body.count)
    let stamp = RecordStamp(offset: log.last.next, previous: .zero, time: max(time, wall), term: term)
    body.withUnsafeBytes { PlainEntry.append(kind, body: $0, stamp: stamp, into: &buffer) }
    take(own: buffer.freeze(), isWritten: false, into: &output)
  }

  /// Time passes for a leader.
  mutating func lead(into output: inout RaftOutput) {
    guard hasQuorum(at: clock) else {
      return become(followerIn: term, reason: .lostQuorum, into: &output)
    }
    if let transfer, clock >= transfer.deadline {
      output.facts.append(.transferEnded(to: transfer.target, isTaken: false))
      self.transfer = nil
    }
    if clock.nanoseconds / settings.heartbeatEvery.nanoseconds != lastBeat { beat(into: &output) }
    for index in followers.indices { pressSnapshot(index, into: &output) }
  }

  mutating func beat(into output: inout RaftOutput) {
    lastBeat = clock.nanoseconds / settings.heartbeatEvery.nanoseconds
    let heartbeat = Heartbeat(term: term, committed: committed, sentAt: clock)
    for index in followers.indices {
      if followers[index].mark.map({ clock - $0.sentAt >= settings.electionMinimum }) ?? true {
        followers[index].mark = (clock, Offset(followers[index].next.value - 1))
      }
      output.heartbeats.append(AddressedHeartbeat(to: followers[index].node, heartbeat: heartbeat))
    }
  }

  /// Commits what a majority has, if the newest of it is of this term: an older one may still be replaced, however
  /// many have it (§3.6.2, figure 3.7).
  mutating func commitByCounting(into output: inout RaftOutput) {
    let own = settings.faults.contains(.ownWriteCountedEarly) ? log.last : durable
    let agreed = Offset(quorum(own: own.value) { $0.match.value })
    guard agreed > committed else { return }
    guard agreed >= opening || settings.faults.contains(.oldTermCommittedByCounting) else { return }
    advance(to: agreed, into: &output)
    while let oldest = waiting.first, oldest.last <= committed {
      waiting.removeFirst()
      waitingBytes -= oldest.bytes
    }
    followMembership(into: &output)
  }
}
