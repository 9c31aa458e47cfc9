public import Core
internal import Feeds
internal import Journal
internal import Raft
internal import Shard

/// What time brings: snapshots, retention, forgetting topics, and the orderly end.
extension ShardReplica {
  mutating func keepHouse(at now: Instant, wall: WallTime, into output: inout ReplicaOutput) {
    if owesHardState, failure == nil, ailment == nil {
      owesHardState = false
      let state = group.hardState
      log.saveHardState(HardState(term: state.term, vote: state.vote), into: &output.disk)
    }
    guard failure == nil, ailment == nil, installing == nil, case .accepting = log.admission else {
      if isClosing { finishClosing(into: &output) } else { yieldIfFull(into: &output) }
      return
    }
    guard !isFilling else {
      if isClosing { finishClosing(into: &output) }
      return
    }
    if snapshots.isDue(settings, at: now) || (wantsSnapshot && snapshots.canBegin) { beginSnapshot(at: now) }
    snapshots.advance(by: isClosing ? .max : settings.snapshotBytesPerTick)
    if let snapshot = snapshots.takeFinished(durable: log.durable) { log.writeSnapshot(snapshot, into: &output.disk) }
    if now - lastTrimAt >= settings.trimEvery, !isClosing {
      lastTrimAt = now
      // Entries that no snapshot contains are needed to start again.
      log.trim(at: wall, settings.retention, keepFrom: snapshots.lastOffset.next, into: &output.disk)
      if beforeFirst > group.base.offset { group.compacted(upTo: beforeFirst) }
      if isServing {
        forgetTopics(wall: wall, into: &output)
        stirIfIdle(wall: wall, into: &output)
        keepGroups(wall: wall)
      }
    }
    if isClosing { goOnClosing(at: now, into: &output) }
  }

  private mutating func beginSnapshot(at now: Instant) {
    wantsSnapshot = false
    snapshots.begin(state, group.outline(at: state.applied), at: now)
  }

  /// With a full disk it can take nothing: somebody else may.
  private mutating func yieldIfFull(into output: inout ReplicaOutput) {
    guard isServing, !isAlone, case .full = log.admission else { return }
    _ = group.transferLeadership(at: clock, into: &consensus)
  }

  /// Topics of which nothing is left are forgotten through the log, so that every replica forgets the same.
  private mutating func forgetTopics(wall: WallTime, into output: inout ReplicaOutput) {
    guard queue.isEmpty, gathered.isEmpty, state.topics.count > 0 else { return }
    guard state.isForgetting || log.first > max(sweptBefore, Offset(1)) else { return }
    // Behind the newest message only housekeeping was removed: sweeping again would be housekeeping for its own sake,
    // and its entries would bring about the next.
    guard state.isForgetting || sweptBefore <= newestMessage else { return }
    if !state.isForgetting { sweptBefore = log.first }
    gathered.add(.forgetTopics(before: sweptBefore), nil)
    appendGathered(wall: wall, into: &output)
  }

  /// The last messages before a shard fell idle lie behind the older of two snapshots and would outlive retention:
  /// one entry that says nothing makes the next snapshot possible, once per retention time.
  private mutating func stirIfIdle(wall: WallTime, into output: inout ReplicaOutput) {
    guard queue.isEmpty, snapshots.isIdle, snapshots.entriesSince == 0, committed > .zero else { return }
    guard log.first <= snapshots.lastOffset, snapshots.olderOffset < snapshots.lastOffset else { return }
    guard wall.milliseconds - state.time.milliseconds >= settings.retention.ageMilliseconds else { return }
    appendPlain(.nothing, body: ByteBuffer(), [], wall: wall, into: &output)
  }

  /// Begins the orderly end: nothing more is taken, everything appended is waited for, a last snapshot is written.
  /// The fact `closed` says when it is done; ticks drive it.
  public mutating func close(at now: Instant, wall: WallTime, into output: inout ReplicaOutput) {
    guard !isClosing else { return }
    turnEnds(at: now, wall: wall, into: &output)
    isClosing = true
    keepHouse(at: now, wall: wall, into: &output)
    settle(into: &output)
  }

  private mutating func goOnClosing(at now: Instant, into output: inout ReplicaOutput) {
    // Without the others it may never be known what becomes of what waits.
    guard queue.isEmpty || !isAlone, log.durable == lastAppended, snapshots.isIdle, !hasClosed else { return }
    if committed > snapshots.lastOffset, snapshots.entriesSince > 0 {
      beginSnapshot(at: now)
      snapshots.advance(by: .max)
      if let snapshot = snapshots.takeFinished(durable: log.durable) { log.writeSnapshot(snapshot, into: &output.disk) }
      return
    }
    // As if it had been idle for long: the journal writes down how far it is durable.
    log.tick(at: now + .seconds(60), into: &output.disk)
    finishClosing(into: &output)
  }

  private mutating func finishClosing(into output: inout ReplicaOutput) {
    guard !hasClosed else { return }
    hasClosed = true
    output.facts.append(.closed)
  }
}
