internal import Core
internal import Feeds
internal import Reactor
internal import SSE

extension EdgeReactor {
  // MARK: Beginning

  /// Where a leg begins in each of its shards.
  func leg(for wish: ReadWish, subscription: String = "") -> Reader.Leg {
    let shards = Fanout.shards(of: wish.filters, among: settings.shardCount)
    var foreign: String?
    let places = shards.map { shard in
      var offset = Offset.zero
      let phase: Reader.Phase
      switch wish.start {
      case .latest: phase = .awaitsLive
      case .earliest: phase = .start(.earliest)
      case .time(let time): phase = .start(.time(time))
      case .last(let count): phase = .start(.last(count))
      case .current: phase = .start(.current)
      case .cursor(let cursor) where cursor.cluster == settings.cluster:
        offset = cursor[shard]
        phase = .ready
      case .cursor: phase = .start(.earliest)
      }
      return Reader.Place(shard: shard, filters: filters(wish.filters, on: shard), offset: offset, phase: phase)
    }
    if case .cursor(let cursor) = wish.start, cursor.cluster != settings.cluster { foreign = cursor.description }
    var leg = Reader.Leg(
      filters: wish.filters, subscription: subscription, places: places, began: places.map(\.offset), foreign: foreign)
    if case .cursor = wish.start { leg.isResumed = foreign == nil }
    return leg
  }

  /// Those of `filters` that can match in `shard`: a feed holds no others, so none else may be asked of it.
  func filters(_ filters: [Filter], on shard: ShardID) -> [Filter] {
    filters.filter { $0.shard(among: settings.shardCount).map { $0 == shard } ?? true }
  }

  /// Makes `reader` the connection's and sets it going.
  func begin(_ reader: Reader, on connection: Connection, format: EventFormat) {
    connection.reader = reader
    let followed = Set(reader.filters).sorted { $0.description < $1.description }
    switch reader.goal {
    case .follow, .answer(_, waits: true):
      let audience = fanout.audience(Audience.Key(format: format, filters: followed), now: now)
      audience.emptySince = nil
      fanout.await(audience, connection.key)
      reader.audience = audience
    case .answer, .value, .locate:
      break
    }
    makePumpable(connection)
  }

  func release(_ reader: Reader, of connection: Connection) {
    reader.audience?.remove(reader: connection.key)
    reader.audience = nil
  }

  func makePumpable(_ connection: Connection) {
    pumpable.append(connection.key)
  }

  func pumpReaders() {
    var index = 0
    // However much came for an audience, its readers are looked at once for it.
    while let audience = fanout.woken.popLast() {
      audience.isWoken = false
      pumpable.append(contentsOf: audience.readers)
    }
    while index < pumpable.count {
      if let connection = connections[pumpable[index]], let reader = connection.reader, !connection.isClosed {
        pump(reader, of: connection)
      }
      index += 1
    }
    pumpable.removeAll(keepingCapacity: true)
  }

  /// Something moved on `shard`: readers on their way to an audience there may go on.
  func pumpReadersWaiting(on shard: ShardID) {
    fanout.forEachAwaited { audience in
      if !audience.isWoken, audience.places[shard.index] >= 0 {
        audience.isWoken = true
        fanout.woken.append(audience)
      }
    }
  }

  // MARK: Reading on

  /// Takes the reader as far as it gets without waiting: through recent pushes, to a question, or to its goal.
  func pump(_ reader: Reader, of connection: Connection) {
    // Whoever's socket takes nothing is not read for: it keeps its place, and goes on when the socket drains.
    guard reader.question == nil, !connection.isBlocked, connection.output.pendingBytes < RequestLimits.catchUpWindow else { return }
    let isLive = reader.audience.map { fanout.isLive($0) } ?? false
    if askNextStart(reader, of: connection) { return }
    announce(reader, on: connection)
    for legIndex in reader.legs.indices {
      for placeIndex in reader.legs[legIndex].places.indices {
        // Looked at before what comes next is asked for: a full answer takes nothing more, however much there is.
        if reader.limitReached { return answer(reader, of: connection) }
        guard advance(reader, legIndex, placeIndex, isLive: isLive, of: connection) else {
          if reader.limitReached { answer(reader, of: connection) }
          return
        }
        if connection.isClosed || connection.output.pendingBytes >= RequestLimits.catchUpWindow { return }
      }
    }
    announce(reader, on: connection)
    switch reader.goal {
    case .value: break
    case .locate(let then):
      connection.reader = nil
      let places = reader.legs[0].places
      then(self, connection, Cursor(cluster: settings.cluster, positions: places.map { Position($0.shard, $0.offset) }))
    case .follow: join(reader, connection)
    case .answer(_, let waits):
      if reader.eventCount > 0 || reader.gap != nil || !waits { answer(reader, of: connection) } else { wait(reader, connection) }
    }
  }

  /// Every place learns where it begins before any of them reads on: a cursor told before that would name no place
  /// where there is one, and a reader that resumed with it would be given what it did not ask for. A place that
  /// begins at the oldest message can wait, no place is what its cursor says. True while there is one to find out.
  private func askNextStart(_ reader: Reader, of connection: Connection) -> Bool {
    for leg in reader.legs.indices {
      for place in reader.legs[leg].places.indices {
        guard case .start(let start) = reader.legs[leg].places[place].phase, start != .earliest else { continue }
        question(reader, leg, place, start, of: connection)
        return true
      }
    }
    return false
  }

  /// True when the place stands where its shard's feed stands, or, for a poll, where the shard stood.
  private func advance(_ reader: Reader, _ leg: Int, _ place: Int, isLive: Bool, of connection: Connection) -> Bool {
    let current = reader.legs[leg].places[place]
    let feed = fanout.feeds[current.shard.index]
    switch current.phase {
    case .awaitsLive:
      guard reader.audience != nil else {
        question(reader, leg, place, .latest, of: connection)
        return false
      }
      guard isLive else { return false }
      reader.legs[leg].places[place].offset = feed.upTo
      reader.legs[leg].places[place].phase = .ready
      reader.legs[leg].began[place] = feed.upTo
      return true
    case .start(let start):
      question(reader, leg, place, start, of: connection)
      return false
    case .ready:
      if let page = current.held {
        reader.legs[leg].places[place].held = nil
        write(page, leg, place, for: reader, of: connection)
        reader.legs[leg].places[place].isRead = page.upTo >= page.committed
        makePumpable(connection)
        return false
      }
      if reader.audience == nil {
        // A poll asks the shard itself, so that whoever published reads what it published.
        if current.isRead { return true }
      } else if isLive {
        if let coverage = feed.coverage(of: current.filters), current.offset >= coverage, current.offset <= feed.upTo {
          announce(reader, on: connection)
          return readRecent(reader, leg, place, of: connection)
        }
        // Ahead of the feed: what it has seen is on its way here.
        if current.isRead, current.offset > feed.upTo { return false }
      } else if current.isRead {
        return false
      }
      question(reader, leg, place, .after(current.offset), of: connection)
      return false
    }
  }

  /// Reads on through what was pushed lately. True when the end is reached.
  private func readRecent(_ reader: Reader, _ leg: Int, _ place: Int, of connection: Connection) -> Bool {
    let shard = reader.legs[leg].places[place].shard
    let filters = reader.legs[leg].places[place].filters
    let wallTime = loop.wallTime
    var isAtEnd = true
    counters.cacheReads += 1
    fanout.feeds[shard.index].cache.forEach(after: reader.legs[leg].places[place].offset) { record in
      if connection.output.pendingBytes >= RequestLimits.catchUpWindow {
        isAtEnd = false
        return false
      }
      let topic = record.topic
      if !record.isExpired(at: wallTime), filters.contains(where: { $0.matches(topic) }) {
        guard deliver(record, shard, leg, place, for: reader, of: connection) else {
          isAtEnd = false
          return false
        }
      }
      reader.legs[leg].places[place].offset = record.offset
      return true
    }
    if isAtEnd {
      let end = fanout.feeds[shard.index].upTo
      if reader.legs[leg].places[place].offset < end { reader.legs[leg].places[place].offset = end }
    }
    return isAtEnd
  }

  /// Asks the shard for what comes next.
  private func question(_ reader: Reader, _ leg: Int, _ place: Int, _ start: ReadStart, of connection: Connection) {
    let sequence = nextSequence()
    reader.question = (sequence, leg, place)
    counters.reads += 1
    ask(
      reader.legs[leg].places[place].shard,
      .read(
        ReadRequest(
          edge: edge, ticket: TicketParts.make(connection.key, sequence), filters: reader.legs[leg].places[place].filters, start: start,
          maximumBytes: RequestLimits.readBytes)))
  }

  /// A shard's answer to a reader.
  func take(_ reply: ReadReply, for reader: Reader, of connection: Connection) {
    guard let question = reader.question, question.sequence == TicketParts(reply.ticket).sequence else { return }
    reader.question = nil
    let leg = question.leg
    let place = question.place
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
          tell(GapReason.foreign, from: foreign, reader, leg, connection)
        }
        if wait(for: start, page, reader, leg, place) { return makePumpable(connection) }
      } else if let gap = page.gap {
        let from = cursorText(of: reader, leg)
        reader.legs[leg].places[place].offset = gap.to
        tell(gap.reason == .future ? .future : .expired, from: from, reader, leg, connection)
      }
      if case .locate = reader.goal {
        reader.legs[leg].places[place].isRead = true
        return makePumpable(connection)
      }
      if !page.isCurrentValues { announce(reader, on: connection) }
      write(page, leg, place, for: reader, of: connection)
      reader.legs[leg].places[place].isRead = page.upTo >= page.committed
      makePumpable(connection)
    }
  }

  /// Keeps a page back while other places do not know yet where they begin. True if it is not to be written now.
  private func wait(for start: ReadStart, _ page: ReadReply.Page, _ reader: Reader, _ leg: Int, _ place: Int) -> Bool {
    guard !reader.knowsStarts else { return false }
    switch start {
    case .time: return true  // It is read again from where it begins, rather than kept.
    case .last:
      // The last messages of each topic are no stretch of the log: they cannot be read again.
      reader.legs[leg].places[place].held = page
      return true
    case .current, .earliest, .latest, .after: return false
    }
  }

  private func firstOffset(_ page: ReadReply.Page) -> Offset? {
    page.pieces.first { $0.count > 0 }.map { piece in piece.withUnsafeBytes { RecordView(trusting: $0.baseAddress.unsafelyUnwrapped).offset } }
  }

  private func write(_ page: ReadReply.Page, _ leg: Int, _ place: Int, for reader: Reader, of connection: Connection) {
    let shard = reader.legs[leg].places[place].shard
    for piece in page.pieces {
      let goesOn = piece.withUnsafeBytes { bytes in
        for record in RecordSequence(trusting: bytes) {
          if page.isCurrentValues {
            deliverCurrent(record, shard, for: reader, of: connection)
          } else {
            guard deliver(record, shard, leg, place, for: reader, of: connection) else { return false }
            reader.legs[leg].places[place].offset = record.offset
          }
        }
        return true
      }
      if !goesOn { return }
    }
    if reader.legs[leg].places[place].offset < page.upTo { reader.legs[leg].places[place].offset = page.upTo }
  }

  // MARK: Delivering to one reader

  /// Writes one record for this reader alone. False, and nothing written, when its answer is full.
  private func deliver(_ record: RecordView, _ shard: ShardID, _ leg: Int, _ place: Int, for reader: Reader, of connection: Connection) -> Bool {
    if leg > 0, reader.isDelivered(record, place: shard, before: leg) { return true }
    switch reader.goal {
    case .value, .locate: return true
    case .answer(let limit, _):
      if reader.eventCount >= limit || (reader.eventCount > 0 && reader.events.count + record.length > RequestLimits.bytesPerAnswer) {
        reader.limitReached = true
        return false
      }
      appendToAnswer(record, shard, retained: false, reader)
    case .follow(let format):
      if format.carriesCursor {
        reader.legs[leg].places[place].offset = record.offset
        let shards = reader.shards
        fanout.renderer.appendID(shards, reader.offsets(of: shards), into: &connection.output.own)
      }
      fanout.renderer.appendBody(record, shard, as: format, into: &connection.output.own)
      list(connection)
    }
    counters.catchUpEvents += 1
    return true
  }

  /// A current value: no place in the log goes with it, so that a stream cut here begins anew.
  private func deliverCurrent(_ record: RecordView, _ shard: ShardID, for reader: Reader, of connection: Connection) {
    switch reader.goal {
    case .value, .locate: break
    case .answer:
      appendToAnswer(record, shard, retained: true, reader)
    case .follow(let format):
      fanout.renderer.appendBody(record, shard, as: format, retained: true, into: &connection.output.own)
      list(connection)
    }
  }

  private func appendToAnswer(_ record: RecordView, _ shard: ShardID, retained: Bool, _ reader: Reader) {
    fanout.renderer.appendBody(record, shard, as: .json, retained: retained, into: &reader.events)
    reader.eventCount += 1
  }

  // MARK: What a reader is told beside messages

  func cursorText(of reader: Reader, _ leg: Int) -> String {
    Cursor(cluster: settings.cluster, positions: reader.legs[leg].places.map { Position($0.shard, $0.offset) }).description
  }

  private func tell(_ reason: GapReason, from: String, _ reader: Reader, _ leg: Int, _ connection: Connection) {
    counters.gaps += 1
    let gap = Gap(reason: reason, from: from, to: cursorText(of: reader, leg), skipped: nil)
    switch reader.goal {
    case .value, .locate: break
    case .answer:
      // An answer has one gap: from where the first shard's begins to where every shard's has ended.
      if reader.gap == nil { reader.gap = gap } else { reader.gap?.to = gap.to }
    case .follow(let format):
      let shards = reader.shards
      fanout.renderer.appendGapEvent(gap, as: format, shards: shards, offsets: reader.offsets(of: shards), into: &connection.output.own)
      list(connection)
    }
  }

  /// Tells a stream where it starts, as soon as that is known and before its first message.
  func announce(_ reader: Reader, on connection: Connection) {
    guard case .follow(let format) = reader.goal else { return }
    if case .webSocket(let session) = connection.role {
      announceSubscriptions(reader, connection, session)
      return
    }
    guard !reader.toldStart, reader.hasPlaces else { return }
    reader.toldStart = true
    if format.carriesCursor {
      let shards = reader.shards
      fanout.renderer.appendID(shards, reader.offsets(of: shards), into: &connection.output.own)
      connection.output.own.append(UInt8(ascii: "\n"))
      list(connection)
    }
  }

  private func readFailed(_ reader: Reader, _ connection: Connection, _ refusal: Refusal) {
    switch reader.goal {
    case .answer, .value, .locate: answerRefusal(reader, of: connection, refusal)
    case .follow: closeWhenSent(connection)
    }
  }
}
