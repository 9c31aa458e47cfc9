internal import Core

extension JournalLog {
  /// The batch is done and durable. Batches are answered in the order they were handed out.
  public mutating func completed(_ ticket: JournalTicket, into output: inout JournalOutput) {
    guard let batch = answered(ticket), !batch.isObsolete else { return }
    switch batch.purpose {
    case .write(let segment, let end, let last):
      becameDurable(segment: segment - removed, end: end, last: last, into: &output)
    case .space(let request): spaceGranted(request, into: &output)
    case .trim(let first): output.facts.append(.trimmed(first: first))
    case .snapshot(let snapshot): snapshotWritten(snapshot, into: &output)
    case .hardState(let state): output.facts.append(.hardStateSaved(state))
    case .restart(let restart): restarted(restart, into: &output)
    case .mark, .close, .index, .tidy, .truncation: break
    }
  }

  /// The batch could not be carried out. Want of space where it is bearable makes the journal wait; anything
  /// else is its end: what the disk holds is unknown then, and trying again would pretend otherwise.
  public mutating func failed(_ ticket: JournalTicket, _ error: DiskError, into output: inout JournalOutput) {
    guard let batch = answered(ticket) else { return }
    guard batch.purpose.bears(error) else { return die(error, into: &output) }
    guard !batch.isObsolete else { return }
    switch batch.purpose {
    case .space(let request): spaceLacked(request, into: &output)
    case .snapshot(let snapshot):
      snapshotInFlight = nil
      output.facts.append(.snapshotRefused(snapshot.offset))
    case .hardState(let state): output.facts.append(.hardStateRefused(state))
    case .restart: restartRefused(into: &output)
    case .write, .mark, .trim, .close, .index, .tidy, .truncation: break
    }
  }

  private mutating func answered(_ ticket: JournalTicket) -> InFlight? {
    guard failure == nil else { return nil }
    guard let next = inFlight.first, next.ticket == ticket else {
      preconditionFailure("batch \(ticket.value) answered out of order")
    }
    inFlight.removeFirst()
    if next.writesMark { marksInFlight -= 1 }
    return next
  }

  private mutating func becameDurable(segment number: Int, end: Int, last: Offset, into output: inout JournalOutput) {
    precondition(last > durable && last < next, "durable must grow and stay below what was appended")
    undurableBytes -= end - segments[number].durableEnd
    segments[number].durableEnd = end
    durable = last
    precondition(segments[number].durableEnd <= segments[number].end, "durable past what was appended")
    if mark.filling > .zero, durable >= mark.filling { markIsStale = true }
    output.facts.append(.durable(last))
  }

  private mutating func die(_ error: DiskError, into output: inout JournalOutput) {
    failure = error
    held.removeAll()
    inFlight.removeAll()
    output.facts.append(.died(error))
  }
}
