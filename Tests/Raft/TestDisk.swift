import Core
import Raft

/// One replica's disk: what a power cut would leave, what the process reads, and what is on its way from one to the other.
struct TestDisk {
  struct Entry {
    var term: Term
    var bytes: Bytes
    /// Stands for this entry and all before it.
    var chain: UInt64
  }

  struct Contents {
    var hardState = RaftHardState()
    var base = LogPosition.zero
    var baseChain: UInt64 = 0
    /// In force at `base`.
    var membership: Membership
    var entries: [Entry] = []
    var snapshot: SnapshotMark?

    var last: Offset { Offset(base.offset.value + UInt64(entries.count)) }

    func entry(_ offset: Offset) -> Entry? {
      let index = Int(offset.value) - Int(base.offset.value) - 1
      return index >= 0 && index < entries.count ? entries[index] : nil
    }

    func chain(_ offset: Offset) -> UInt64? { offset == base.offset ? baseChain : entry(offset)?.chain }

    mutating func keep(below cut: Offset) {
      let kept = Int(cut.value) - Int(base.offset.value) - 1
      if kept < entries.count { entries.removeLast(entries.count - max(0, kept)) }
    }

    /// `limit`: a write torn after so many entries.
    mutating func apply(_ write: LogWrite, limit: Int = .max) {
      if let cut = write.truncateFrom { keep(below: cut) }
      write.entries.withUnsafeBytes { memory in
        var at = 0
        var count = 0
        for entry in RecordSequence(trusting: memory) where count < limit {
          let length = entry.length
          let chain = StableHash.mixed(chain(last) ?? 0, UInt64(entry.checksum) << 32 | entry.offset.value)
          entries.append(Entry(term: entry.term, bytes: write.entries.slice(at..<at + length), chain: chain))
          at += length
          count += 1
        }
      }
    }

    mutating func install(_ mark: SnapshotMark, baseChain: UInt64) {
      entries = []
      base = mark.base
      self.baseChain = baseChain
      membership = mark.membership
      snapshot = mark
    }
  }

  enum Operation {
    case hardState(RaftHardState)
    case write(LogWrite)
    case install(SnapshotMark, baseChain: UInt64)
    /// What an earlier process wrote becomes durable.
    case sync
  }

  var synced: Contents
  var cached: Contents
  /// What an earlier process left to be synced.
  var opened: Contents?
  /// Where the log ended when the process began.
  var openedLast = Offset.zero
  /// In the order they were asked for; hard state has its own order.
  var logQueue: [Operation] = []
  var hardStateQueue: [RaftHardState] = []

  init(membership: Membership) {
    synced = Contents(membership: membership)
    cached = synced
  }

  var isIdle: Bool { logQueue.isEmpty && hardStateQueue.isEmpty }

  mutating func request(_ operation: Operation) {
    switch operation {
    case .hardState(let state):
      cached.hardState = state
      hardStateQueue.append(state)
    case .write(let write):
      cached.apply(write)
      logQueue.append(operation)
    case .install(let mark, let chain):
      cached.install(mark, baseChain: chain)
      logQueue.append(operation)
    case .sync:
      logQueue.append(operation)
    }
  }

  mutating func completeHardState() -> RaftHardState? {
    guard !hardStateQueue.isEmpty else { return nil }
    synced.hardState = hardStateQueue.removeFirst()
    return synced.hardState
  }

  mutating func completeLog() -> Operation? {
    guard !logQueue.isEmpty else { return nil }
    let operation = logQueue.removeFirst()
    carryOut(operation)
    return operation
  }

  private mutating func carryOut(_ operation: Operation, limit: Int = .max) {
    switch operation {
    case .write(let write): synced.apply(write, limit: limit)
    case .install(let mark, let chain): synced.install(mark, baseChain: chain)
    case .sync:
      let hardState = synced.hardState
      synced = opened ?? synced
      synced.hardState = hardState
      opened = nil
    case .hardState: break
    }
  }

  /// The log is trimmed and the snapshot is there: with syncs of their own, of no interest here.
  mutating func keepSnapshot(_ mark: SnapshotMark) {
    for path in [\TestDisk.synced, \TestDisk.cached] {
      self[keyPath: path].snapshot = mark
      let from = self[keyPath: path]
      guard mark.base.offset > from.base.offset, let chain = from.chain(mark.base.offset) else { continue }
      self[keyPath: path].entries.removeFirst(Int(mark.base.offset.value - from.base.offset.value))
      self[keyPath: path].base = mark.base
      self[keyPath: path].baseChain = chain
      self[keyPath: path].membership = mark.membership
    }
  }

  /// Power is lost: of what was on its way, some first part has arrived and the rest is gone.
  mutating func losePower(_ random: inout SeededGenerator) {
    if case .sync? = logQueue.first {
      // Which of the older process's pages made it is not known: none.
    } else {
      for operation in logQueue.prefix(random.below(logQueue.count + 1)) {
        if case .sync = operation { break }
        carryOut(operation, limit: random.below(3) == 0 ? random.below(3) : .max)
        if case .write(let write) = operation, synced.last < write.last { break }
      }
    }
    for state in hardStateQueue.prefix(random.below(hardStateQueue.count + 1)) { synced.hardState = state }
    logQueue = []
    hardStateQueue = []
    opened = nil
    cached = synced
    openedLast = cached.last
  }

  /// The same, and nothing of it has arrived.
  mutating func loseEverythingUnsynced() {
    logQueue = []
    hardStateQueue = []
    opened = nil
    cached = synced
    openedLast = cached.last
  }

  /// The process is killed; what it wrote is in the system's memory and will be read, durable or not.
  mutating func loseProcess() {
    // Opening makes an installed snapshot durable before it goes by it.
    if logQueue.contains(where: { if case .install = $0 { true } else { false } }) {
      while completeLog() != nil {}
    }
    opened = logQueue.isEmpty ? nil : cached
    logQueue = logQueue.isEmpty ? [] : [.sync]
    openedLast = cached.last
    hardStateQueue = []
    // A file is replaced by renaming: either side of it is whole, and opening makes sure of it.
    synced.hardState = cached.hardState
  }

  /// What was in force at `offset`.
  func membership(at offset: Offset) -> Membership {
    var found = cached.membership
    for entry in cached.entries {
      entry.bytes.withUnsafeBytes { memory in
        let view = RecordView(trusting: memory.baseAddress!)
        if view.kind == .membership, view.offset <= offset { found = Membership(decoding: view.body)! }
      }
    }
    return found
  }

  /// How far what is read is also durable.
  var durable: Offset {
    guard opened != nil else { return cached.last }
    guard synced.base == cached.base else { return cached.base.offset }
    var count = 0
    while count < min(synced.entries.count, cached.entries.count), synced.entries[count].chain == cached.entries[count].chain { count += 1 }
    return Offset(cached.base.offset.value + UInt64(count))
  }

  func summary() -> LogSummary {
    var summary = LogSummary(base: cached.base, membership: cached.membership)
    for entry in cached.entries { summary.note(entry.bytes) }
    summary.durable = durable
    if let snapshot = cached.snapshot {
      summary.snapshot = snapshot.state
      summary.committed = snapshot.state
    }
    return summary
  }
}

extension StableHash {
  /// One step of a chain of hashes.
  static func mixed(_ a: UInt64, _ b: UInt64) -> UInt64 {
    var z = a &+ 0x9e37_79b9_7f4a_7c15 &+ (b &* 0xbf58_476d_1ce4_e5b9)
    z = (z ^ (z >> 30)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 29)
  }
}
