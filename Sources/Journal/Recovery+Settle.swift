internal import Core

extension Recovery {
  /// Makes the directory what a running journal expects. A process that was killed left bytes in the page cache
  /// that were never synced, so everything that is kept is made durable before anybody hears of it.
  mutating func settle(_ disk: inout some Disk & ~Copyable) throws(DiskError) {
    for name in files.keys where isLeftover(name) { try disk.perform(.delete(name)) }
    for number in segments.indices.dropLast() { try settleClosed(number, &disk) }
    try settleOpen(&disk)
    try writeMark(&disk)
  }

  /// Segments whose removal was cut short, and indexes without a segment.
  private func isLeftover(_ name: JournalFileName) -> Bool {
    switch name {
    case .segment(let first): !names.contains(first)
    case .index(let first): !names.contains(first)
    case .snapshot, .mark, .hardState: false
    }
  }

  private mutating func settleClosed(_ number: Int, _ disk: inout some Disk & ~Copyable) throws(DiskError) {
    let segment = segments[number]
    if segment.reserved > segment.end {
      try disk.perform(.truncate(segment.file, to: segment.end))
      segments[number].reserved = segment.end
    }
    guard unindexed.contains(number) else { return }
    try disk.perform(.sync(segment.file))
    try performIfRoom(
      .replace(.index(segment.first), header: SegmentIndexFile.encode(segment, durable: segment.last), body: Bytes()), &disk)
    segments[number].indexedEnd = segment.end
  }

  private mutating func settleOpen(_ disk: inout some Disk & ~Copyable) throws(DiskError) {
    guard let number = segments.indices.last else { return }
    let segment = segments[number]
    if mustCut {
      try disk.perform(.truncate(segment.file, to: segment.end))
      segments[number].reserved = segment.end
    }
    if !settings.faults.contains(.openedUnsynced) { try disk.perform(.sync(segment.file)) }
    let hasRoom = try ensureRoom(number, &disk)
    guard !segment.isEmpty else { return }
    // Only after that sync may a footer claim what it covers.
    let claimed = settings.claimsDurability ? segment.last : .zero
    let footer = CommitFooter(last: segment.last, durable: claimed, position: segment.end)
    guard hasRoom else {
      segments[number].missingFooter = footer
      return
    }
    try disk.perform(.write(segment.file, at: segment.end, footer.encoded()))
    if !settings.faults.contains(.openedUnsynced) { try disk.perform(.sync(segment.file)) }
  }

  private mutating func ensureRoom(_ number: Int, _ disk: inout some Disk & ~Copyable) throws(DiskError) -> Bool {
    let segment = segments[number]
    guard segment.reserved < segment.end + CommitFooter.size else { return true }
    let wanted = JournalLog.rounded(segment.end + settings.firstReserveBytes)
    guard try performIfRoom(.reserve(segment.file, upTo: wanted), &disk) else {
      lackedSpace = SpaceRequest(segment: number, upTo: wanted, isNewFile: false)
      return false
    }
    segments[number].reserved = wanted
    return true
  }

  private mutating func writeMark(_ disk: inout some Disk & ~Copyable) throws(DiskError) {
    var next = DurableMark()
    next.sequence = (mark?.sequence ?? 0) + 1
    if settings.claimsDurability, let first = segments.first, let active = segments.last {
      next.durable = active.last
      next.first = first.first
      next.active = active.first
    }
    let last = segments.last?.last ?? .zero
    next.committed = min(committed, last)
    if let mark, mark.filling > last { next.filling = mark.filling }
    // A file that lost its second slot has no room for it either.
    if mark == nil || files[.mark] != DurableMark.fileSize {
      try disk.perform(.replace(.mark, header: next.encodedFile(), body: Bytes()))
    } else {
      for operation in next.written { try disk.perform(operation) }
    }
    mark = next
  }

  /// False when there is no room for it.
  @discardableResult
  private func performIfRoom(
    _ operation: DiskOperation, _ disk: inout some Disk & ~Copyable
  ) throws(DiskError) -> Bool {
    do throws(DiskError) {
      try disk.perform(operation)
      return true
    } catch {
      guard error.kind == .noSpace else { throw error }
      return false
    }
  }
}
