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
    let opening: JournalOpening
    do throws(DiskError) {
      opening = try JournalLog.open(disk: &disk, settings: journal)
    } catch { throw .disk(error) }
    let verdict = opening.verdict
    var state = ShardState()
    var tail = RecentTail(limit: settings.recentTailBytes)
    if let snapshot = opening.snapshot {
      do throws(ShardStateError) {
        state = try ShardState(snapshot: snapshot.body)
      } catch { throw .state(error) }
    }
    var replay = opening.replay
    let failure = try replayAll(&replay, &disk, &state, &tail, durable: opening.log.durable)
    var replica = ShardReplica(settings: settings, log: opening.log, state: state, tail: tail, failure: failure, at: now)
    replica.announce(verdict, into: &output)
    return replica
  }
}
