internal import Core
internal import Journal

/// Carries out what the journals of one writer thread want, round by round.
///
/// ```
/// carryOut … ─▶ finishRound ─┬─ one clean file, or a large round: write, sync each ─────────▶ answers
///                            └─ else: all writes to the group log, one sync; write, unsynced ─▶ answers
/// checkpoint: sync what was written unsynced, reset the log ─ when it is full, before a file in it is cut or removed,
///             when it has not paid for a while, at the end
/// ```
struct GroupCommit<Files: GroupLogFiles> {
  typealias Shard = ShardWriter<Files.ShardDisk>

  private let durability: Durability
  private let settings: GroupLogSettings
  private let files: Files?
  private let logName: String
  private var journals: [JournalKey: Shard] = [:]
  /// Those with batches in this round.
  private var round: [Shard] = []
  /// What is told at the end of the round, by group.
  private var told: [(listener: JournalListener, answers: [JournalAnswers])] = []

  private var log: GroupLog<Files.Log>?
  /// Those with files in the log's epoch.
  private var inLog: [Shard] = []
  /// Journals that a log ended with, which the next start will replay: nothing may be written to them before.
  private var ended: Set<ShardID> = []
  /// When a round last was better off with the log than without.
  private var paidAt = Instant.zero
  private var now = Instant.zero
  /// Why there is no log, where there should be one.
  private(set) var logFailure: DiskError?

  /// Makes the log, where there are `files` for one; without it every file is synced by itself. `epoch` is the log's
  /// first, best a random one: then no payload can pass for a round.
  init(
    durability: Durability, files: Files?, logName: String = "", epoch: UInt64 = 1, settings: GroupLogSettings = GroupLogSettings()
  ) {
    self.durability = durability
    self.settings = settings
    self.files = files
    self.logName = logName
    guard durability == .fsync, let files else { return }
    do throws(DiskError) {
      let start = GroupLogFormat.beginning(epoch: epoch)
      let file = try files.create(logName, length: settings.length, start: start)
      log = GroupLog(file: file, length: settings.length, epoch: epoch)
    } catch {
      logFailure = error
    }
  }

  mutating func attach(_ shard: Shard) {
    journals[shard.key] = shard
    if let id = shard.shard, ended.contains(id), let logFailure { shard.die(of: logFailure) }
  }

  mutating func detach(_ key: JournalKey) {
    guard let shard = journals[key] else { return }
    commit([shard])
    gatherAnswers(of: shard)
    tell()
    journals[key] = nil
    // Whoever opens this journal next may alter its files as they like.
    if !shard.logged.isEmpty { checkpoint() }
  }

  mutating func carryOut(_ batches: [DiskBatch], for key: JournalKey) {
    guard let shard = journals[key] else { return }
    if shard.answers.isEmpty { round.append(shard) }
    for batch in batches { carryOut(batch, for: shard) }
  }

  private mutating func carryOut(_ batch: DiskBatch, for shard: Shard) {
    if let failure = shard.failure { return shard.answer(batch.ticket, failure) }
    for operation in batch.operations {
      do throws(DiskError) {
        try carryOut(operation, for: shard)
      } catch {
        shard.answer(batch.ticket, error)
        if error.kind != .noSpace || !operation.mayLackSpace { shard.die(of: error) }
        return
      }
    }
    shard.answer(batch.ticket)
  }

  private mutating func carryOut(_ operation: DiskOperation, for shard: Shard) throws(DiskError) {
    switch operation {
    case .write(let file, let position, let bytes): shard.gather(FileWrite(file: file, position: position, bytes: bytes))
    case .sync(let file): shard.wantDurable(file)
    case .reserve: try shard.disk.perform(operation)
    case .create, .truncate, .delete, .replace:
      commit([shard])
      // The log may hold writes of the other files of this journal: they are durable by it. Those of this file would be
      // replayed into what it will have become.
      if shard.isLogged(operation.file) { checkpoint() }
      if let failure = shard.failure { throw failure }
      try shard.disk.perform(operation)
    }
  }

  /// Makes the round durable and hands the answers over.
  mutating func finishRound(at now: Instant) {
    self.now = now
    commit(round)
    for shard in round { gatherAnswers(of: shard) }
    tell()
    round.removeAll(keepingCapacity: true)
    if !inLog.isEmpty, now - paidAt >= settings.checkpointAfter { checkpoint() }
  }

  private mutating func gatherAnswers(of shard: Shard) {
    // One that was detached within its round was answered then.
    guard !shard.answers.isEmpty else { return }
    let answers = JournalAnswers(journal: shard.key.journal, answers: shard.finishRound())
    if let known = told.firstIndex(where: { $0.listener === shard.listener }) {
      told[known].answers.append(answers)
    } else {
      told.append((shard.listener, [answers]))
    }
  }

  private mutating func tell() {
    for (listener, answers) in told { listener.answered(answers) }
    told.removeAll(keepingCapacity: true)
  }

  /// How long to wait for work before `idle` is due; nil for ever.
  var idleAfter: TimeSpan? { inLog.isEmpty ? nil : settings.checkpointAfter }

  /// There was no work for so long.
  mutating func idle() {
    checkpoint()
  }

  /// An orderly end leaves no log behind.
  mutating func stop() {
    checkpoint()
    guard log != nil else { return }
    removeLog(because: nil)
  }

  // Committing ----------------------------------------------------------------------------------------

  private mutating func commit(_ group: [Shard]) {
    guard durability == .fsync else {
      for shard in group {
        shard.writeGathered()
        shard.settle()
      }
      return
    }
    if log != nil { commitByLog(group) }
    // What the log did not take.
    for shard in group { shard.writeGathered() }
    if group.count > 1 { for shard in group { shard.startWriting() } }
    for shard in group { shard.settle() }
    if let needing = group.first(where: \.needsLog), let failure = needing.failure { endLog(because: failure) }
  }

  /// Has the log take the round, when it should.
  private mutating func commitByLog(_ group: [Shard]) {
    let (files, size, isLogged) = measure(group)
    guard files > 1 || isLogged else { return }
    if size > min(settings.mostRoundBytes, settings.length / 4) {
      if isLogged { checkpoint() }
      return
    }
    if files > 1 { paidAt = now }
    if let log, !log.fits(size) { checkpoint() }
    guard let log else { return }
    log.begin()
    for shard in group {
      guard let id = shard.shard else { continue }
      for write in shard.gathered { log.add(write, of: id) }
    }
    do throws(DiskError) {
      try log.commit()
    } catch {
      return logFailed(error, under: group)
    }
    for shard in group where shard.shard != nil && !shard.gathered.isEmpty {
      if shard.logged.isEmpty { inLog.append(shard) }
      shard.writeLogged()
    }
  }

  /// How many files are written, what that takes in the log, and whether one of them must go there.
  private func measure(_ group: [Shard]) -> (files: Int, size: Int, isLogged: Bool) {
    var (files, writes, bytes) = (0, 0, 0)
    var isLogged = false
    for shard in group where shard.shard != nil {
      let gathered = shard.gathered
      for (number, write) in gathered.enumerated() {
        writes += 1
        bytes += write.bytes.count
        guard !gathered[..<number].contains(where: { $0.file == write.file }) else { continue }
        files += 1
        if shard.isLogged(write.file) { isLogged = true }
      }
    }
    return (files, GroupLog<Files.Log>.size(writes: writes, bytes: bytes), isLogged)
  }

  // Checkpoints ---------------------------------------------------------------------------------------

  /// Makes durable in its place what the log holds, and empties it, in this order.
  private mutating func checkpoint() {
    guard let log, !inLog.isEmpty else { return }
    do throws(DiskError) {
      try syncInLog()
    } catch {
      return endLog(because: error)
    }
    do throws(DiskError) {
      try log.reset()
      forgetLogged()
    } catch {
      removeLog(because: error)
    }
  }

  private func syncInLog() throws(DiskError) {
    for shard in inLog { shard.startWritingLogged() }
    for shard in inLog { try shard.syncLogged() }
  }

  /// The round is not durable, and what the failed write has done to the log is unknown. What older rounds hold of other
  /// journals is in the page cache still.
  private mutating func logFailed(_ error: DiskError, under group: [Shard]) {
    for shard in group where shard.shard != nil && !shard.gathered.isEmpty { shard.die(of: error) }
    do throws(DiskError) {
      try syncInLog()
    } catch let second {
      return endLog(because: second)
    }
    removeLog(because: error)
  }

  /// All that the log holds is durable in its place: goes on without one.
  private mutating func removeLog(because error: DiskError?) {
    do throws(DiskError) {
      try files?.remove(logName)
    } catch {
      return endLog(because: error)
    }
    logFailure = error
    log = nil
    forgetLogged()
  }

  /// The log is needed for what it holds, and can neither be emptied nor gone on with. The journals in it end with it: what
  /// they write from here on would be overwritten by the replay.
  private mutating func endLog(because error: DiskError) {
    logFailure = error
    log = nil
    for shard in inLog {
      shard.die(of: error)
      if let id = shard.shard { ended.insert(id) }
    }
    forgetLogged()
  }

  private mutating func forgetLogged() {
    for shard in inLog { shard.forgetLogged() }
    inLog.removeAll(keepingCapacity: true)
  }
}
