internal import Core
internal import Feeds

// u8 part, u32 edge, then
//   1 publish   u32 count, of each: u8 flags (1 answer, 2 condition), u64 ticket, u64 expected head if there is one; drafts
//   2 read      u64 ticket   u8 start, its number   u32 bytes   filters
//   3 history   u64 ticket   topic   u8 has before, u64 before   u32 limit
//   4 interest  u64 ticket   filters to add   filters to remove   u8 restarts   u64 seen
//   5 consumer  u64 ticket   u8 operation, its parts
//   6 presence  u64 ticket   see Presence+Coding
//   7 session   u64 ticket   see Session+Coding
//  48 group     u64 ticket   see Group+Coding
// Filters are u32 count, and of each u16 length and the text. A cursor is u64 cluster, u32 count, and of each place u16 shard
// and u64 offset.

private enum Part: UInt8 {
  case publish = 1
  case read = 2
  case history = 3
  case interest = 4
  case consumer = 5
  case presence = 6
  case session = 7
  case group = 48
}

private enum Start: UInt8 {
  case after = 1
  case latest = 2
  case earliest = 3
  case time = 4
  case last = 5
  case current = 6
}

private enum Operation: UInt8 {
  case list = 1
  case show = 2
  case open = 3
  case acknowledge = 4
  case delete = 5
}

private let wantsAnswer: UInt8 = 1
private let hasCondition: UInt8 = 2

extension ShardRequest {
  func encode(into buffer: inout ByteBuffer) throws(WireRefusal) {
    switch self {
    case .publish(let batch):
      buffer.begin(.publish, batch.edge)
      try buffer.append(batch)
    case .read(let request):
      buffer.begin(.read, request.edge)
      buffer.append(littleEndian: request.ticket.value)
      try buffer.append(request.start)
      try buffer.append(number: request.maximumBytes, atMost: WireLimits.pageBytes)
      try buffer.append(request.filters, atMost: WireLimits.filters)
    case .history(let request):
      buffer.begin(.history, request.edge)
      buffer.append(littleEndian: request.ticket.value)
      try buffer.append(name: request.topic.bytes)
      buffer.append(isSo: request.before != nil)
      if let before = request.before { buffer.append(before) }
      try buffer.append(number: request.limit, atMost: WireLimits.walk)
    case .interest(let change):
      buffer.begin(.interest, change.edge)
      buffer.append(littleEndian: change.ticket.value)
      try buffer.append(change.add, atMost: WireLimits.filters)
      try buffer.append(change.remove, atMost: WireLimits.filters)
      buffer.append(isSo: change.restarts)
      buffer.append(change.seen)
    case .consumer(let request):
      buffer.begin(.consumer, request.edge)
      buffer.append(littleEndian: request.ticket.value)
      try buffer.append(request.operation)
    case .presence(let request):
      buffer.begin(.presence, request.edge)
      buffer.append(littleEndian: request.ticket.value)
      try buffer.append(request.operation)
    case .session(let request):
      buffer.begin(.session, request.edge)
      buffer.append(littleEndian: request.ticket.value)
      try buffer.append(request.operation)
    case .group(let request):
      buffer.begin(.group, request.edge)
      try buffer.append(request)
    }
  }
}

extension ByteBuffer {
  fileprivate mutating func begin(_ part: Part, _ edge: EdgeID) {
    append(part.rawValue)
    append(littleEndian: edge.value)
  }

  fileprivate mutating func append(_ batch: PublishBatch) throws(WireRefusal) {
    try append(count: batch.entries.count, atMost: WireLimits.publishes)
    for entry in batch.entries {
      append((entry.wantsAnswer ? wantsAnswer : 0) | (entry.expectedHead != nil ? hasCondition : 0))
      append(littleEndian: entry.ticket.value)
      if let head = entry.expectedHead { append(head) }
    }
    batch.records.withUnsafeBytes { append($0) }
  }

  fileprivate mutating func append(_ start: ReadStart) throws(WireRefusal) {
    switch start {
    case .after(let offset):
      append(Start.after.rawValue)
      append(offset)
    case .latest: append(Start.latest.rawValue)
    case .earliest: append(Start.earliest.rawValue)
    case .time(let time):
      append(Start.time.rawValue)
      append(time)
    case .last(let count):
      append(Start.last.rawValue)
      try append(number: count, atMost: WireLimits.walk)
    case .current: append(Start.current.rawValue)
    }
  }

  fileprivate mutating func append(_ operation: ConsumerRequest.Operation) throws(WireRefusal) {
    switch operation {
    case .list: append(Operation.list.rawValue)
    case .show(let name):
      append(Operation.show.rawValue)
      try append(text: name, atMost: WireLimits.consumerName)
    case .open(let name, let filters, let cursor):
      append(Operation.open.rawValue)
      try append(text: name, atMost: WireLimits.consumerName)
      try append(filters, atMost: WireLimits.consumerFilters)
      try append(cursor)
    case .acknowledge(let name, let cursor, let reset):
      append(Operation.acknowledge.rawValue)
      try append(text: name, atMost: WireLimits.consumerName)
      try append(cursor)
      append(isSo: reset)
    case .delete(let name):
      append(Operation.delete.rawValue)
      try append(text: name, atMost: WireLimits.consumerName)
    }
  }
}

extension FieldReader<WireRefusal> {
  @_lifetime(self: copy self)
  mutating func edge() throws(WireRefusal) -> EdgeID { EdgeID(try u32()) }

  @_lifetime(self: copy self)
  mutating func ticket() throws(WireRefusal) -> Ticket { Ticket(try u64()) }

  @_lifetime(self: copy self)
  mutating func request(in payload: Bytes) throws(WireRefusal) -> ShardRequest {
    let number = try u8()
    guard let part = Part(rawValue: number) else { throw .unknownPart(number) }
    let edge = try edge()
    switch part {
    case .publish: return .publish(try batch(of: edge, in: payload))
    case .read:
      let ticket = try ticket()
      let start = try start()
      let maximumBytes = try self.number(atMost: WireLimits.pageBytes)
      let filters = try filters(atMost: WireLimits.filters)
      return .read(ReadRequest(edge: edge, ticket: ticket, filters: filters, start: start, maximumBytes: maximumBytes))
    case .history:
      let ticket = try ticket()
      let topic = try topic()
      let before = try boolean() ? try claimedOffset() : nil
      return .history(
        HistoryRequest(edge: edge, ticket: ticket, topic: topic, before: before, limit: try self.number(atMost: WireLimits.walk)))
    case .interest:
      let ticket = try ticket()
      let add = try filters(atMost: WireLimits.filters)
      let remove = try filters(atMost: WireLimits.filters)
      let restarts = try boolean()
      return .interest(
        InterestChange(edge: edge, ticket: ticket, add: add, remove: remove, restarts: restarts, seen: try offset()))
    case .consumer: return .consumer(ConsumerRequest(edge: edge, ticket: try ticket(), operation: try operation()))
    case .presence: return .presence(PresenceRequest(edge: edge, ticket: try ticket(), operation: try presenceOperation()))
    case .session: return .session(SessionRequest(edge: edge, ticket: try ticket(), operation: try sessionOperation()))
    case .group: return .group(try groupRequest(of: edge))
    }
  }

  /// The drafts are copied, all at once: the shard's leader writes its stamps into them.
  @_lifetime(self: copy self)
  private mutating func batch(of edge: EdgeID, in payload: Bytes) throws(WireRefusal) -> PublishBatch {
    let count = try count(atMost: WireLimits.publishes, size: 9 + RecordLayout.headerSize)
    var entries: [PublishEntry] = []
    entries.reserveCapacity(count)
    for _ in 0..<count {
      let flags = try u8()
      guard flags <= wantsAnswer | hasCondition else { throw .unknownPart(flags) }
      let ticket = try ticket()
      let head = flags & hasCondition != 0 ? try claimedOffset() : nil
      entries.append(PublishEntry(ticket: ticket, length: 0, expectedHead: head, wantsAnswer: flags & wantsAnswer != 0))
    }
    let drafts = try rest(of: payload)
    try drafts.withUnsafeBytes { memory throws(WireRefusal) in
      var at = 0
      for index in entries.indices {
        entries[index].length = try RecordRow.draft(UnsafeRawBufferPointer(rebasing: memory[at...]))
        at += entries[index].length
      }
      guard at == memory.count else { throw .trailingBytes }
    }
    let batch = PublishBatch(edge: edge, capacity: drafts.count)
    batch.records.append(drafts)
    batch.entries = entries
    return batch
  }

  @_lifetime(self: copy self)
  private mutating func start() throws(WireRefusal) -> ReadStart {
    let number = try u8()
    guard let start = Start(rawValue: number) else { throw .unknownPart(number) }
    switch start {
    case .after: return .after(try claimedOffset())
    case .latest: return .latest
    case .earliest: return .earliest
    case .time: return .time(try time())
    case .last: return .last(try self.number(atMost: WireLimits.walk))
    case .current: return .current
    }
  }

  @_lifetime(self: copy self)
  private mutating func operation() throws(WireRefusal) -> ConsumerRequest.Operation {
    let number = try u8()
    guard let operation = Operation(rawValue: number) else { throw .unknownPart(number) }
    switch operation {
    case .list: return .list
    case .show: return .show(name: try text(atMost: WireLimits.consumerName))
    case .open:
      let name = try text(atMost: WireLimits.consumerName)
      return .open(name: name, filters: try filters(atMost: WireLimits.consumerFilters), cursor: try cursor())
    case .acknowledge:
      let name = try text(atMost: WireLimits.consumerName)
      return .acknowledge(name: name, cursor: try cursor(), reset: try boolean())
    case .delete: return .delete(name: try text(atMost: WireLimits.consumerName))
    }
  }
}
