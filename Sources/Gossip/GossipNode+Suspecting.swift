internal import Core

extension GossipNode {
  /// When the first of the suspects has to have been heard of.
  var earliestVerdict: Instant {
    var earliest = Instant(nanoseconds: .max)
    for entry in table.entries {
      if let suspicion = entry.suspicion { earliest = min(earliest, suspicion.deadline) }
    }
    return earliest
  }

  mutating func pronounceDeaths(at now: Instant, into output: inout GossipOutput) {
    guard table.suspectCount > 0 else { return }
    for entry in table.entries {
      guard let suspicion = entry.suspicion, now >= suspicion.deadline else { continue }
      let member = entry.member
      let claim = Claim(standing: .dead, subject: member.id, incarnation: member.incarnation, accuser: id)
      apply(claim, profile: Bytes(), at: now, into: &output)
    }
  }

  /// A process that was stopped must not judge others by answers that lie unread in its own sockets: the time it
  /// slept through counts for nothing, and it trusts itself less.
  mutating func forgiveOwnPause(at now: Instant) {
    guard settings.forgivesOwnPauses, departure == nil else { return }
    let slept = now - nextTick
    guard slept > TimeSpan(nanoseconds: settings.period.nanoseconds / 2) else { return }
    counters.overslept += 1
    health.overslept()
    // Every deadline moves to now at least, so that one pause is noticed once.
    if var current = probe {
      current.helpAt = current.helpAt + slept
      current.endsAt = current.endsAt + slept
      probe = current
    }
    nextProbeAt = max(nextProbeAt, now)
    nextExchangeAt = max(nextExchangeAt, now)
    nextSeedsAt = max(nextSeedsAt, now)
    nextForgettingAt = max(nextForgettingAt, now)
    relays.removeAll(keepingCapacity: true)
    for index in streams.indices { streams[index].deadline = streams[index].deadline + slept }
    guard table.suspectCount > 0 else { return }
    for index in table.entries.indices where table[index].suspicion != nil {
      table.change(index) { $0.suspicion?.forgive(slept) }
    }
  }

  /// Lets go of those who have been dead or gone for long.
  mutating func forget(at now: Instant, into output: inout GossipOutput) {
    guard now >= nextForgettingAt else { return }
    nextForgettingAt = now + settings.exchangePeriod
    for index in table.entries.indices.reversed() {
      let member = table[index].member
      guard !member.standing.isLive, now - member.changedAt >= settings.memory else { continue }
      table.remove(at: index)
      output.facts.append(.forgotten(member.id))
    }
  }

  /// Makes room for one by letting go of whoever has been gone longest; false if nobody is.
  mutating func forgetOldest(into output: inout GossipOutput) -> Bool {
    var oldest: Int?
    for index in table.entries.indices where !table[index].member.standing.isLive {
      if let best = oldest, table[best].member.changedAt <= table[index].member.changedAt { continue }
      oldest = index
    }
    guard let oldest else { return false }
    let id = table[oldest].member.id
    table.remove(at: oldest)
    output.facts.append(.forgotten(id))
    return true
  }
}
