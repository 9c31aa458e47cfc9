internal import Core

extension JournalLog {
  /// The batch is done and durable. Batches are answered in the order they were handed out.
  public mutating func completed(_ ticket: JournalTicket, into output: inout JournalOutput) {
    guard let purpose = answered(ticket) else { return }
    switch purpose {
    case .write(let segment, let end, let last):
      becameDurable(segment: segment - removed, end: end, last: last, into: &output)
    case .space(let request): spaceGranted(request, into: &output)
    case .mark: markInFlight = false
    case .trim(let first):
      markInFlight = false
      output.facts.append(.trimmed(first: first))
    case .snapshot(let offset): snapshotWritten(offset, into: &output)
    case .hardState(let state): output.facts.append(.hardStateSaved(state))
    case .close, .index, .tidy: break
    }
  }

  /// The batch could not be carried out. Want of space where it is bearable makes the journal wait; anything
  /// else is its end: what the disk holds is unknown then, and trying again would pretend otherwise.
  public mutating func failed(_ ticket: JournalTicket, _ error: DiskError, into output: inout JournalOutput) {
    guard let purpose = answered(ticket) else { return }
    guard error.kind == .noSpace else { return die(error, into: &output) }
    switch purpose {
    case .space(let request): spaceLacked(request, into: &output)
    case .snapshot(let offset):
      snapshotInFlight = false
      output.facts.append(.snapshotRefused(offset))
    case .hardState(let state): output.facts.append(.hardStateRefused(state))
    case .mark where error.file != .mark: markInFlight = false  // The index that came with it: made again at opening.
    case .close, .index: break  // Likewise.
    case .write, .mark, .trim, .tidy: die(error, into: &output)
    }
  }

  private mutating func answered(_ ticket: JournalTicket) -> InFlight.Purpose? {
    guard failure == nil else { return nil }
    guard let next = inFlight.first, next.ticket == ticket else {
      preconditionFailure("batch \(ticket.value) answered out of order")
    }
    inFlight.removeFirst()
    return next.purpose
  }

  private mutating func becameDurable(segment number: Int, end: Int, last: Offset, into output: inout JournalOutput) {
    precondition(last > durable && last < next, "durable must grow and stay below what was appended")
    undurableBytes -= end - segments[number].durableEnd
    segments[number].durableEnd = end
    durable = last
    precondition(segments[number].durableEnd <= segments[number].end, "durable past what was appended")
    output.facts.append(.durable(last))
  }

  private mutating func die(_ error: DiskError, into output: inout JournalOutput) {
    failure = error
    held.removeAll()
    inFlight.removeAll()
    output.facts.append(.died(error))
  }
}
