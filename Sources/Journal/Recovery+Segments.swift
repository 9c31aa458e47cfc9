internal import Core

extension Recovery {
  /// Reads what is there, oldest first, up to the first damage.
  mutating func readSegments(_ disk: inout some Disk & ~Copyable) throws(DiskError) {
    for (number, first) in names.enumerated() {
      if let previous = segments.last, previous.last.next != first {
        note(.missingEntries(from: previous.last.next, through: Offset(first.value - 1)))
        return
      }
      let isLast = number == names.count - 1
      guard try isLast ? readOpen(first, &disk) : readClosed(first, &disk) else { return }
    }
  }

  /// The mark names the first and the last file that must be there. Files before the first are a removal that
  /// was cut short.
  mutating func compareWithMark() {
    if let mark, mark.first > .zero {
      while names.count > 1, names[1] <= mark.first { names.removeFirst() }
      if let first = names.first, first > mark.first {
        note(.missingEntries(from: mark.first, through: Offset(first.value - 1)))
      } else if !names.contains(mark.active) {
        note(.missingEntries(from: mark.active, through: max(mark.active, witness)))
      }
    } else if names.isEmpty {
      note(.missingEntries(from: Offset(1), through: max(Offset(1), witness)))
    }
  }

  /// A closed segment: its index vouches for it, or else all of it is read. False when it is damaged.
  private mutating func readClosed(_ first: Offset, _ disk: inout some Disk & ~Copyable) throws(DiskError) -> Bool {
    let size = files[.segment(first)] ?? 0
    if var segment = try index(of: first, &disk), segments.count + 1 < names.count,
      segment.last.next == names[segments.count + 1]
    {
      segment.reserved = size
      guard size >= segment.end else {
        note(.missingEntries(from: first, through: segment.last))
        return false
      }
      segments.append(segment)
      return true
    }
    unindexed.append(segments.count)
    var segment = Segment(first: first)
    segment.reserved = size
    let rest = try scan(&segment, &disk)
    segments.append(segment)
    // Where the next segment goes on decides; what stands behind the last entry of this one is its footer.
    guard segment.last.next == names[segments.count] else {
      let isShort = rest.withUnsafeBytes { $0.countWithoutTrailingZeroes == 0 }
      note(
        isShort
          ? .missingEntries(from: segment.last.next, through: Offset(names[segments.count].value - 1))
          : .badEntry(segment.file, at: segment.end, expected: segment.last.next))
      return false
    }
    return true
  }

  /// The segment that was being written: read from its last index point on. False when it is damaged.
  private mutating func readOpen(_ first: Offset, _ disk: inout some Disk & ~Copyable) throws(DiskError) -> Bool {
    let size = files[.segment(first)] ?? 0
    var segment = Segment(first: first)
    if let saved = try index(of: first, &disk) {
      witness = max(witness, saved.last)
      if saved.end <= size { segment = saved.rewoundToLastPoint() }
    }
    segment.isCreated = true
    segment.reserved = size
    let rest = try scan(&segment, &disk)
    segments.append(segment)
    let next = segment.last.next
    // Cut by us it ends with an entry; nothing else makes it so long.
    guard size % JournalLog.reserveUnit == 0 || segment.end == size || settings.faults.contains(.damageIsTornTail) else {
      note(.badEntry(segment.file, at: segment.end, expected: next))
      return false
    }
    let judgement = rest.withUnsafeBytes {
      TailJudgement(rest: $0, position: segment.end, expected: next, witness: witness)
    }
    switch settings.faults.isEmpty ? judgement : judgement.misjudged(settings.faults) {
    case .clean: return true
    case .unfinished(let bytes):
      verdict = .tornTail(segment.file, at: segment.end, bytes: bytes)
      mustCut = true
      return true
    case .damaged:
      let isMissing = rest.withUnsafeBytes { $0.countWithoutTrailingZeroes == 0 }
      note(
        isMissing && next <= witness
          ? .missingEntries(from: next, through: witness) : .badEntry(segment.file, at: segment.end, expected: next))
      return false
    }
  }

  /// Adds every good entry behind what is known of the segment; hands back the bytes after them.
  private func scan(_ segment: inout Segment, _ disk: inout some Disk & ~Copyable) throws(DiskError) -> Bytes {
    var scanner = EntryScanner(
      file: segment.file, position: segment.end, limit: segment.reserved, chunk: settings.scanBytes)
    while let entry = try scanner.next(segment.last.next, disk: &disk) {
      segment.append(length: entry.length, time: entry.time, spacing: settings.indexSpacingBytes)
    }
    segment.durableEnd = segment.end
    segment.isCreated = true
    var rest = ByteBuffer(capacity: segment.reserved - segment.end)
    try disk.read(segment.file, at: segment.end, count: segment.reserved - segment.end, into: &rest)
    return rest.freeze()
  }

  private mutating func index(of first: Offset, _ disk: inout some Disk & ~Copyable) throws(DiskError) -> Segment? {
    guard let bytes = try whole(.index(first), &disk) else { return nil }
    let segment = bytes.withUnsafeBytes { SegmentIndexFile.decode($0, first: first) }
    if segment == nil { replaced.append(.index(first)) }
    return segment
  }
}

extension Segment {
  /// Forgets what comes after the last point, so that the entries from there on are read again.
  func rewoundToLastPoint() -> Segment {
    guard let point = points.last else { return Segment(first: first) }
    var segment = self
    segment.last = Offset(point.offset.value - 1)
    segment.end = point.position
    segment.durableEnd = point.position
    segment.latestTime = point.latestBefore
    segment.points.removeLast()
    return segment
  }
}

extension TailJudgement {
  fileprivate func misjudged(_ faults: JournalFaults) -> TailJudgement {
    switch self {
    case .unfinished(let bytes) where bytes > 0 && faults.contains(.tornTailIsDamage): .damaged
    case .damaged where faults.contains(.damageIsTornTail): .unfinished(bytes: 0)
    default: self
    }
  }
}
