internal import Core
internal import Glibc
internal import Journal

/// What one writer thread does, round after round.
struct JournalWriter {
  private var commits: GroupCommit<GroupLogDirectory>
  private let durability: Durability
  private let queue: WorkQueue<WriterWork>

  /// No round is put off for longer than this.
  static let longestPause = TimeSpan(nanoseconds: 300_000)

  /// Runs until the queue is closed and empty. `tell` hears why there is no group log, once.
  static func run(
    _ queue: WorkQueue<WriterWork>, _ durability: Durability, logs: GroupLogDirectory?, name: String,
    tell: (DiskError) -> Void
  ) {
    let commits = GroupCommit(
      durability: durability, files: logs, logName: name, epoch: UInt64.random(in: 1...(.max / 2)))
    var writer = JournalWriter(commits: commits, durability: durability, queue: queue)
    writer.run(tell: tell)
  }

  private mutating func run(tell: (DiskError) -> Void) {
    var work: [WriterWork] = []
    var hasTold = false
    while true {
      if !hasTold, let failure = commits.logFailure {
        hasTold = true
        tell(failure)
      }
      switch queue.take(&work, within: commits.idleAfter) {
      case .work: carryOut(work)
      case .nothing: commits.idle()
      case .end: return commits.stop()
      }
    }
  }

  private mutating func carryOut(_ work: [WriterWork]) {
    let start = Self.now
    for part in work {
      switch part {
      case .attach(let key, let directory, let listener):
        let disk = RealDisk(directory: directory, durability: durability)
        commits.attach(ShardWriter(disk: disk, shard: directory.shard, key: key, listener: listener))
      case .batches(let key, let batches): commits.carryOut(batches, for: key)
      case .detach(let key, let after):
        commits.detach(key)
        after()
      }
    }
    commits.finishRound(at: start)
    // What came during the round is not from those who were just answered: those get a moment to join the next round,
    // so that there are not two half rounds in turn. Nobody waits for a publisher who is alone.
    if durability == .fsync, queue.hasWork { Self.pause(min(Self.now - start, Self.longestPause)) }
  }

  private static func pause(_ span: TimeSpan) {
    var left = timespec(tv_sec: 0, tv_nsec: Int(span.nanoseconds))
    // One that is cut short by a signal is long enough.
    nanosleep(&left, nil)
  }

  private static var now: Instant {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }
}

enum WriterWork: Sendable {
  case attach(JournalKey, DirectoryHandle, JournalListener)
  case batches(JournalKey, [DiskBatch])
  case detach(JournalKey, after: @Sendable () -> Void)
}
