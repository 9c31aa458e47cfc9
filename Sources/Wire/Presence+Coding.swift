internal import Core
internal import Feeds

// A request is u8 operation, then
//   1 announce  u64 source   u64 sequence   u8 flags (1 begins, 2 completes)   u32 count, of each: topic and member;
//               topics to watch; topics no more to watch
//   2 ask       filters   u32 limit   u8 has after, its id   u8 numbers alone
// An answer is u8 kind, then
//   1 receipt   u64 table   u64 sequence   u64 pushes   u8 wants the whole   u32 count, of each refused: topic, id, u8 reason
//   2 list      u32 count, of each: topic, u32 how many, members; u64 count of all   u8 flags (1 truncated, 2 partial)
// A push is u64 table   u64 number   u32 count, of each: topic, u8 flags (1 begins, 2 completes, 4 partial), members, ids.
// A member is its id, its data, i64 since, u32 connections. Topics, members and ids are u32 count and so many; an id and the
// data are u16 length and the text.

private enum Operation: UInt8 {
  case announce = 1
  case ask = 2
}

private enum Kind: UInt8 {
  case receipt = 1
  case list = 2
}

private let begins: UInt8 = 1
private let completes: UInt8 = 2
private let isPartOfState: UInt8 = 4
private let isTruncated: UInt8 = 1
private let isPartial: UInt8 = 2

// Writing ----------------------------------------------------------------------------------------------

extension ByteBuffer {
  mutating func append(_ operation: PresenceRequest.Operation) throws(WireRefusal) {
    switch operation {
    case .announce(let announcement):
      append(Operation.announce.rawValue)
      append(littleEndian: announcement.source)
      append(littleEndian: announcement.sequence)
      append((announcement.begins ? begins : 0) | (announcement.completes ? completes : 0))
      try append(count: announcement.entries.count, atMost: WireLimits.presence)
      for entry in announcement.entries {
        try append(name: entry.topic.bytes)
        try append(entry.member)
      }
      try append(announcement.watch)
      try append(announcement.unwatch)
    case .ask(let question):
      append(Operation.ask.rawValue)
      try append(question.filters, atMost: WireLimits.filters)
      try append(number: question.limit, atMost: WireLimits.presence)
      append(isSo: question.after != nil)
      if let after = question.after { try append(short: after, atMost: WireLimits.presenceID) }
      append(isSo: question.wantsCountOnly)
    }
  }

  mutating func append(_ answer: PresenceReply.Answer) throws(WireRefusal) {
    switch answer {
    case .receipt(let receipt):
      append(Kind.receipt.rawValue)
      append(littleEndian: receipt.table)
      append(littleEndian: receipt.sequence)
      append(littleEndian: receipt.pushes)
      append(isSo: receipt.wantsWhole)
      try append(count: receipt.refused.count, atMost: WireLimits.presence)
      for denial in receipt.refused {
        try append(name: denial.topic.bytes)
        try append(short: denial.id, atMost: WireLimits.presenceID)
        append(denial.reason.rawValue)
      }
    case .list(let list):
      append(Kind.list.rawValue)
      try append(count: list.topics.count, atMost: WireLimits.presence)
      for entry in list.topics {
        try append(name: entry.topic.bytes)
        try append(number: entry.count, atMost: Int(UInt32.max))
        try append(entry.members)
      }
      append(littleEndian: UInt64(list.count))
      append((list.isTruncated ? isTruncated : 0) | (list.isPartial ? isPartial : 0))
    }
  }

  mutating func append(_ push: PresencePush) throws(WireRefusal) {
    append(littleEndian: push.table)
    append(littleEndian: push.number)
    try append(count: push.changes.count, atMost: WireLimits.presence)
    for change in push.changes {
      try append(name: change.topic.bytes)
      append((change.begins ? begins : 0) | (change.completes ? completes : 0) | (change.isPartial ? isPartOfState : 0))
      try append(change.came)
      try append(count: change.left.count, atMost: WireLimits.presence)
      for id in change.left { try append(short: id, atMost: WireLimits.presenceID) }
    }
  }

  private mutating func append(_ members: [PresenceMember]) throws(WireRefusal) {
    try append(count: members.count, atMost: WireLimits.presence)
    for member in members { try append(member) }
  }

  private mutating func append(_ member: PresenceMember) throws(WireRefusal) {
    try append(short: member.id, atMost: WireLimits.presenceID)
    try append(short: member.data, atMost: WireLimits.presenceData)
    append(member.since)
    try append(number: member.connections, atMost: Int(UInt32.max))
  }

  private mutating func append(_ topics: [Topic]) throws(WireRefusal) {
    try append(count: topics.count, atMost: WireLimits.presence)
    for topic in topics { try append(name: topic.bytes) }
  }

  private mutating func append(short bytes: Bytes, atMost limit: Int) throws(WireRefusal) {
    guard bytes.count <= limit else { throw .tooLong }
    append(littleEndian: UInt16(bytes.count))
    append(bytes)
  }
}

// Reading ----------------------------------------------------------------------------------------------

extension FieldReader<WireRefusal> {
  @_lifetime(self: copy self)
  mutating func presenceOperation() throws(WireRefusal) -> PresenceRequest.Operation {
    let number = try u8()
    guard let operation = Operation(rawValue: number) else { throw .unknownPart(number) }
    switch operation {
    case .announce:
      var announcement = PresenceAnnouncement(source: try u64(), sequence: try u64())
      let flags = try flags(begins | completes)
      announcement.begins = flags & begins != 0
      announcement.completes = flags & completes != 0
      let count = try count(atMost: WireLimits.presence, size: 19)
      announcement.entries.reserveCapacity(count)
      for _ in 0..<count { announcement.entries.append(PresenceEntry(topic: try topic(), member: try member())) }
      announcement.watch = try topics()
      announcement.unwatch = try topics()
      return .announce(announcement)
    case .ask:
      let filters = try filters(atMost: WireLimits.filters)
      let limit = try self.number(atMost: WireLimits.presence)
      let after = try boolean() ? try short(atMost: WireLimits.presenceID) : nil
      return .ask(PresenceQuestion(filters: filters, limit: limit, after: after, wantsCountOnly: try boolean()))
    }
  }

  @_lifetime(self: copy self)
  mutating func presenceAnswer() throws(WireRefusal) -> PresenceReply.Answer {
    let number = try u8()
    guard let kind = Kind(rawValue: number) else { throw .unknownPart(number) }
    switch kind {
    case .receipt:
      var receipt = PresenceReceipt(table: try u64(), sequence: try u64(), pushes: try u64(), wantsWhole: try boolean())
      let count = try count(atMost: WireLimits.presence, size: 6)
      receipt.refused.reserveCapacity(count)
      for _ in 0..<count {
        let topic = try topic()
        let id = try short(atMost: WireLimits.presenceID)
        let reason = try u8()
        guard let reason = PresenceDenial.Reason(rawValue: reason) else { throw .unknownPart(reason) }
        receipt.refused.append(PresenceDenial(topic: topic, id: id, reason: reason))
      }
      return .receipt(receipt)
    case .list:
      let count = try count(atMost: WireLimits.presence, size: 11)
      var list = PresenceList(topics: [], count: 0)
      list.topics.reserveCapacity(count)
      for _ in 0..<count {
        let topic = try topic()
        list.topics.append(PresenceList.Entry(topic: topic, count: try self.number(atMost: Int(UInt32.max)), members: try members()))
      }
      let all = try u64()
      guard all <= UInt64(Int32.max) else { throw .outOfBounds }
      list.count = Int(all)
      let flags = try flags(isTruncated | isPartial)
      list.isTruncated = flags & isTruncated != 0
      list.isPartial = flags & isPartial != 0
      return .list(list)
    }
  }

  @_lifetime(self: copy self)
  mutating func presencePush(of shard: ShardID) throws(WireRefusal) -> PresencePush {
    var push = PresencePush(shard: shard, table: try u64(), number: try u64(), changes: [])
    let count = try count(atMost: WireLimits.presence, size: 12)
    push.changes.reserveCapacity(count)
    for _ in 0..<count {
      var change = PresenceChange(topic: try topic())
      let flags = try flags(begins | completes | isPartOfState)
      change.begins = flags & begins != 0
      change.completes = flags & completes != 0
      change.isPartial = flags & isPartOfState != 0
      change.came = try members()
      let left = try self.count(atMost: WireLimits.presence, size: 2)
      change.left.reserveCapacity(left)
      for _ in 0..<left { change.left.append(try short(atMost: WireLimits.presenceID)) }
      push.changes.append(change)
    }
    return push
  }

  @_lifetime(self: copy self)
  private mutating func flags(_ known: UInt8) throws(WireRefusal) -> UInt8 {
    let flags = try u8()
    guard flags & ~known == 0 else { throw .unknownPart(flags) }
    return flags
  }

  @_lifetime(self: copy self)
  private mutating func members() throws(WireRefusal) -> [PresenceMember] {
    let count = try count(atMost: WireLimits.presence, size: 16)
    var members: [PresenceMember] = []
    members.reserveCapacity(count)
    for _ in 0..<count { members.append(try member()) }
    return members
  }

  @_lifetime(self: copy self)
  private mutating func member() throws(WireRefusal) -> PresenceMember {
    let id = try short(atMost: WireLimits.presenceID)
    let data = try short(atMost: WireLimits.presenceData)
    let since = try time()
    return PresenceMember(id: id, data: data, since: since, connections: try number(atMost: Int(UInt32.max)))
  }

  @_lifetime(self: copy self)
  private mutating func topics() throws(WireRefusal) -> [Topic] {
    let count = try count(atMost: WireLimits.presence, size: 3)
    var topics: [Topic] = []
    topics.reserveCapacity(count)
    for _ in 0..<count { topics.append(try topic()) }
    return topics
  }

  /// Text in memory of its own: it outlives the message.
  @_lifetime(self: copy self)
  private mutating func short(atMost limit: Int) throws(WireRefusal) -> Bytes {
    let length = Int(try u16())
    guard length <= limit else { throw .tooLong }
    let place = try skip(length)
    guard text(place) != nil else { throw .malformedText }
    return Bytes(copying: bytes.extracting(place))
  }
}
