internal import Core
internal import Journal

/// One journal's files as its writer thread sees them: gathers a round's writes, and answers for them.
final class ShardWriter<ShardDisk: WritableDisk> {
  var disk: ShardDisk
  /// Who it is in the group log; one without a number never is in it.
  let shard: ShardID?
  /// Who it is among the journals of the thread, and who hears of it.
  let key: JournalKey
  let listener: JournalListener

  /// Writes of this round that nobody has carried out yet.
  private(set) var gathered: [FileWrite] = []
  /// For each of them, how many answers came before its own.
  private var answersBefore: [Int] = []
  /// Files of this round that must be durable at its end, by a sync or by the log.
  private var unsynced: [(file: JournalFileName, answersBefore: Int)] = []
  /// Files with writes in the group log's epoch. What is written to them goes through the log too, until the next
  /// checkpoint: a replay would put older bytes over newer ones otherwise.
  private(set) var logged: [JournalFileName] = []
  /// Files with writes that are in no log and not synced: nothing but a sync makes those durable.
  private var dirty: [JournalFileName] = []
  /// A logged file could not be synced, and a second sync would tell nothing: only the log has what it should hold.
  private(set) var needsLog = false
  /// This round's answers; those from `settledCount` on depend on `gathered` and `unsynced`.
  private(set) var answers: [DiskAnswer] = []
  private var settledCount = 0
  /// After this nothing is carried out: what the disk holds is unknown.
  private(set) var failure: DiskError?

  init(disk: ShardDisk, shard: ShardID?, key: JournalKey, listener: JournalListener) {
    self.disk = disk
    self.shard = shard
    self.key = key
    self.listener = listener
  }

  func gather(_ write: FileWrite) {
    gathered.append(write)
    answersBefore.append(answers.count)
  }

  func wantDurable(_ file: JournalFileName) {
    if !unsynced.contains(where: { $0.file == file }) { unsynced.append((file, answers.count)) }
  }

  func answer(_ ticket: JournalTicket, _ error: DiskError? = nil) {
    answers.append(DiskAnswer(ticket: ticket, error: error))
  }

  func isLogged(_ file: JournalFileName) -> Bool { logged.contains(file) }

  /// Carries the gathered writes out, in order, as far as the page cache.
  func writeGathered() {
    for write in gathered where !dirty.contains(write.file) { dirty.append(write.file) }
    carryOutGathered()
  }

  private func carryOutGathered() {
    for (number, write) in gathered.enumerated() {
      do throws(DiskError) {
        try disk.perform(.write(write.file, at: write.position, write.bytes))
      } catch {
        // What was asked for before is not touched by it.
        settle(answersBefore[number])
        return die(of: error)
      }
    }
    gathered.removeAll(keepingCapacity: true)
    answersBefore.removeAll(keepingCapacity: true)
  }

  /// The log holds the gathered writes durably; carries them out.
  func writeLogged() {
    for write in gathered {
      if !logged.contains(write.file) { logged.append(write.file) }
    }
    unsynced.removeAll { file, _ in !dirty.contains(file) && gathered.contains { $0.file == file } }
    carryOutGathered()
  }

  func startWriting() {
    for (file, _) in unsynced { disk.startWriting(file) }
  }

  /// Makes durable what is not, and with it the answers so far; on failure no answer that counted on it stands.
  func settle() { settle(.max) }

  /// The same for so many answers only.
  private func settle(_ count: Int) {
    for (file, answersBefore) in unsynced where answersBefore < count {
      do throws(DiskError) {
        try disk.perform(.sync(file))
        dirty.removeAll { $0 == file }
      } catch {
        needsLog = isLogged(file)
        return die(of: error)
      }
    }
    unsynced.removeAll(keepingCapacity: true)
    settledCount = max(settledCount, min(count, answers.count))
  }

  func startWritingLogged() {
    for file in logged { disk.startWriting(file) }
  }

  /// Makes the files with writes in the log durable in their places.
  func syncLogged() throws(DiskError) {
    for file in logged { try disk.perform(.sync(file)) }
  }

  /// The log holds nothing of this journal any more, or is gone.
  func forgetLogged() {
    logged.removeAll(keepingCapacity: true)
    needsLog = false
  }

  /// The journal's end: what is not settled has failed, and so will everything after.
  func die(of error: DiskError) {
    // A full disk may first be noticed here; what was written is lost then, so it is no less fatal.
    let kind = error.kind == .noSpace ? .failed : error.kind
    let fatal = DiskError(kind, operation: error.operation, file: error.file, code: error.code)
    if failure == nil { failure = fatal }
    for number in settledCount..<answers.count where answers[number].error == nil { answers[number].error = fatal }
    settledCount = answers.count
    gathered.removeAll()
    answersBefore.removeAll()
    unsynced.removeAll()
    dirty.removeAll()
  }

  /// The answers of the round; all of them are settled.
  func finishRound() -> [DiskAnswer] {
    assert(settledCount == answers.count)
    defer {
      answers = []
      settledCount = 0
    }
    return answers
  }
}
