internal import Journal

/// What one writer thread does, round after round.
struct JournalWriter {
  private var shards: [Int: ShardWriter] = [:]
  private let durability: Durability

  static func run(_ queue: WorkQueue<WriterWork>, _ durability: Durability) {
    var writer = JournalWriter(durability: durability)
    var round: [WriterWork] = []
    while queue.take(&round) { writer.carryOut(round) }
  }

  private init(durability: Durability) {
    self.durability = durability
  }

  /// All writes first, then what must be synced, then the answers.
  private mutating func carryOut(_ round: [WriterWork]) {
    var touched: [ShardWriter] = []
    for work in round {
      switch work {
      case .attach(let number, let directory, let completion):
        shards[number] = ShardWriter(disk: RealDisk(directory: directory, durability: durability), completion: completion)
      case .batches(let number, let batches):
        guard let shard = shards[number] else { continue }
        if shard.answers.isEmpty { touched.append(shard) }
        for batch in batches { shard.carryOut(batch) }
      case .detach(let number):
        shards.removeValue(forKey: number)?.finishRound()
      }
    }
    // With several files to sync their writes are started together, so that the disk works on all of them while
    // the first is waited for: half the time and half the processor of one after another.
    if touched.count > 1 { for shard in touched { shard.startWriting() } }
    for shard in touched { shard.finishRound() }
  }
}

/// One journal's files as its writer thread sees them.
final class ShardWriter {
  private let disk: RealDisk
  private let completion: @Sendable ([DiskAnswer]) -> Void
  /// Files written in this round and not synced yet.
  private var unsynced: [JournalFileName] = []
  /// This round's answers; those from `syncedCount` on depend on `unsynced`.
  private(set) var answers: [DiskAnswer] = []
  private var syncedCount = 0
  /// After this nothing is carried out: what the disk holds is unknown.
  private var failure: DiskError?

  init(disk: RealDisk, completion: @escaping @Sendable ([DiskAnswer]) -> Void) {
    self.disk = disk
    self.completion = completion
  }

  func carryOut(_ batch: DiskBatch) {
    if let failure {
      answers.append(DiskAnswer(ticket: batch.ticket, error: failure))
      return
    }
    for operation in batch.operations {
      do throws(DiskError) {
        try carryOut(operation)
      } catch {
        if error.kind != .noSpace || !operation.mayLackSpace { failure = error }
        answers.append(DiskAnswer(ticket: batch.ticket, error: error))
        return
      }
    }
    answers.append(DiskAnswer(ticket: batch.ticket))
  }

  private func carryOut(_ operation: DiskOperation) throws(DiskError) {
    if case .sync(let name) = operation {
      if !unsynced.contains(name) { unsynced.append(name) }
      return
    }
    if operation.isBarrier { try sync() }
    try disk.perform(operation)
  }

  /// Makes everything written durable; on failure no answer that counted on it stands.
  private func sync() throws(DiskError) {
    let files = unsynced
    unsynced.removeAll(keepingCapacity: true)
    for name in files {
      do throws(DiskError) {
        try disk.perform(.sync(name))
      } catch {
        // A full disk may first be noticed here; what was written is lost then, so it is no less fatal.
        let fatal = DiskError(.failed, operation: error.operation, file: error.file, code: error.code)
        failure = fatal
        for number in syncedCount..<answers.count where answers[number].error == nil { answers[number].error = fatal }
        throw fatal
      }
    }
    syncedCount = answers.count
  }

  /// Has the system begin to write what will be synced. Nothing is durable by it.
  func startWriting() {
    for name in unsynced { disk.startWriting(name) }
  }

  /// Syncs what is left and hands the answers over.
  func finishRound() {
    guard !answers.isEmpty else { return }
    // The failure is in the answers already.
    do throws(DiskError) { try sync() } catch { assert(failure != nil) }
    completion(answers)
    answers = []
    syncedCount = 0
  }
}
