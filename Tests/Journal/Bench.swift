import Core
import Journal
import Testing

/// A journal on a simulated disk, and what it must not lose.
struct Bench: ~Copyable {
  var disk: SimulatedDisk
  var log: JournalLog
  var verdict: JournalVerdict
  var output = JournalOutput()
  var facts: [JournalFact] = []
  /// Batches handed out and not carried out yet.
  var waiting: [DiskBatch] = []
  /// Every entry appended and not cut off, by offset.
  var appended: [UInt64: [UInt8]] = [:]
  /// Of what is appended; entries of different terms differ.
  var term: UInt64 = 1
  /// What a crash may lead to beside `appended`.
  var alternatives: [Alternative] = []
  /// The log begins behind this.
  var base: UInt64 = 0
  /// The snapshot the log began with.
  var snapshot: Offset?
  /// What opening told beside the log.
  var hardState: HardStateFinding
  var foundSnapshot: Snapshot?
  var foundCommitted: Offset
  var replaced: [JournalFileName]
  /// Changes batches before they are carried out.
  var sabotage: ((inout DiskBatch) -> Void)?
  let settings: JournalSettings

  static var small: JournalSettings {
    var settings = JournalSettings()
    settings.firstReserveBytes = 4096
    settings.largestReserveBytes = 8192
    settings.segmentBytes = 16384
    settings.indexSpacingBytes = 512
    settings.indexSaveBytes = 6000
    settings.scanBytes = 1024
    return settings
  }

  init(disk: SimulatedDisk = SimulatedDisk(), settings: JournalSettings = Bench.small) throws {
    var disk = disk
    disk.putsSyncsOff = false
    let opening = try JournalLog.open(disk: &disk, settings: settings)
    self.disk = disk
    self.settings = settings
    verdict = opening.verdict
    hardState = opening.hardState
    foundSnapshot = opening.snapshot
    foundCommitted = opening.committed
    replaced = opening.replaced
    log = opening.log
  }

  /// Appends one batch; an entry for every payload.
  mutating func append(_ payloads: [[UInt8]], at time: Int64 = 1000, topic: String = "a/b") {
    var buffer = ByteBuffer()
    var offset = log.next
    for payload in payloads {
      let start = buffer.count
      RecordDraft().encode(topic: topic, payload: payload, into: &buffer)
      buffer.withUnsafeMutableBytes { all in
        RecordStamp(offset: offset, previous: .zero, time: WallTime(milliseconds: time), term: term)
          .stamp(all.baseAddress! + start)
        appended[offset.value] = Array(all[start...])
      }
      offset = offset.next
    }
    _ = log.append(buffer, into: &output)
    collect()
  }

  mutating func append(count: Int, size: Int = 20, at time: Int64 = 1000) {
    append((0..<count).map { number in (0..<size).map { UInt8(1 + ($0 + number) % 250) } }, at: time)
  }

  mutating func tick(milliseconds: Int) {
    log.tick(at: Instant.zero + .milliseconds(milliseconds), into: &output)
    collect()
  }

  /// Until nothing is due any more.
  mutating func rest() {
    run()
    tick(milliseconds: 100_000)
    run()
    tick(milliseconds: 200_000)
    run()
  }

  mutating func collect() {
    for var batch in output.batches {
      sabotage?(&batch)
      waiting.append(batch)
    }
    facts += output.facts
    output.removeAll()
  }

  /// Carries out everything that waits, and what follows from it.
  mutating func run() {
    while !waiting.isEmpty { runOne() }
  }

  mutating func runOne() {
    runRound(of: 1)
  }

  /// Carries out some batches, syncs what is left, and answers them all.
  mutating func runRound(of count: Int, afterEach check: ((borrowing Bench) -> Void)? = nil) {
    let round = waiting.prefix(count)
    waiting.removeFirst(round.count)
    var answers: [(JournalTicket, DiskError?)] = []
    for batch in round {
      var failure: DiskError?
      for operation in batch.operations where failure == nil {
        do throws(DiskError) { try disk.perform(operation) } catch { failure = error }
        check?(self)
      }
      answers.append((batch.ticket, failure))
      // What a fatal failure leaves is unknown; nothing after it is carried out.
      if let failure, failure.kind != .noSpace { break }
    }
    do throws(DiskError) { try disk.sync() } catch { Issue.record("a sync failed: \(error)") }
    for (ticket, error) in answers {
      alternatives.removeAll { $0.until == ticket && error == nil }
      if let error { log.failed(ticket, error, into: &output) } else { log.completed(ticket, into: &output) }
    }
    if output.facts.contains(where: { if case .restarted = $0 { true } else { false } }) { alternatives = [] }
    collect()
    check?(self)
  }

  /// Carries out only the first operations of the next batch, as a crash in the middle would.
  mutating func runPart(_ count: Int) throws {
    guard let batch = waiting.first else { return }
    for operation in batch.operations.prefix(count) {
      do throws(DiskError) { try disk.perform(operation) } catch {
        guard error.kind == .noSpace else { throw error }
        return
      }
    }
  }

  mutating func reopen() throws {
    waiting = []
    alternatives = []
    output.removeAll()
    // Opening waits for every sync.
    let putsSyncsOff = disk.putsSyncsOff
    disk.putsSyncsOff = false
    defer { disk.putsSyncsOff = putsSyncsOff }
    let opening = try JournalLog.open(disk: &disk, settings: settings)
    verdict = opening.verdict
    hardState = opening.hardState
    foundSnapshot = opening.snapshot
    foundCommitted = opening.committed
    replaced = opening.replaced
    log = opening.log
  }

  mutating func read(_ plan: ReadPlan) throws -> Bytes {
    var buffer = ByteBuffer()
    try disk.read(plan.file, at: plan.position, count: plan.length, into: &buffer)
    return buffer.freeze()
  }

  /// Every durable entry, read through plans; throws `JournalDamage` where one is not as written.
  mutating func readAll(maximumBytes: Int = 700) throws -> [UInt64: [UInt8]] {
    var found: [UInt64: [UInt8]] = [:]
    var place: ReadPosition?
    while let plan = place.map({ log.plan(continuing: $0, maximumBytes: maximumBytes) })
      ?? (place == nil ? log.plan(from: log.first, maximumBytes: maximumBytes) : nil)
    {
      let entries = try plan.parse(read(plan))
      #expect(entries.count > 0)
      for entry in entries.bytes.records { found[entry.offset] = entry.bytes }
      place = entries.next
    }
    return found
  }
}

extension Bytes {
  var records: [(offset: UInt64, bytes: [UInt8])] {
    withUnsafeBytes { all in
      RecordSequence(trusting: all).map { ($0.offset.value, Array($0.encoded)) }
    }
  }
}

/// The entries after the snapshot, or the damage met on the way.
func replayed(_ disk: SimulatedDisk, _ settings: JournalSettings = Bench.small) throws -> [UInt64: [UInt8]] {
  var disk = disk
  var opening = try JournalLog.open(disk: &disk, settings: settings)
  var found: [UInt64: [UInt8]] = [:]
  while let chunk = try opening.replay.next(disk: &disk) {
    for entry in chunk.records { found[entry.offset] = entry.bytes }
  }
  return found
}
