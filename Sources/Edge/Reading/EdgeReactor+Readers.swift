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
      reader.isAwaited = true
      reader.audience = audience
    case .answer, .value, .locate:
      break
    }
    makePumpable(connection)
  }

  func release(_ reader: Reader, of connection: Connection) {
    reader.audience?.remove(reader: connection.key)
    reader.audience?.remove(parked: connection.key)
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
      if audience.parkedAt != nil { unpark(audience) }
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
    guard reader.question == nil, !reader.isParked, !connection.isBlocked, connection.output.pendingBytes < RequestLimits.catchUpWindow else { return }
    if case .mqtt(let session) = connection.role {
      guard session.readsAgainAt == nil, drainBacklog(connection, session) else { return }
    }
    let isLive = reader.audience.map { fanout.isLive($0) } ?? false
    if askNextStart(reader, of: connection) { return }
    announce(reader, on: connection)
    guard readOn(reader, isLive: isLive, of: connection) else {
      if reader.isAtHome { awaitFeed(reader, connection) }
      return
    }
    announce(reader, on: connection)
    switch reader.goal {
    case .value: break
    case .locate(let then):
      connection.reader = nil
      let places = reader.legs[0].places
      then(self, connection, .success(Cursor(cluster: settings.cluster, positions: places.map { Position($0.shard, $0.offset) })))
    case .follow(.mqttAlone): park(reader, connection)
    case .follow: join(reader, connection)
    case .answer(_, let waits):
      if reader.eventCount > 0 || reader.gap != nil || !waits { answer(reader, of: connection) } else { wait(reader, connection) }
    }
  }
}
