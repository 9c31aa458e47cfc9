internal import Core
internal import Feeds

// u8 part, then
//   1 published  u32 count, of each: u64 ticket, u8 outcome, u64 offset and i64 time or a refusal
//   2 read       u64 ticket   u8 1 and a refusal, or u8 0 and a page:
//                  u64 up to   u64 committed   u8 flags (1 current values, 2 behind)   u8 has gap, the gap   records
//   3 history    u64 ticket   u8 1 and a refusal, or u8 0, u32 count and so many records
//   4 interest   u64 ticket   u64 live from
//   5 consumer   u64 ticket   u8 1 and a refusal, or u8 0 and u32 count consumers
//   6 push       u64 up to   records
//   7 feedEnded  a refusal
//   8 presence   u64 ticket   u8 1 and a refusal, or u8 0 and an answer: see Presence+Coding
//   9 presencePush
//   10 session   u64 ticket   u8 1 and a refusal, or u8 0 and an answer: see Session+Coding
//   11 sessionNotice
//  48 group      see Group+Coding
// The shard stands in the frame's header. Pieces are written one behind the other and come out as one.

private enum Part: UInt8 {
  case published = 1
  case read = 2
  case history = 3
  case interest = 4
  case consumer = 5
  case push = 6
  case feedEnded = 7
  case presence = 8
  case presencePush = 9
  case session = 10
  case sessionNotice = 11
  case group = 48
}

private enum Outcome: UInt8 {
  case accepted = 1
  case duplicate = 2
  case refused = 3
}

private let isCurrentValues: UInt8 = 1
private let isBehind: UInt8 = 2

extension ShardReply {
  func encode(into buffer: inout ByteBuffer) throws(WireRefusal) {
    switch self {
    case .published(_, let results):
      buffer.append(Part.published.rawValue)
      try buffer.append(count: results.count, atMost: WireLimits.publishes)
      for result in results { buffer.append(result) }
    case .read(let reply):
      buffer.append(Part.read, reply.ticket)
      guard let page = buffer.append(reply.result) else { return }
      buffer.append(page)
    case .history(let reply):
      buffer.append(Part.history, reply.ticket)
      guard let records = buffer.append(reply.result) else { return }
      try buffer.append(count: records.count, atMost: WireLimits.walk)
      for record in records { buffer.append(record) }
    case .interest(let reply):
      buffer.append(Part.interest, reply.ticket)
      buffer.append(reply.liveFrom)
    case .consumer(let reply):
      buffer.append(Part.consumer, reply.ticket)
      guard let consumers = buffer.append(reply.result) else { return }
      try buffer.append(count: consumers.count, atMost: WireLimits.consumers)
      for consumer in consumers { try buffer.append(consumer) }
    case .push(let push):
      buffer.append(Part.push.rawValue)
      buffer.append(push.upTo)
      for piece in push.pieces { buffer.append(piece) }
    case .feedEnded(_, let refusal):
      buffer.append(Part.feedEnded.rawValue)
      buffer.append(refusal)
    case .presence(let reply):
      buffer.append(Part.presence, reply.ticket)
      guard let answer = buffer.append(reply.result) else { return }
      try buffer.append(answer)
    case .presencePush(let push):
      buffer.append(Part.presencePush.rawValue)
      try buffer.append(push)
    case .session(let reply):
      buffer.append(Part.session, reply.ticket)
      guard let answer = buffer.append(reply.result) else { return }
      try buffer.append(answer)
    case .sessionNotice(let notice):
      buffer.append(Part.sessionNotice.rawValue)
      buffer.append(notice)
    case .group(let reply):
      buffer.append(Part.group.rawValue)
      try buffer.append(reply.content)
    }
  }
}

extension ByteBuffer {
  fileprivate mutating func append(_ part: Part, _ ticket: Ticket) {
    append(part.rawValue)
    append(littleEndian: ticket.value)
  }

  /// Writes a refusal whole; of a success only that it is one, and gives it back.
  fileprivate mutating func append<Success>(_ result: Result<Success, Refusal>) -> Success? {
    switch result {
    case .success(let success):
      append(UInt8(0))
      return success
    case .failure(let refusal):
      append(UInt8(1))
      append(refusal)
      return nil
    }
  }

  fileprivate mutating func append(_ result: PublishResult) {
    append(littleEndian: result.ticket.value)
    switch result.outcome {
    case .accepted(let offset, let time):
      append(Outcome.accepted.rawValue)
      append(offset)
      append(time)
    case .duplicate(let offset, let time):
      append(Outcome.duplicate.rawValue)
      append(offset)
      append(time)
    case .refused(let refusal):
      append(Outcome.refused.rawValue)
      append(refusal)
    }
  }

  fileprivate mutating func append(_ page: ReadReply.Page) {
    append(page.upTo)
    append(page.committed)
    append((page.isCurrentValues ? isCurrentValues : 0) | (page.isBehind ? isBehind : 0))
    append(isSo: page.gap != nil)
    if let gap = page.gap { append(gap) }
    for piece in page.pieces { append(piece) }
  }

  fileprivate mutating func append(_ consumer: Consumer) throws(WireRefusal) {
    try append(text: consumer.name, atMost: WireLimits.consumerName)
    try append(consumer.filters, atMost: WireLimits.consumerFilters)
    try append(consumer.cursor)
    append(consumer.created)
    append(consumer.updated)
  }
}

extension FieldReader<WireRefusal> {
  @_lifetime(self: copy self)
  mutating func reply(of shard: ShardID, in payload: Bytes) throws(WireRefusal) -> ShardReply {
    let number = try u8()
    guard let part = Part(rawValue: number) else { throw .unknownPart(number) }
    switch part {
    case .published: return .published(shard, try results())
    case .read:
      let ticket = try ticket()
      return .read(ReadReply(shard: shard, ticket: ticket, result: try boolean() ? .failure(try refusal()) : .success(try page(in: payload))))
    case .history:
      let ticket = try ticket()
      return .history(
        HistoryReply(shard: shard, ticket: ticket, result: try boolean() ? .failure(try refusal()) : .success(try records(in: payload))))
    case .interest: return .interest(InterestReply(shard: shard, ticket: try ticket(), liveFrom: try offset()))
    case .consumer:
      let ticket = try ticket()
      return .consumer(ConsumerReply(shard: shard, ticket: ticket, result: try boolean() ? .failure(try refusal()) : .success(try consumers())))
    case .push:
      let upTo = try offset()
      let row = try rest(of: payload)
      guard try RecordRow.check(row, isRising: true) <= upTo else { throw .contradiction }
      return .push(FeedPush(shard: shard, pieces: row.isEmpty ? [] : [row], upTo: upTo))
    case .feedEnded: return .feedEnded(shard, try refusal())
    case .presence:
      let ticket = try ticket()
      return .presence(PresenceReply(shard: shard, ticket: ticket, result: try boolean() ? .failure(try refusal()) : .success(try presenceAnswer())))
    case .presencePush: return .presencePush(try presencePush(of: shard))
    case .session:
      let ticket = try ticket()
      return .session(SessionReply(shard: shard, ticket: ticket, result: try boolean() ? .failure(try refusal()) : .success(try sessionAnswer())))
    case .sessionNotice: return .sessionNotice(try sessionNotice(of: shard))
    case .group: return .group(GroupReply(shard: shard, try groupContent(in: payload)))
    }
  }

  @_lifetime(self: copy self)
  private mutating func results() throws(WireRefusal) -> [PublishResult] {
    let count = try count(atMost: WireLimits.publishes, size: 10)
    var results: [PublishResult] = []
    results.reserveCapacity(count)
    for _ in 0..<count {
      let ticket = try ticket()
      let number = try u8()
      guard let outcome = Outcome(rawValue: number) else { throw .unknownPart(number) }
      switch outcome {
      case .accepted: results.append(PublishResult(ticket: ticket, outcome: .accepted(try offset(), try time())))
      case .duplicate: results.append(PublishResult(ticket: ticket, outcome: .duplicate(try offset(), try time())))
      case .refused: results.append(PublishResult(ticket: ticket, outcome: .refused(try refusal())))
      }
    }
    return results
  }

  @_lifetime(self: copy self)
  private mutating func page(in payload: Bytes) throws(WireRefusal) -> ReadReply.Page {
    let upTo = try offset()
    let committed = try offset()
    let flags = try u8()
    guard flags <= isCurrentValues | isBehind else { throw .unknownPart(flags) }
    let gap = try boolean() ? try gap() : nil
    let row = try rest(of: payload)
    try RecordRow.check(row, isRising: false)
    return ReadReply.Page(
      pieces: row.isEmpty ? [] : [row], upTo: upTo, committed: committed, gap: gap, isCurrentValues: flags & isCurrentValues != 0,
      isBehind: flags & isBehind != 0)
  }

  @_lifetime(self: copy self)
  private mutating func records(in payload: Bytes) throws(WireRefusal) -> [Bytes] {
    let count = try count(atMost: WireLimits.walk, size: RecordLayout.headerSize)
    return try RecordRow.split(try rest(of: payload), count: count)
  }

  @_lifetime(self: copy self)
  private mutating func consumers() throws(WireRefusal) -> [Consumer] {
    let count = try count(atMost: WireLimits.consumers, size: 34)
    var consumers: [Consumer] = []
    consumers.reserveCapacity(count)
    for _ in 0..<count {
      let name = try text(atMost: WireLimits.consumerName)
      let filters = try filters(atMost: WireLimits.consumerFilters)
      let cursor = try cursor()
      consumers.append(Consumer(name: name, filters: filters, cursor: cursor, created: try time(), updated: try time()))
    }
    return consumers
  }
}
