internal import Core
internal import Feeds
internal import MQTT
internal import Reactor
internal import WebSocket

extension EdgeReactor {
  // MARK: Delivering to one reader

  /// Writes one record for this reader alone. False, and nothing written, when its answer is full.
  func deliver(_ record: RecordView, _ lane: Reader.Lane, for reader: Reader, of connection: Connection) -> Bool {
    let shard = lane.shard
    if reader.legs.count > 1, reader.isOthers(record, lane) { return true }
    switch reader.goal {
    case .value, .locate: return true
    case .answer(let limit, let waits):
      if reader.eventCount >= limit || (reader.eventCount > 0 && reader.events.count + record.length > RequestLimits.bytesPerAnswer) {
        reader.limitReached = true
        return false
      }
      appendToAnswer(record, shard, retained: false, reader)
      counters.catchUpEvents[(waits ? Transport.longPoll : .http).rawValue] += 1
    case .follow(let format):
      if case .mqtt(let session) = connection.role { return deliver(record, shard, isCurrent: false, to: session, connection) }
      if format.carriesCursor {
        reader.move(lane, to: record.offset)
        let shards = reader.shards
        fanout.renderer.appendID(shards, reader.offsets(of: shards), into: &connection.output.own)
      }
      fanout.renderer.appendBody(record, shard, as: format, wall: loop.wallTime, into: &connection.output.own)
      list(connection)
      counters.catchUpEvents[format.transport.rawValue] += 1
    }
    return true
  }

  /// A current value: no place in the log goes with it, so that a stream cut here begins anew.
  func deliverCurrent(_ record: RecordView, _ shard: ShardID, for reader: Reader, of connection: Connection) {
    switch reader.goal {
    case .value, .locate: break
    case .answer:
      appendToAnswer(record, shard, retained: true, reader)
    case .follow(let format):
      if case .mqtt(let session) = connection.role { return deliverCurrent(record, shard, to: session, connection) }
      fanout.renderer.appendBody(record, shard, as: format, wall: loop.wallTime, retained: true, into: &connection.output.own)
      list(connection)
    }
  }

  private func appendToAnswer(_ record: RecordView, _ shard: ShardID, retained: Bool, _ reader: Reader) {
    fanout.renderer.appendBody(record, shard, as: .json, wall: loop.wallTime, retained: retained, into: &reader.events)
    reader.eventCount += 1
  }

  // MARK: What a reader is told beside messages

  func cursorText(of reader: Reader, _ leg: Int) -> String {
    Cursor(cluster: settings.cluster, positions: reader.legs[leg].places.map { Position($0.shard, $0.offset) }).description
  }

  /// Moves the lane behind the gap, and tells each of its legs. How much was skipped is known of all it wants together.
  func tell(_ gap: ReadGap, _ lane: Reader.Lane, _ reader: Reader, _ connection: Connection) {
    let legs = [lane.leg] + lane.others.map(\.leg)
    let froms = legs.map { cursorText(of: reader, $0) }
    reader.move(lane, to: gap.to)
    if case .mqtt(let session) = connection.role { keep(gap, of: lane.shard, connection, session) }
    for (leg, from) in zip(legs, froms) {
      tell(
        Gap(
          reason: GapReason(gap.reason), from: from, to: cursorText(of: reader, leg),
          skipped: legs.count == 1 ? gap.skipped : nil), leg, reader, connection)
    }
  }

  func tell(_ gap: Gap, _ leg: Int, _ reader: Reader, _ connection: Connection) {
    counters.gaps += 1
    var gap = gap
    switch reader.goal {
    case .value, .locate: break
    case .answer:
      // An answer has one gap: from where the first shard's begins to where every shard's has ended.
      if let told = reader.gap {
        gap.from = told.from
        gap.reason = told.reason
        gap.skipped = told.skipped.flatMap { first in gap.skipped.map { first + $0 } }
      }
      reader.gap = gap
    case .follow(let format):
      if case .mqtt(let session) = connection.role { return tellMQTT(gap, connection, session) }
      gap.subscription = reader.legs[leg].subscription
      let shards = reader.shards
      fanout.renderer.appendGapEvent(gap, as: format, shards: shards, offsets: reader.offsets(of: shards), into: &connection.output.own)
      list(connection)
    }
  }

  /// Tells a stream where it starts, as soon as that is known and before its first message.
  @discardableResult func announce(_ reader: Reader, on connection: Connection) -> Bool {
    guard case .follow(let format) = reader.goal else { return false }
    if case .webSocket = connection.role { return announceSubscriptions(reader, connection) }
    if case .mqtt(let session) = connection.role { return announceSubscribes(reader, connection, session) }
    guard !reader.toldStart, reader.hasPlaces else { return false }
    reader.toldStart = true
    if format.carriesCursor {
      let shards = reader.shards
      fanout.renderer.appendID(shards, reader.offsets(of: shards), into: &connection.output.own)
      connection.output.own.append(UInt8(ascii: "\n"))
      list(connection)
    }
    return true
  }

  func readFailed(_ reader: Reader, _ connection: Connection, _ refusal: Refusal) {
    switch reader.goal {
    case .answer, .value: answerRefusal(reader, of: connection, refusal)
    case .locate(let then):
      connection.reader = nil
      then(self, connection, .failure(refusal))
    case .follow:
      if case .mqtt(let session) = connection.role {
        return readAgain(connection, session, refusal)
      }
      if case .webSocket = connection.role {
        sendError(connection, OperationError(code: refusal.code, detail: problem(of: refusal).detail))
        WebSocketEncoder.append(
          close: refusal.isLasting ? .internalError : .tryAgainLater, reason: "what is followed cannot be read", into: &connection.output.own)
      }
      closeWhenSent(connection)
    }
  }
}
