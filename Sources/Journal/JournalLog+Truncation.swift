public import Core

/// Cutting off what the log of the shard's leader contradicts.
///
/// On the disk, in this order: the indexes that vouch for what goes; a mark that says less; the later segments, the
/// newest first, so that what is there is always one log; the rest of the segment that holds the cut. A crash before
/// the last of it leaves some of the old end; afterwards, nothing. Only then may new entries be written.
extension JournalLog {
  /// The entries of the segment that holds `offset` (`first ..< next`), and how many bytes they take.
  public func extent(holding offset: Offset) -> (offsets: ClosedRange<Offset>, bytes: Int) {
    let segment = segments[numberOfSegment(holding: offset)]
    return (segment.first...segment.last, segment.end)
  }

  /// Removes `cut` and everything after it, for good; `next` is `cut` then, and appends may follow at once.
  ///
  /// `droppedBytes` are the bytes of the entries from `cut` to the end of the segment that holds `cut`. Nothing
  /// committed and no snapshot, written or being written, may be at or above `cut`. Plans made before are void:
  /// see `JournalCounters.cuts`.
  public mutating func truncate(from cut: Offset, droppedBytes: Int, into output: inout JournalOutput) {
    precondition(failure == nil && damage == nil, "a cut in a journal that is dead or damaged")
    precondition(cut > committed, "a cut of what is committed")
    let newestSnapshot = max(snapshotInFlight?.offset ?? .zero, snapshots.last?.offset ?? .zero)
    precondition(cut > newestSnapshot && damagedSnapshots.allSatisfy { $0 < cut }, "a cut of what a snapshot holds")
    let number = numberOfSegment(holding: cut)
    let position = segments[number].end - droppedBytes
    precondition(segments[number].mayHold(cut, at: position), "these are not the bytes from the cut on")
    counters.cuts += 1
    if position < handedOutEnd(of: number) {
      removeFromDisk(after: number, at: position, cut: cut, into: &output)
    } else {
      forget(from: cut, at: position, in: number)
    }
    advance(into: &output)
  }

  private func numberOfSegment(holding offset: Offset) -> Int {
    precondition(offset >= first && offset < next, "no segment holds an offset outside the log")
    return segments.lastIndex { $0.first <= offset } ?? 0
  }

  /// How far the segment's file may have been written: appends that are held are not on their way yet.
  private func handedOutEnd(of number: Int) -> Int {
    guard let write = held.first else { return segments[number].end }
    let waiting = write.segment - removed
    return waiting == number ? write.position : waiting < number ? 0 : segments[number].end
  }

  private mutating func removeFromDisk(after number: Int, at position: Int, cut: Offset, into output: inout JournalOutput) {
    // Files that are there, or will be when the batches under way are done.
    let requested = spaceRequest.map { $0.segment - removed }
    let later = segments.indices.filter { $0 > number && (segments[$0].isCreated || $0 == requested) }.map { segments[$0].first }
    forget(from: cut, at: position, in: number)
    overtakeRequests(from: number, into: &output)
    segments[number].reserved = position
    segments[number].indexedEnd = 0
    segments[number].missingFooter =
      position > 0 ? CommitFooter(last: segments[number].last, durable: .zero, position: position) : nil
    let file = segments[number].file
    // The first delete is also the barrier between a mark that is under way and the one that follows here.
    var operations: [DiskOperation] = [.delete(.index(segments[number].first))]
    operations += later.map { .delete(.index($0)) }
    operations += nextMark()
    operations += later.reversed().map { .delete(.segment($0)) }
    operations.append(.truncate(file, to: position))
    // Again, into the other slot: otherwise, should this one rot, the older one would call for what is gone.
    operations += nextMark()
    emit(.truncation, operations, into: &output)
  }

  /// Takes the entries from `cut` on out of everything kept in memory, batches under way included: when those are
  /// answered, nothing after the cut becomes durable by it.
  private mutating func forget(from cut: Offset, at position: Int, in number: Int) {
    let end = Offset(cut.value - 1)
    segments.removeLast(segments.count - number - 1)
    segments[number].forget(from: cut, at: position)
    durable = min(durable, end)
    undurableBytes = segments.reduce(0) { $0 + $1.end - $1.durableEnd }
    let segment = removed + number
    let footer = CommitFooter(last: end, durable: claimedDurable, position: position)
    held.keep { $0.forget(from: cut, at: position, in: segment, footer: footer) }
    var reached = durable
    inFlight.keep { batch in
      guard !batch.isObsolete, case .write(let written, let writtenEnd, let last) = batch.purpose else { return true }
      if last < cut {
        reached = last
      } else if written == segment, reached < end {
        // It straddles the cut. Writes follow one another, so it begins at `reached.next`.
        batch.purpose = .write(segment: segment, end: min(writtenEnd, position), last: end)
        reached = end
      } else {
        batch.isObsolete = true
      }
      return true
    }
  }

  /// Requests for room in a segment that is cut, or for the file of one that goes, have lost their object.
  private mutating func overtakeRequests(from number: Int, into output: inout JournalOutput) {
    let segment = removed + number
    inFlight.keep { batch in
      if case .space(let request) = batch.purpose, request.segment >= segment { batch.isObsolete = true }
      return true
    }
    if let request = spaceRequest, request.segment >= segment { spaceRequest = nil }
    // Space was given back: it is asked for anew.
    if let lacked = lackedSpace, lacked.segment >= segment {
      lackedSpace = nil
      output.facts.append(.roomAgain)
    }
  }
}

extension HeldWrite {
  /// Keeps what comes before the cut; false when nothing does.
  fileprivate mutating func forget(from cut: Offset, at cutPosition: Int, in cutSegment: Int, footer: CommitFooter) -> Bool {
    if last < cut { return true }
    guard segment == cutSegment, position < cutPosition else { return false }
    var kept = ByteBuffer(capacity: cutPosition - position + CommitFooter.size)
    kept.append(bytes.slice(0..<cutPosition - position))
    footer.append(to: &kept)
    bytes = kept.freeze()
    last = footer.last
    return true
  }
}
