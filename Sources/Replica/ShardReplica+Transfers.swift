internal import Core
internal import Feeds
internal import Journal
internal import Raft
internal import Shard

/// A read for another replica.
enum Transfer {
  case entries(EntryFetch, ReadPlan, cuts: UInt64)
  case snapshot(SnapshotRead, isLast: Bool)
}

/// A snapshot that is coming in from the leader.
struct IncomingState: ~Copyable {
  var mark: SnapshotMark
  var bytes = ByteBuffer()
}

/// What followers get from the disk, and what comes in when this replica is far behind.
extension ShardReplica {
  mutating func begin(_ fetch: EntryFetch, into output: inout ReplicaOutput) {
    guard let plan = log.plan(from: fetch.from, maximumBytes: fetch.maximumBytes) else {
      return group.fetched(fetch, nil, at: clock, into: &consensus)
    }
    read(plan, for: .entries(fetch, plan, cuts: log.counters.cuts), into: &output)
  }

  mutating func begin(_ read: SnapshotRead, into output: inout ReplicaOutput) {
    guard let (plan, isLast) = log.snapshotPlan(read.state, at: read.position, maximumBytes: read.maximumBytes) else {
      return group.snapshotRead(read, nil, isLast: false, at: clock, into: &consensus)
    }
    self.read(plan, for: .snapshot(read, isLast: isLast), into: &output)
  }

  private mutating func read(_ plan: ReadPlan, for transfer: Transfer, into output: inout ReplicaOutput) {
    let ticket = desk.nextTicket()
    transfers.append((ticket, transfer))
    output.reads.append(ReplicaRead(ticket: ticket, plan: plan))
  }

  /// False when the read was not for another replica.
  mutating func landTransfer(_ ticket: ReadTicket, _ result: Result<Bytes, DiskError>, into output: inout ReplicaOutput) -> Bool {
    guard let index = transfers.firstIndex(where: { $0.ticket == ticket }) else { return false }
    let transfer = transfers.remove(at: index).transfer
    guard failure == nil, ailment == nil else { return true }
    switch transfer {
    case .entries(let fetch, let plan, let cuts):
      let found = cuts == log.counters.cuts ? entries(plan, result, into: &output) : nil
      group.fetched(fetch, found, at: clock, into: &consensus)
    case .snapshot(let read, let isLast):
      // Gone because a newer one took its place, or unreadable: another is tried.
      let bytes: Bytes? = if case .success(let bytes) = result { bytes } else { nil }
      group.snapshotRead(read, bytes, isLast: isLast, at: clock, into: &consensus)
    }
    return true
  }

  private mutating func entries(_ plan: ReadPlan, _ result: Result<Bytes, DiskError>, into output: inout ReplicaOutput) -> Bytes? {
    guard case .success(let bytes) = result else { return nil }
    do throws(JournalDamage) {
      return try plan.parse(bytes).bytes
    } catch {
      foundDamage("\(error)", into: &output)
      return nil
    }
  }

  mutating func take(_ piece: SnapshotPiece, into output: inout ReplicaOutput) {
    if piece.position == 0 { incoming = IncomingState(mark: piece.mark) }
    guard let received = incoming?.bytes.count, incoming!.mark == piece.mark, received == piece.position else {
      return group.snapshotRefused(piece.mark)
    }
    guard received + piece.bytes.count <= settings.maximumSnapshotBytes else {
      incoming = nil
      return group.snapshotRefused(piece.mark)
    }
    incoming!.bytes.append(piece.bytes)
    guard piece.isLast, let coming = incoming.take() else { return }
    install(coming, into: &output)
  }

  /// Whole: takes the place of the log.
  private mutating func install(_ coming: consuming IncomingState, into output: inout ReplicaOutput) {
    let mark = coming.mark
    let body = coming.bytes.freeze()
    guard let known = ReplicaSnapshot(decoding: body), known.state.applied == mark.state else {
      return group.snapshotRefused(mark)
    }
    installing = (mark, known.state)
    let voted = group.hardState
    log.restart(
      after: mark.base.offset, snapshot: Snapshot(offset: mark.state, body: body),
      hardState: HardState(term: voted.term, vote: voted.vote), into: &output.disk)
  }

  /// The log is empty on the disk and begins after `base`.
  mutating func restarted(after base: Offset, into output: inout ReplicaOutput) {
    while !queue.isEmpty { refuse(queue.removeFirst().waiting, .unknownOutcome, into: &output) }
    flushAnswers(into: &output)
    pendingBytes = 0
    tail = RecentTail(limit: settings.recentTailBytes)
    if let (mark, state) = installing {
      installing = nil
      self.state = state
      snapshots = SnapshotWork(lastOffset: mark.state, applied: mark.state, at: clock)
      group.snapshotInstalled(mark, time: state.time, at: clock, into: &consensus)
    } else {
      state = ShardState()
      snapshots = SnapshotWork(lastOffset: .zero, applied: .zero, at: clock)
      recover(into: &output)
    }
  }

  mutating func restartRefused(into output: inout ReplicaOutput) {
    if let (mark, _) = installing {
      installing = nil
      group.snapshotRefused(mark)
      fallIll("there is no room for the log that the leader sends", into: &output)
    } else {
      ailment?.isRestarting = false
    }
  }
}
