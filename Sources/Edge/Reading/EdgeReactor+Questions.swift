internal import Core
internal import Feeds
internal import Reactor
internal import WebSocket

extension EdgeReactor {
  // MARK: Questions to the shards, and their answers

  /// Asks the shard for what comes next.
  func question(_ reader: Reader, _ lane: Reader.Lane, _ start: ReadStart, isProbe: Bool = false, of connection: Connection) {
    let sequence = nextSequence()
    reader.question = (sequence, lane, isProbe)
    let ticket = TicketParts.make(connection.key, sequence)
    let filters = reader.filters(of: lane)
    // A poll asks for itself, so that whoever published reads what it published.
    if case .follow = reader.goal, case .after(let offset) = start, !isProbe {
      switch sharedReads.answer(to: SharedReads.Key(shard: lane.shard, after: offset, filters: filters), ticket, at: now) {
      case .mustBeAsked: break
      case .comes:
        counters.sharedReads += 1
        return
      case .page(let page):
        counters.sharedReads += 1
        sharedAnswers.append(ReadReply(shard: lane.shard, ticket: ticket, result: .success(page)))
        return
      }
    }
    counters.reads += 1
    ask(
      lane.shard,
      .read(ReadRequest(edge: edge, ticket: ticket, filters: filters, start: start, maximumBytes: RequestLimits.readBytes)))
  }

  /// A shard's answer, for whoever asked and for those who would have asked the same.
  func take(_ reply: ReadReply) {
    let others = sharedReads.answered(reply, at: now)
    takeAlone(reply)
    for ticket in others { takeAlone(ReadReply(shard: reply.shard, ticket: ticket, result: reply.result)) }
  }

  /// What others' answers told: not in the turn that asked, so that nobody is kept waiting by a reader with much to read.
  func takeSharedAnswers() {
    let answers = sharedAnswers
    sharedAnswers.removeAll(keepingCapacity: true)
    for reply in answers { takeAlone(reply) }
  }

  private func takeAlone(_ reply: ReadReply) {
    guard let connection = connection(of: reply.ticket), !takesRecall(reply, connection) else { return }
    if let reader = connection.reader { take(reply, for: reader, of: connection) }
  }

  /// A shard's answer to a reader.
  func take(_ reply: ReadReply, for reader: Reader, of connection: Connection) {
    guard let question = reader.question, question.sequence == TicketParts(reply.ticket).sequence else { return }
    reader.question = nil
    let lane = question.lane
    let leg = lane.leg
    let place = lane.place
    switch reply.result {
    case .failure(let refusal):
      readFailed(reader, connection, refusal)
    case .success(let page):
      if case .value = reader.goal {
        connection.reader = nil
        return answerValue(page, reader.legs[0].places[0].shard, connection)
      }
      if let start = reader.legs[leg].places[place].start {
        reader.legs[leg].places[place].phase = .ready
        // Until its records are written the place stands before them.
        reader.legs[leg].places[place].offset = page.isCurrentValues ? page.upTo : firstOffset(page).map { Offset($0.value - 1) } ?? page.upTo
        // The last messages of each topic leave out others of their stretch, which another leg may want.
        if case .last = start { reader.legs[leg].began[place] = page.upTo } else { reader.legs[leg].began[place] = reader.legs[leg].places[place].offset }
        if let foreign = reader.legs[leg].foreign {
          reader.legs[leg].foreign = nil
          tell(Gap(reason: .foreign, from: foreign, to: cursorText(of: reader, leg)), leg, reader, connection)
        }
        if wait(for: start, page, reader, leg, place) { return makePumpable(connection) }
      } else if let gap = page.gap {
        tell(gap, lane, reader, connection)
      }
      if case .locate = reader.goal {
        reader.legs[leg].places[place].isRead = true
        return makePumpable(connection)
      }
      guard !question.isProbe else {
        reader.legs[leg].places[place].isRead = true
        return makePumpable(connection)
      }
      if !page.isCurrentValues { announce(reader, on: connection) }
      write(page, lane, for: reader, of: connection)
      reader.setRead(lane, page.upTo >= page.committed && reader.offset(of: lane) >= page.upTo)
      makePumpable(connection)
    }
  }

  /// Keeps a page back while other places do not know yet where they begin. True if it is not to be written now.
  private func wait(for start: ReadStart, _ page: ReadReply.Page, _ reader: Reader, _ leg: Int, _ place: Int) -> Bool {
    guard reader.isSocket || !reader.knowsStarts else { return false }
    switch start {
    case .time: return true  // It is read again from where it begins, rather than kept.
    case .earliest: return reader.isSocket
    case .last:
      // The last messages of each topic are no stretch of the log: they cannot be read again.
      reader.legs[leg].places[place].held = page
      return true
    case .current:
      if reader.isSocket { reader.legs[leg].places[place].held = page }
      return reader.isSocket
    case .latest, .after: return false
    }
  }

  private func firstOffset(_ page: ReadReply.Page) -> Offset? {
    page.pieces.first { $0.count > 0 }.map { piece in piece.withUnsafeBytes { RecordView(trusting: $0.baseAddress.unsafelyUnwrapped).offset } }
  }

  /// What was kept back belongs to one subscription alone. Others that stand at the same place read on after it,
  /// and bring what they want of it themselves.
  func writeHeld(_ reader: Reader, _ leg: Int, _ place: Int, upTo ceiling: Offset?, of connection: Connection) {
    guard let page = reader.legs[leg].places[place].held else { return }
    reader.legs[leg].places[place].held = nil
    let lane = Reader.Lane(shard: reader.legs[leg].places[place].shard, leg: leg, place: place, ceiling: ceiling)
    write(page, lane, for: reader, of: connection)
    reader.setRead(lane, page.upTo >= page.committed && reader.offset(of: lane) >= page.upTo)
  }

  /// Writes a page as far as the lane may go, and moves the lane there.
  private func write(_ page: ReadReply.Page, _ lane: Reader.Lane, for reader: Reader, of connection: Connection) {
    for piece in page.pieces {
      let goesOn = piece.withUnsafeBytes { bytes in
        for record in RecordSequence(trusting: bytes) {
          if page.isCurrentValues {
            deliverCurrent(record, lane.shard, for: reader, of: connection)
          } else {
            if let ceiling = lane.ceiling, record.offset > ceiling { break }
            guard deliver(record, lane, for: reader, of: connection) else { return false }
            reader.move(lane, to: record.offset)
          }
        }
        return true
      }
      if !goesOn { return }
    }
    let end = page.isCurrentValues ? page.upTo : min(page.upTo, lane.ceiling ?? page.upTo)
    if reader.offset(of: lane) < end { reader.move(lane, to: end) }
  }
}
