internal import Core
internal import Feeds
internal import Reactor
internal import WebSocket

extension EdgeReactor {
  // MARK: Reading on

  /// Every place learns where it begins before any of them reads on: a cursor told before that would name no place
  /// where there is one, and a reader that resumed with it would be given what it did not ask for. A place that
  /// begins at the oldest message can wait, no place is what its cursor says. True while there is one to find out.
  func askNextStart(_ reader: Reader, of connection: Connection) -> Bool {
    for leg in reader.legs.indices {
      for place in reader.legs[leg].places.indices {
        guard case .start(let start) = reader.legs[leg].places[place].phase, start != .earliest || reader.isSocket else { continue }
        question(reader, Reader.Lane(shard: reader.legs[leg].places[place].shard, leg: leg, place: place), start, of: connection)
        return true
      }
    }
    return false
  }

  /// How far a reader got in one shard.
  enum Progress {
    /// It stands where the shard's feed stands, or, for a poll, where the shard stood.
    case arrived
    /// Something else must happen first.
    case held
    /// It asked, or its socket or its answer is full.
    case stopped
  }

  /// True when every shard has been read to its end.
  func readOn(_ reader: Reader, isLive: Bool, of connection: Connection) -> Bool {
    var hasArrived = true
    let isSocket = reader.isSocket
    let shards = isSocket ? reader.shards : []
    for index in 0..<(isSocket ? shards.count : reader.legs[0].places.count) {
      // Looked at before what comes next is asked for: a full answer takes nothing more, however much there is.
      if reader.limitReached {
        answer(reader, of: connection)
        return false
      }
      let progress =
        isSocket
        ? advanceTogether(reader, shards[index], isLive: isLive, of: connection)
        : advance(reader, Reader.Lane(shard: reader.legs[0].places[index].shard, leg: 0, place: index), isLive: isLive, of: connection)
      switch progress {
      case .arrived: break
      case .held: hasArrived = false
      case .stopped:
        if reader.limitReached { answer(reader, of: connection) }
        return false
      }
      if connection.isClosed || connection.output.pendingBytes >= RequestLimits.catchUpWindow { return false }
    }
    if !hasArrived, isSocket, announce(reader, on: connection) { makePumpable(connection) }
    return hasArrived
  }

  /// Reads a shard for several subscriptions: the least advanced first, up to the next, and then together. So the
  /// positions that a socket is sent never go back, and what it makes of them is true for all it follows.
  private func advanceTogether(_ reader: Reader, _ shard: ShardID, isLive: Bool, of connection: Connection) -> Progress {
    let end = fanout.feeds[shard.index].upTo
    for (leg, place) in reader.places(in: shard) {
      let current = reader.legs[leg].places[place]
      if current.phase == .awaitsLive {
        guard isLive else { continue }
        reader.legs[leg].places[place].offset = end
        reader.legs[leg].places[place].phase = .ready
        reader.legs[leg].began[place] = end
      } else if current.phase == .ready, current.offset > end, !current.isRead, reader.lane(in: shard)?.contains(leg) == false {
        // Its turn may never come: whether there is such a place only the shard knows.
        question(reader, Reader.Lane(shard: shard, leg: leg, place: place), .after(current.offset), isProbe: true, of: connection)
        return .stopped
      }
    }
    while let lane = reader.lane(in: shard) {
      // A subscription is told where it begins before anything is read for it.
      guard lane.allSatisfy({ reader.legs[$0.leg].isAnnounced }) else { return .held }
      let progress = advance(reader, lane, isLive: isLive, of: connection)
      guard progress == .arrived else { return progress }
      guard let ceiling = lane.ceiling else { return reader.hasPlaces(in: shard) ? .arrived : .held }
      guard reader.offset(of: lane) >= ceiling else { return .held }
      if connection.output.pendingBytes >= RequestLimits.catchUpWindow { return .stopped }
    }
    return .held
  }

  private func advance(_ reader: Reader, _ lane: Reader.Lane, isLive: Bool, of connection: Connection) -> Progress {
    let current = reader.legs[lane.leg].places[lane.place]
    let feed = fanout.feeds[lane.shard.index]
    switch current.phase {
    case .awaitsLive:
      guard reader.audience != nil else {
        question(reader, lane, .latest, of: connection)
        return .stopped
      }
      guard isLive else { return .held }
      reader.move(lane, to: feed.upTo)
      reader.legs[lane.leg].places[lane.place].phase = .ready
      reader.legs[lane.leg].began[lane.place] = feed.upTo
      return .arrived
    case .start(let start):
      question(reader, lane, start, of: connection)
      return .stopped
    case .ready:
      if let (leg, place) = lane.first(where: { reader.legs[$0.leg].places[$0.place].held != nil }) {
        writeHeld(reader, leg, place, upTo: lane.ceiling, of: connection)
        makePumpable(connection)
        return .stopped
      }
      if reader.audience == nil {
        // A poll asks the shard itself, so that whoever published reads what it published.
        if current.isRead { return .arrived }
      } else if isLive {
        if let coverage = feed.coverage(of: reader.filters(of: lane)), current.offset >= coverage, current.offset <= feed.upTo {
          announce(reader, on: connection)
          return readRecent(reader, lane, of: connection) ? .arrived : .stopped
        }
        // Ahead of the feed: what it has seen is on its way here.
        if current.isRead, current.offset > feed.upTo { return .held }
      } else if current.isRead {
        return .held
      }
      question(reader, lane, .after(current.offset), of: connection)
      return .stopped
    }
  }

  /// Reads on through what was pushed lately. True when the end is reached.
  private func readRecent(_ reader: Reader, _ lane: Reader.Lane, of connection: Connection) -> Bool {
    let feed = fanout.feeds[lane.shard.index]
    let end = min(feed.upTo, lane.ceiling ?? feed.upTo)
    let filters = reader.filters(of: lane)
    let wallTime = loop.wallTime
    var isAtEnd = true
    counters.cacheReads += 1
    feed.cache.forEach(after: reader.offset(of: lane)) { record in
      if record.offset > end { return false }
      if connection.output.pendingBytes >= RequestLimits.catchUpWindow {
        isAtEnd = false
        return false
      }
      let topic = record.topic
      if !record.isExpired(at: wallTime), filters.contains(where: { $0.matches(topic) }) {
        guard deliver(record, lane, for: reader, of: connection) else {
          isAtEnd = false
          return false
        }
      }
      reader.move(lane, to: record.offset)
      return true
    }
    if isAtEnd, reader.offset(of: lane) < end { reader.move(lane, to: end) }
    return isAtEnd
  }
}
