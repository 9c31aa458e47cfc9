internal import Core
internal import Feeds
internal import Replica
internal import Shard

/// A committed message, as the first replica that committed it told.
struct LedgerRecord {
  var offset: Offset
  var topic: Int32
  var message: UInt32
  /// The topic's message before it.
  var previous: Offset
}

/// Everything that was ever committed, and what everybody was told of it: the judge.
struct Ledger {
  struct Shard {
    /// What stands at each offset, from 1 on; a digest.
    var entries: [UInt64] = []
    /// The messages among them, in order.
    var records: [LedgerRecord] = []
    /// Who served in which term.
    var leaders: [(term: UInt64, broker: Int)] = []
    var heads: [Offset]

    init(topics: Int) { heads = [Offset](repeating: .zero, count: topics) }
  }

  private(set) var shards: [Shard]
  /// By message: where it stands, as (shard, offset).
  private(set) var places: [(shard: Int32, offset: Offset)?] = []
  private(set) var acknowledged = 0
  private(set) var checkedDeliveries = 0
  private(set) var committed = 0
  /// What MQTT subscribers are held against.
  private(set) var topics: TopicLists
  var judge: SessionJudge

  /// Topics whose messages are all gone are forgotten: the next message has none before it.
  private let forgets: Bool

  init(shards: Int, topics: Int, clients: Int, forgets: Bool) {
    self.forgets = forgets
    self.topics = TopicLists(topics: topics)
    judge = SessionJudge(clients: clients, shards: shards)
    self.shards = [Shard](repeating: Shard(topics: topics), count: shards)
  }

  /// A replica says that it has committed these.
  mutating func committed(_ bytes: Bytes, shard: Int, by broker: Int) throws(Problem) {
    var problem: Problem?
    bytes.withUnsafeBytes { memory in
      for entry in RecordSequence(trusting: memory) where problem == nil {
        problem = note(entry, shard, broker)
      }
    }
    if let problem { throw problem }
  }

  private mutating func note(_ entry: RecordView, _ shard: Int, _ broker: Int) -> Problem? {
    let offset = entry.offset
    let digest = UInt64(entry.checksum) << 32 ^ UInt64(entry.length) << 16 ^ entry.term
    let known = shards[shard].entries.count
    if offset.value <= UInt64(known) {
      guard shards[shard].entries[Int(offset.value) - 1] == digest else {
        return Problem("broker \(broker) committed another entry at \(shard).\(offset) than another broker before")
      }
      return nil
    }
    guard offset.value == UInt64(known) + 1 else { return Problem("broker \(broker) committed \(shard).\(offset), the newest before was \(known)") }
    shards[shard].entries.append(digest)
    if entry.kind == .command { return note(commands: entry, shard) }
    guard entry.kind == .record else { return nil }
    committed += 1
    let message = Message(entry)
    topics.append(entry, message)
    if let problem = judge.published(message.number) { return problem }
    let topic = Int(message.topic)
    let record = LedgerRecord(offset: offset, topic: message.topic, message: message.number, previous: shards[shard].heads[topic])
    guard entry.previous == record.previous || (forgets && entry.previous == .zero) else {
      return Problem("\(shard).\(offset) names \(entry.previous) as its topic's message before; that is \(record.previous)")
    }
    shards[shard].heads[topic] = offset
    shards[shard].records.append(record)
    while places.count <= Int(message.number) { places.append(nil) }
    if let place = places[Int(message.number)] {
      if topics.mayRepeat(message.number) { return nil }
      return Problem("message \(message.number) is twice in the log: \(place.shard).\(place.offset) and \(shard).\(offset)")
    }
    places[Int(message.number)] = (Int32(shard), offset)
    return nil
  }

  private mutating func note(commands entry: RecordView, _ shard: Int) -> Problem? {
    do throws(ShardStateError) {
      for case .session(let change) in try ShardCommand.decode(entry.body) { judge.take(change, of: shard, at: entry.offset) }
      return nil
    } catch { return Problem("what was committed cannot be read: \(error)") }
  }

  /// Whether the message is committed.
  func isKept(_ message: UInt32) -> Bool { Int(message) < places.count && places[Int(message)] != nil }

  /// From here on the message may be twice in the log: its publisher does not know whether it was kept.
  mutating func letRepeat(_ message: UInt32) { topics.letRepeat(message) }

  mutating func serves(_ broker: Int, shard: Int, term: UInt64) throws(Problem) {
    if let other = shards[shard].leaders.last(where: { $0.term == term }), other.broker != broker {
      throw Problem("brokers \(other.broker) and \(broker) both lead shard \(shard) in term \(term)")
    }
    shards[shard].leaders.append((term, broker))
  }

  /// A publisher was told so.
  mutating func acknowledged(_ message: UInt32, shard: Int, offset: Offset, expectedHead: Offset?) throws(Problem) {
    acknowledged += 1
    guard Int(message) < places.count, let place = places[Int(message)] else {
      throw Problem("message \(message) was acknowledged at \(shard).\(offset), and nothing is committed there")
    }
    guard place.shard == Int32(shard), place.offset == offset else {
      throw Problem("message \(message) was acknowledged at \(shard).\(offset), and stands at \(place.shard).\(place.offset)")
    }
    if let expectedHead {
      guard let record = record(at: offset, shard), record.previous == expectedHead else {
        throw Problem("message \(message) was to follow \(shard).\(expectedHead) and was kept at \(offset) after something else")
      }
    }
  }

  /// A push to somebody who follows everything: all committed messages of its stretch, in order.
  func pushed(_ push: FeedPush, after: Offset, to edge: Int) throws(Problem) {
    let records = shards[push.shard.index].records
    var index = Ledger.index(after: after, in: records)
    var problem: Problem?
    for piece in push.pieces {
      piece.withUnsafeBytes { memory in
        for record in RecordSequence(trusting: memory) where problem == nil && record.kind == .record {
          guard index < records.count, records[index].offset == record.offset else {
            let missed = index < records.count ? "\(records[index].offset)" : "nothing"
            problem = Problem("edge \(edge) is pushed \(push.shard).\(record.offset) where \(missed) comes next after \(after)")
            return
          }
          index += 1
        }
      }
    }
    if let problem { throw problem }
    if index < records.count, records[index].offset <= push.upTo {
      throw Problem("edge \(edge) is pushed everything of shard \(push.shard) from \(after) to \(push.upTo), but not \(records[index].offset)")
    }
  }

  func record(at offset: Offset, _ shard: Int) -> LedgerRecord? {
    let records = shards[shard].records
    let index = Ledger.index(after: Offset(offset.value - 1), in: records)
    return index < records.count && records[index].offset == offset ? records[index] : nil
  }

  /// The first record after `offset`.
  static func index(after offset: Offset, in records: [LedgerRecord]) -> Int {
    var low = 0
    var high = records.count
    while low < high {
      let middle = (low + high) / 2
      if records[middle].offset <= offset { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// A reader was given this message; before it, it had seen everything up to `seen`.
  mutating func delivered(_ message: Message, shard: Int, offset: Offset, topic: Int32?, seen: inout ReaderPlace, to reader: Int) throws(Problem) {
    checkedDeliveries += 1
    guard offset > seen.at else { throw Problem("reader \(reader) at \(shard).\(seen.at) was given \(shard).\(offset) again") }
    try passed(upTo: Offset(offset.value - 1), shard: shard, topic: topic, seen: &seen, by: reader)
    let records = shards[shard].records
    guard seen.index < records.count, records[seen.index].offset == offset, records[seen.index].message == message.number else {
      throw Problem("reader \(reader) was given message \(message.number) at \(shard).\(offset), which nobody committed")
    }
    guard topic == nil || records[seen.index].topic == topic else { throw Problem("reader \(reader) was given another topic's \(shard).\(offset)") }
    seen.index += 1
    seen.at = offset
  }

  /// A reader was told that it has everything up to there.
  mutating func passed(upTo offset: Offset, shard: Int, topic: Int32?, seen: inout ReaderPlace, by reader: Int) throws(Problem) {
    guard offset > seen.at else { return }
    let records = shards[shard].records
    guard offset.value <= UInt64(shards[shard].entries.count) else {
      throw Problem("reader \(reader) was told of \(shard).\(offset), which is not committed")
    }
    while seen.index < records.count, records[seen.index].offset <= offset {
      if topic == nil || records[seen.index].topic == topic {
        throw Problem("reader \(reader) was not given message \(records[seen.index].message) at \(shard).\(records[seen.index].offset)")
      }
      seen.index += 1
    }
    seen.at = offset
  }

  /// A reader was told that what is before `offset` is gone.
  func skipped(to offset: Offset, shard: Int, seen: inout ReaderPlace) {
    guard offset > seen.at else { return }
    seen.at = offset
    seen.index = Ledger.index(after: offset, in: shards[shard].records)
  }
}

/// How far a reader is in one shard.
struct ReaderPlace {
  var at = Offset.zero
  /// The next of the ledger's records.
  var index = 0
}

/// What is wrong, without the time.
struct Problem: Error {
  var text: String
  init(_ text: String) { self.text = text }
}

/// What the simulation puts into a record: `message` as payload and key, `topic` in its name.
struct Message {
  var number: UInt32
  var topic: Int32

  init(_ record: RecordView) {
    number = record.payload.loadUnaligned(as: UInt32.self)
    topic = Int32(record.topic[1]) &- 48
  }
}
