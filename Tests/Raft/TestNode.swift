import Core

@testable import Raft

/// One replica: the machine, its disk, and the joint between them that production has in `Replica`.
final class TestNode {
  let id: NodeID
  let settings: RaftSettings
  var machine: RaftGroup
  /// The process runs; if it does not, `machine` is what is left of it.
  private(set) var isUp = false
  var disk: TestDisk
  var output = RaftOutput()
  /// The snapshot that is coming in, chunk by chunk.
  var incoming: [UInt8] = []
  var seed: UInt64
  /// When false, what the disk is asked for is answered at once.
  var isDiskSlow = false

  let ledger: Ledger

  init(_ id: NodeID, membership: Membership, seed: UInt64, ledger: Ledger, _ change: (inout RaftSettings) -> Void) {
    self.ledger = ledger
    self.id = id
    var settings = RaftSettings(node: id)
    settings.maximumAppendBytes = 300
    settings.maximumInFlightMessages = 4
    settings.maximumInFlightBytes = 800
    settings.tailBytes = 400
    settings.snapshotChunkBytes = 16
    change(&settings)
    self.settings = settings
    self.seed = seed
    disk = TestDisk(membership: membership)
    machine = RaftGroup(settings, hardState: RaftHardState(), log: disk.summary(), seed: seed, at: .zero)
  }

  func start(at now: Instant) {
    seed = StableHash.mixed(seed, 1)
    incoming = []
    output.removeAll()
    isUp = true
    machine = RaftGroup(settings, hardState: disk.cached.hardState, log: disk.summary(), seed: seed, at: now)
  }

  func stop() {
    isUp = false
    output.removeAll()
  }

  /// Hands what the machine wants written to the disk; with a fast disk, until nothing is left.
  func settle(at now: Instant) {
    while isUp {
      askDisk()
      guard !isDiskSlow, !disk.isIdle else { return }
      while !disk.hardStateQueue.isEmpty { completeHardState(at: now) }
      while !disk.logQueue.isEmpty { completeLog(at: now) }
    }
  }

  /// Called after every event, before anything is answered: what is in `cached` is the machine's log.
  func askDisk() {
    if let state = output.hardState { disk.request(.hardState(state)) }
    output.hardState = nil
    for write in output.writes {
      check(write)
      let from = write.truncateFrom.map { min($0, disk.cached.last.next) } ?? disk.cached.last.next
      disk.request(.write(write))
      ledger.check(log: disk.cached, from: from, at: id)
    }
    output.writes.removeAll(keepingCapacity: true)
    for piece in output.snapshotPieces { take(piece) }
    output.snapshotPieces.removeAll(keepingCapacity: true)
  }

  private func check(_ write: LogWrite) {
    let before = min(write.truncateFrom ?? disk.cached.last.next, disk.cached.last.next)
    let first = write.entries.withUnsafeBytes { RecordView(trusting: $0.baseAddress!).offset }
    if first != before { ledger.fail("\(id.short) writes entry \(first) where \(before) belongs") }
  }

  private func take(_ piece: SnapshotPiece) {
    if piece.position == 0 { incoming = [] }
    precondition(piece.position == incoming.count, "a piece out of place")
    incoming += piece.bytes.array
    guard piece.isLast else { return }
    ledger.check(snapshot: incoming, of: piece.mark, at: id)
    disk.request(.install(piece.mark, baseChain: ledger.chain(ofCommitted: piece.mark.base.offset)))
  }

  func completeHardState(at now: Instant) {
    guard let state = disk.completeHardState() else { return }
    machine.hardStateSaved(state, at: now, into: &output)
  }

  func completeLog(at now: Instant) {
    switch disk.completeLog() {
    case .write(let write): machine.persisted(upTo: write.last, generation: write.generation, at: now, into: &output)
    case .install(let mark, _):
      machine.snapshotInstalled(mark, time: WallTime(milliseconds: 0), at: now, into: &output)
    case .sync:
      // Only what the earlier process wrote; what this one wrote comes after it in the queue.
      machine.persisted(upTo: syncedUpTo, generation: 0, at: now, into: &output)
    case .hardState, nil: break
    }
  }

  private var syncedUpTo: Offset { disk.openedLast }

  func fetch(_ fetch: EntryFetch) -> Bytes? {
    guard disk.cached.entry(fetch.from) != nil else { return nil }
    var buffer = ByteBuffer()
    var offset = fetch.from
    while let entry = disk.cached.entry(offset), buffer.isEmpty || buffer.count + entry.bytes.count <= fetch.maximumBytes {
      buffer.append(entry.bytes)
      offset = offset.next
    }
    return buffer.freeze()
  }

  /// The stand-in for a shard's state: the hash of the whole log up to the state's offset, in as many bytes as make
  /// several chunks.
  static func snapshotBytes(_ chain: UInt64) -> [UInt8] {
    var buffer = ByteBuffer()
    for number in [chain, ~chain, chain &+ 1, chain &+ 2, 7] { buffer.append(littleEndian: number) }
    return buffer.freeze().array
  }

  func read(_ read: SnapshotRead) -> (bytes: Bytes, isLast: Bool)? {
    guard disk.cached.snapshot?.state == read.state, let chain = disk.cached.chain(read.state) else { return nil }
    let all = TestNode.snapshotBytes(chain)
    guard read.position <= all.count else { return nil }
    let end = min(all.count, read.position + read.maximumBytes)
    return (Bytes(Array(all[read.position..<end])), end == all.count)
  }

  /// An entry's bytes, stamped as a shard's leader does it.
  static func entries(_ payloads: [String], from first: Offset, term: Term) -> Bytes {
    var buffer = ByteBuffer()
    var offset = first
    for payload in payloads {
      let body = Array(payload.utf8)
      body.withUnsafeBytes { bytes in
        PlainEntry.append(
          .command, body: bytes,
          stamp: RecordStamp(offset: offset, previous: .zero, time: WallTime(milliseconds: 0), term: term), into: &buffer)
      }
      offset = offset.next
    }
    return buffer.freeze()
  }
}
