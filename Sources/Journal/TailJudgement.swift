internal import Core

/// What stands behind the last good entry of the log: a clean end, a write that never finished, or damage.
///
/// A write that was cut off by a crash leaves *holes*: whole sectors that still hold what was there before it,
/// which is zeroes, because files are never written twice except for the footer. So bytes that are wrong while
/// nothing around them is missing were altered later. The witnesses, any of which tells damage:
/// - the mark, an index or a snapshot says that the expected entry was durable;
/// - a later footer says so;
/// - a good entry or the footer of the write follows and there is no hole between.
enum TailJudgement: Equatable {
  case clean
  case unfinished(bytes: Int)
  case damaged

  /// `rest` are the bytes from the end of the last good entry, at `position`, to the end of the file.
  init(rest: UnsafeRawBufferPointer, position: Int, expected: Offset, witness: Offset) {
    let end = rest.countWithoutTrailingZeroes
    let footer = CommitFooter(rest, position: position)
    guard expected > witness else {
      self = .damaged
      return
    }
    if end == 0 {
      self = position == 0 ? .clean : .unfinished(bytes: 0)
    } else if footer != nil, end <= CommitFooter.size {
      self = .clean
    } else {
      // A footer may itself end with zeroes.
      let looked = UnsafeRawBufferPointer(rebasing: rest.prefix(end + CommitFooter.size))
      let tail = Tail(bytes: looked, position: position, expected: expected)
      self = tail.isDamaged ? .damaged : .unfinished(bytes: end)
    }
  }
}

/// The bytes of an end that is not clean.
private struct Tail {
  static let sector = 512

  let bytes: UnsafeRawBufferPointer
  let position: Int
  let expected: Offset

  var isDamaged: Bool {
    let footers = bytes.indices.lazy.compactMap { footer(at: $0) }
    if footers.contains(where: { $0.durable >= expected }) { return true }
    let proof = nextEntry ?? footers.first { $0.position > position }.map { $0.position - position }
    return proof.map { !hasHole(before: $0) } ?? false
  }

  private func footer(at index: Int) -> CommitFooter? {
    guard bytes[index] == UInt8(truncatingIfNeeded: CommitFooter.magic) else { return nil }
    return CommitFooter(UnsafeRawBufferPointer(rebasing: bytes[index...]), position: position + index)
  }

  /// Where the first good later entry begins. Not looked for inside an entry whose own header vouches for its
  /// length: its payload may hold anything, a copy of an entry too.
  private var nextEntry: Int? {
    var index = vouchedLength ?? 1
    while index + RecordLayout.entryHeaderSize <= bytes.count {
      let offset = bytes.number(index + RecordLayout.offset)
      if offset > expected.value, offset - expected.value <= UInt64(bytes.count) {
        if case .valid = RecordView.check(UnsafeRawBufferPointer(rebasing: bytes[index...])) { return index }
      }
      index += 1
    }
    return nil
  }

  private var vouchedLength: Int? {
    guard bytes.count >= RecordLayout.headerSize, let base = bytes.baseAddress else { return nil }
    let view = RecordView(trusting: base)
    guard view.kind == .record, view.offset == expected else { return nil }
    let parts =
      view.topic.count + view.type.count + view.contentType.count + view.key.count + view.properties.count
      + view.payload.count
    return view.length == RecordLayout.headerSize + parts ? view.length : nil
  }

  /// Whether a sector that ends before `proof` was never written.
  private func hasHole(before proof: Int) -> Bool {
    var start = 0
    while true {
      let next = ((position + start) / Self.sector + 1) * Self.sector - position
      guard next <= proof else { return false }
      if isUnwritten(start..<next) { return true }
      start = next
    }
  }

  /// Whether nothing of the write reached this sector. What it held before: in the first sector the old footer
  /// (there is none at the start of a file), whose rest may reach into the second; zeroes after that. A write whose
  /// entry ends where a sector does may have arrived up to there: then there is no footer.
  private func isUnwritten(_ range: Range<Int>) -> Bool {
    var start = range.lowerBound
    if position > 0, start == 0 {
      if position.isMultiple(of: Self.sector), bytes[range].allSatisfy({ $0 == 0 }) { return true }
      guard beginsWithOldFooter(range.upperBound) else { return false }
    }
    if position > 0 { start = min(max(start, CommitFooter.size), range.upperBound) }
    return bytes[start..<range.upperBound].allSatisfy { $0 == 0 }
  }

  private func beginsWithOldFooter(_ count: Int) -> Bool {
    var magic = CommitFooter.magic.littleEndian
    return Swift.withUnsafeBytes(of: &magic) { $0.prefix(count).elementsEqual(bytes.prefix(min(4, count))) }
  }
}

extension UnsafeRawBufferPointer {
  /// How many bytes there are up to the last that is not zero.
  var countWithoutTrailingZeroes: Int {
    var count = self.count
    while count >= 8, loadUnaligned(fromByteOffset: count - 8, as: UInt64.self) == 0 { count -= 8 }
    while count > 0, self[count - 1] == 0 { count -= 1 }
    return count
  }
}
