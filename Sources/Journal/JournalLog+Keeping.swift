public import Core

/// Marks, term and vote: what is written beside the log.
extension JournalLog {
  /// Time passed. Call it every 50 ms or so.
  public mutating func tick(at now: Instant, into output: inout JournalOutput) {
    if appendedSinceTick {
      appendedSinceTick = false
      lastAppendAt = now
    }
    guard failure == nil, damage == nil else { return }
    retrySpace(at: now, into: &output)
    writeMarkIfDue(at: now, into: &output)
    let active = segments.count - 1
    if settings.claimsDurability,
      segments[active].durableEnd - segments[active].indexedEnd >= settings.indexSaveBytes
    {
      emit(.index, [saveIndex(of: active)], into: &output)
    }
  }

  private mutating func writeMarkIfDue(at now: Instant, into output: inout JournalOutput) {
    guard marksInFlight == 0, markIsStale || (settings.claimsDurability && durable > mark.durable) else { return }
    let isIdle = durable.next == next && now - lastAppendAt >= settings.idleMarkAfter
    guard isIdle || now - lastMarkAt >= settings.busyMarkEvery else { return }
    lastMarkAt = now
    emit(.mark, nextMark(), into: &output)
  }

  /// The operations that write down where the log begins, where it is written and how far it is durable.
  /// Other marks must not be under way, unless a barrier lies between.
  mutating func nextMark() -> [DiskOperation] {
    markIsStale = false
    mark = DurableMark(of: self, sequence: mark.sequence + 1)
    return mark.written
  }

  /// Everything up to here is committed. The mark tells it when it is written next; it is not written for it.
  public mutating func note(committed offset: Offset) {
    committed = max(committed, offset)
  }

  /// Saves term and vote. Allowed while a restart is under way, too.
  public mutating func saveHardState(_ state: HardState, into output: inout JournalOutput) {
    precondition(failure == nil && (damage == nil || isRestarting))
    let known = settings.claimsDurability && !isRestarting ? min(committed, durable) : .zero
    let file = HardStateFile.encode(state, committed: known)
    emit(.hardState(state), [.replace(.hardState, header: file, body: Bytes())], into: &output)
  }
}

extension DurableMark {
  init(of log: borrowing JournalLog, sequence: UInt64) {
    self.sequence = sequence
    committed = min(log.committed, log.durable)
    if log.filling > log.durable { filling = log.filling }
    guard log.settings.claimsDurability else { return }
    durable = log.durable
    first = log.first
    active = log.segments.last { $0.isCreated }?.first ?? .zero
  }

  /// The operations that write this mark into its slot.
  var written: [DiskOperation] { [.write(.mark, at: position, encoded()), .sync(.mark)] }
}
