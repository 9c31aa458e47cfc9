public import Core
public import Journal
public import Shard

/// Why a shard cannot be opened at all.
public enum ReplicaOpenError: Error, Sendable, CustomStringConvertible {
  case disk(DiskError)
  case state(ShardStateError)

  public var description: String {
    switch self {
    case .disk(let error): "\(error)"
    case .state(let error): "\(error)"
    }
  }
}

extension ShardReplica {
  /// Opens the journal, reads the newest snapshot and applies the log after it. Returns when it is done.
  ///
  /// A damaged log is opened as far as it is whole: it can be read there, and nothing is appended.
  public static func open(
    _ settings: ReplicaSettings, journal: JournalSettings, disk: inout some Disk & ~Copyable, at now: Instant,
    into output: inout ReplicaOutput
  ) throws(ReplicaOpenError) -> ShardReplica {
    var journal = journal
    if !settings.waitsForDisk { journal.claimsDurability = false }
    var opening: JournalOpening
    do throws(DiskError) {
      opening = try JournalLog.open(disk: &disk, settings: journal)
    } catch { throw .disk(error) }
    let verdict = opening.verdict
    var state = ShardState()
    if let snapshot = opening.snapshot {
      do throws(ShardStateError) {
        state = try ShardState(snapshot: snapshot.body)
      } catch { throw .state(error) }
    }
    var tail = RecentTail(limit: settings.recentTailBytes)
    var failure: String?
    do {
      while let entries = try opening.replay.next(disk: &disk) {
        if let problem = take(entries, into: &state, &tail) { throw ReplicaOpenError.state(problem) }
      }
    } catch let error as ReplicaOpenError {
      throw error
    } catch ReplayError.disk(let error) {
      throw .disk(error)
    } catch {
      failure = "\(error)"
    }
    var replica = ShardReplica(settings: settings, log: opening.log, state: state, tail: tail, failure: failure, at: now)
    replica.newestMessage = replica.committed
    output.facts.append(.opened(verdict, first: replica.first, committed: replica.committed))
    if let failure { output.facts.append(.damaged(failure)) }
    return replica
  }

  private static func take(_ entries: Bytes, into state: inout ShardState, _ tail: inout RecentTail) -> ShardStateError? {
    var outcomes: [CommandOutcome] = []
    let before = state.applied
    let problem: ShardStateError? = entries.withUnsafeBytes { memory in
      for entry in RecordSequence(trusting: memory) {
        do throws(ShardStateError) {
          try state.apply(entry, outcomes: &outcomes)
        } catch { return error }
      }
      return nil
    }
    tail.append(entries, first: before.next, last: state.applied, cost: entries.count, durable: state.applied)
    return problem
  }
}
