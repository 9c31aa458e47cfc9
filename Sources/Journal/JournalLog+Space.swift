internal import Core

/// Files and room in them are there before anything is written to them.
extension JournalLog {
  /// Hands out what can be handed out, and asks for what is needed next.
  mutating func advance(into output: inout JournalOutput) {
    while let write = held.first {
      let segment = segments[write.segment - removed]
      let needed = write.end + CommitFooter.size
      guard segment.isCreated, segment.reserved >= needed else {
        request(segment: write.segment, atLeast: needed, into: &output)
        return
      }
      held.removeFirst()
      emit(
        .write(segment: write.segment, end: write.end, last: write.last),
        [.write(segment.file, at: write.position, write.bytes), .sync(segment.file)], into: &output)
    }
    let active = segments[segments.count - 1]
    let ahead = min(active.reserved / 2, settings.largestReserveBytes / 4)
    let isShort = active.reserved - active.end < ahead && active.reserved < settings.segmentBytes
    if !active.isCreated || isShort {
      request(segment: removed + segments.count - 1, atLeast: active.end + 1, into: &output)
    }
  }

  private mutating func request(segment number: Int, atLeast needed: Int, into output: inout JournalOutput) {
    guard spaceRequest == nil, lackedSpace == nil else { return }
    let segment = segments[number - removed]
    let step = segment.reserved == 0 ? settings.firstReserveBytes : min(segment.reserved, settings.largestReserveBytes)
    let wanted = min(segment.reserved + step, settings.segmentBytes)
    let upTo = Self.rounded(max(needed, wanted))
    ask(for: SpaceRequest(segment: number, upTo: upTo, isNewFile: !segment.isCreated), into: &output)
  }

  /// Files that are being written are a multiple of this long, so that one that lost its end can be told.
  static var reserveUnit: Int { 4096 }

  static func rounded(_ size: Int) -> Int { (size + reserveUnit - 1) / reserveUnit * reserveUnit }

  private mutating func ask(for request: SpaceRequest, into output: inout JournalOutput) {
    spaceRequest = request
    let segment = segments[request.segment - removed]
    // A later segment proves that the one before is whole: `create` waits for everything before it to be durable.
    var operations: [DiskOperation] =
      [request.isNewFile ? .create(segment.file, reserve: request.upTo) : .reserve(segment.file, upTo: request.upTo)]
    if var footer = segment.missingFooter {
      footer.durable = claimedDurable
      operations += [.write(segment.file, at: footer.position, footer.encoded()), .sync(segment.file)]
    }
    emit(.space(request), operations, into: &output)
  }

  mutating func spaceGranted(_ request: SpaceRequest, into output: inout JournalOutput) {
    precondition(spaceRequest == request, "space granted that was not asked for")
    spaceRequest = nil
    let number = request.segment - removed
    segments[number].reserved = request.upTo
    segments[number].missingFooter = nil
    if request.isNewFile {
      segments[number].isCreated = true
      if number > 0 { close(segment: number - 1, into: &output) }
    }
    if lackedSpace != nil {
      lackedSpace = nil
      output.facts.append(.roomAgain)
    }
    advance(into: &output)
  }

  mutating func spaceLacked(_ request: SpaceRequest, into output: inout JournalOutput) {
    precondition(spaceRequest == request, "space refused that was not asked for")
    spaceRequest = nil
    if lackedSpace == nil {
      counters.timesFull += 1
      output.facts.append(.full)
    }
    lackedSpace = request
  }

  mutating func retrySpace(at now: Instant, into output: inout JournalOutput) {
    guard let request = lackedSpace, spaceRequest == nil, now >= retryAt else { return }
    retryAt = now + settings.spaceRetryEvery
    ask(for: request, into: &output)
  }

  /// Gives back what was set aside, notes the new active segment, and saves the index.
  private mutating func close(segment number: Int, into output: inout JournalOutput) {
    let segment = segments[number]
    precondition(segment.durableEnd == segment.end, "a segment closed before it is durable")
    var operations: [DiskOperation] = [.truncate(segment.file, to: segment.end)]
    if marksInFlight > 0 {
      markIsStale = true
      emit(.close, operations + [saveIndex(of: number)], into: &output)
    } else {
      operations += nextMark()
      operations.append(saveIndex(of: number))
      emit(.mark, operations, into: &output)
    }
  }

  mutating func saveIndex(of number: Int) -> DiskOperation {
    segments[number].indexedEnd = segments[number].durableEnd
    let file = SegmentIndexFile.encode(segments[number], durable: durable)
    return .replace(.index(segments[number].first), header: file, body: Bytes())
  }
}
