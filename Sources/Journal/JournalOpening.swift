public import Core

/// What opening gives.
@frozen public struct JournalOpening: ~Copyable {
  public var log: JournalLog
  public let verdict: JournalVerdict
  public let hardState: HardStateFinding
  /// Everything up to here is known to have been committed: at most what is durable, and told lazily.
  public let committed: Offset
  /// The newest intact snapshot; above the log's end while the log is being filled up to it after a restart.
  public let snapshot: Snapshot?
  /// The entries after it.
  public var replay: JournalReplay
  /// Files that were damaged and did no harm: they are left out or made again.
  public let replaced: [JournalFileName]
}

extension JournalLog {
  /// Looks at the directory, cuts what a crash left unfinished, makes durable what is kept, and says what it
  /// found. Nothing is altered when something durable is missing or damaged.
  public static func open(
    disk: inout some Disk & ~Copyable, settings: JournalSettings
  ) throws(DiskError) -> JournalOpening {
    var recovery = Recovery(settings: settings)
    try recovery.survey(&disk)
    guard recovery.damage == nil else { return recovery.opening() }
    if try recovery.isUnborn(&disk) {
      guard settings.mayBeNew else {
        // Left as it is, so that the next opening finds it so too.
        recovery.note(.missingEntries(from: Offset(1), through: Offset(1)))
        return recovery.opening()
      }
      try recovery.giveBirth(&disk)
    }
    recovery.compareWithMark()
    try recovery.findSnapshot(&disk)
    try recovery.readSegments(&disk)
    recovery.compareWithWitness()
    if recovery.damage == nil { try recovery.settle(&disk) }
    return recovery.opening()
  }
}

extension Recovery {
  consuming func opening() -> JournalOpening {
    if damage == .unfinishedRestart { snapshots = [] }
    if segments.isEmpty { segments = [Segment(first: Offset(1))] }
    let start = (snapshot?.offset ?? Offset(segments[0].first.value - 1)).next
    let isReached = start >= segments[0].first
    let replay = JournalReplay(segments: isReached ? segments : [], from: start, chunk: settings.scanBytes, damage: damage)
    var log = JournalLog(settings: settings, segments: segments, snapshots: snapshots)
    log.damagedSnapshots = damagedSnapshots
    log.mark = mark ?? DurableMark()
    log.hasMark = mark != nil
    log.committed = min(committed, log.durable)
    log.filling = log.mark.filling
    if damage != nil { log.leftovers = everyFileOfTheLog }
    log.damage = damage
    log.lackedSpace = lackedSpace
    let committed = log.committed
    return JournalOpening(
      log: log, verdict: damage.map { .corrupt($0) } ?? verdict, hardState: hardState, committed: committed,
      snapshot: snapshot, replay: replay,
      replaced: replaced)
  }
}
