internal import Core

/// Opening, step by step: survey, birth, snapshot, segments, witness, settle.
struct Recovery {
  let settings: JournalSettings
  var files: [JournalFileName: Int] = [:]
  /// First offsets of the segment files, ascending.
  var names: [Offset] = []
  var mark: DurableMark?
  var hardState = HardStateFinding.lost

  var segments: [Segment] = []
  /// Closed segments whose index is missing or bad.
  var unindexed: [Int] = []
  /// Intact as far as is known, oldest first.
  var snapshots: [StoredSnapshot] = []
  var damagedSnapshots: [Offset] = []
  var snapshot: Snapshot?
  /// Everything up to here is known to have been committed.
  var committed = Offset.zero
  /// Everything up to here is known to have been durable.
  var witness = Offset.zero

  var verdict = JournalVerdict.clean
  var damage: JournalDamage?
  var replaced: [JournalFileName] = []
  /// The last segment ends with something unfinished.
  var mustCut = false
  var lackedSpace: SpaceRequest?

  init(settings: JournalSettings) {
    self.settings = settings
  }

  mutating func survey(_ disk: inout some Disk & ~Copyable) throws(DiskError) {
    for file in try disk.list() { files[file.name] = file.size }
    for name in files.keys {
      if case .segment(let first) = name { names.append(first) }
      if case .snapshot(let offset) = name { try snapshots.append(stored(offset, &disk)) }
    }
    names.sort()
    snapshots.sort { $0.offset < $1.offset }
    if let bytes = try whole(.mark, &disk) {
      mark = bytes.withUnsafeBytes { DurableMark(file: $0) }
      if mark == nil { replaced.append(.mark) }
    }
    if let bytes = try whole(.hardState, &disk), let found = bytes.withUnsafeBytes({ HardStateFile.decode($0) }) {
      hardState = .found(found.state)
      committed = found.committed
    }
    witness = max(committed, mark?.durable ?? .zero)
    committed = max(committed, mark?.committed ?? .zero)
    if let mark, mark.isRestarting { note(.unfinishedRestart) }
  }

  private func stored(_ offset: Offset, _ disk: inout some Disk & ~Copyable) throws(DiskError) -> StoredSnapshot {
    var header = ByteBuffer(capacity: SnapshotFile.headerSize)
    try disk.read(.snapshot(offset), at: 0, count: SnapshotFile.headerSize, into: &header)
    let checksum = header.withUnsafeBytes { SnapshotFile.checksum(of: $0) }
    let size = files[.snapshot(offset)] ?? 0
    return StoredSnapshot(offset: offset, bytes: max(0, size - SnapshotFile.headerSize), checksum: checksum)
  }

  /// Everything a restart has to remove.
  var everyFileOfTheLog: [JournalFileName] {
    files.keys.filter { $0 != .mark && $0 != .hardState }.sorted { $0.text < $1.text }
  }

  /// The first segment, term and vote, the mark: made in this order, so that a mark proves that the others were
  /// there. Without a mark, an empty log is one whose birth was cut short.
  func isUnborn(_ disk: inout some Disk & ~Copyable) throws(DiskError) -> Bool {
    guard mark == nil, snapshots.isEmpty, replaced.isEmpty, names.isEmpty || names == [Offset(1)] else { return false }
    guard let size = files[.segment(Offset(1))] else { return true }
    var bytes = ByteBuffer()
    try disk.read(.segment(Offset(1)), at: 0, count: size, into: &bytes)
    return bytes.withUnsafeBytes { $0.countWithoutTrailingZeroes == 0 }
  }

  mutating func giveBirth(_ disk: inout some Disk & ~Copyable) throws(DiskError) {
    let segment = JournalFileName.segment(Offset(1))
    try disk.perform(.delete(segment))
    let reserved = JournalLog.rounded(settings.firstReserveBytes)
    try disk.perform(.create(segment, reserve: reserved))
    if case .lost = hardState {
      try disk.perform(.replace(.hardState, header: HardStateFile.encode(HardState()), body: Bytes()))
      hardState = .found(HardState())
    }
    names = [Offset(1)]
    files[segment] = reserved
    verdict = .fresh
  }

  /// The newest intact one, and whether the log goes on from it.
  mutating func findSnapshot(_ disk: inout some Disk & ~Copyable) throws(DiskError) {
    while let offset = snapshots.last?.offset {
      // Even a damaged one tells that everything up to it was durable, unless the log was still to be filled up to it.
      if offset > (mark?.filling ?? .zero) { witness = max(witness, offset) }
      if let bytes = try whole(.snapshot(offset), &disk), let found = SnapshotFile.decode(bytes, offset: offset) {
        snapshot = found
        break
      }
      snapshots.removeLast()
      damagedSnapshots.append(offset)
      replaced.append(.snapshot(offset))
    }
    guard let first = names.first, first > Offset(1) else { return }
    if first > (snapshot?.offset ?? .zero).next { note(.noUsableSnapshot(logBegins: first)) }
  }

  /// The log must reach what is known to have been durable.
  mutating func compareWithWitness() {
    let next = segments.last?.last.next ?? Offset(1)
    if next <= witness, !settings.faults.contains(.damageIsTornTail) { note(.missingEntries(from: next, through: witness)) }
  }

  /// The first damage found is the one told.
  mutating func note(_ found: JournalDamage) {
    if damage == nil { damage = found }
  }

  func whole(_ name: JournalFileName, _ disk: inout some Disk & ~Copyable) throws(DiskError) -> Bytes? {
    guard let size = files[name] else { return nil }
    var buffer = ByteBuffer(capacity: size)
    try disk.read(name, at: 0, count: size, into: &buffer)
    return buffer.freeze()
  }
}
