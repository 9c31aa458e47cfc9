public import Core
public import Feeds

/// The state machine that a shard's committed log drives; the same on every replica that applied the same log.
///
/// ```
/// log entry ──apply──▶ topic heads · current values · idempotency keys · consumers · sessions ──▶ snapshot
/// ```
///
/// A value: a copy taken for a snapshot stays as it was while the original goes on.
public struct ShardState {
  public internal(set) var topics = TopicHeads()
  public internal(set) var keys = IdempotencyKeys()
  public internal(set) var consumers = ConsumerTable()
  public internal(set) var sessions = SessionTable()
  public internal(set) var groups = GroupTable()
  /// The newest entry applied.
  public internal(set) var applied = Offset.zero
  /// That entry's time; no later one is earlier.
  public internal(set) var time = WallTime(milliseconds: 0)
  /// Messages applied since the shard began.
  public internal(set) var messages: UInt64 = 0
  /// Entries that are no messages.
  var plain = PlainEntries()
  /// Where the next `forgetTopics` begins to look.
  var sweepAt = 0
  /// No forgotten topic had a newer message.
  var forgottenUpTo = Offset.zero
  private var keyName: [UInt8] = []

  public init() {}

  /// For tests of what notices it.
  package mutating func forgetKeys() { keys = IdempotencyKeys() }

  /// Takes one committed entry into the state. Outcomes of commands are appended to `outcomes`.
  ///
  /// After an error the state has not changed and must not be applied to further.
  public mutating func apply(_ entry: RecordView, outcomes: inout [CommandOutcome]) throws(ShardStateError) {
    let offset = entry.offset
    guard offset == applied.next else { throw .outOfOrder(expected: applied.next, found: offset) }
    switch entry.kind {
    case .record:
      applyRecord(entry, offset)
    case .command:
      let commands = try ShardCommand.decode(entry.body)
      for command in commands { outcomes.append(perform(command, at: entry.time)) }
      plain.note(offset)
    case .nothing, .membership:
      plain.note(offset)
    case nil:
      throw .malformedCommand("an entry of an unknown kind")
    }
    applied = offset
    time = entry.time
  }

  @inline(__always) private mutating func applyRecord(_ record: RecordView, _ offset: Offset) {
    topics.apply(record)
    messages += 1
    let key = record.key
    if !key.isEmpty {
      IdempotencyKeys.name(topic: record.topic, key: key, into: &keyName)
      keys.note(keyName, IdempotencyKeys.Use(offset: offset, time: record.time))
    } else if keys.count > 0 {
      keys.expire(at: record.time)
    }
  }

  private mutating func perform(_ command: ShardCommand, at time: WallTime) -> CommandOutcome {
    switch command {
    case .openConsumer(let name, let filters, let cursor):
      return consumers.open(name, filters, cursor, at: time)
    case .acknowledge(let name, let cursor, let reset):
      return consumers.acknowledge(name, cursor, reset: reset, at: time)
    case .deleteConsumer(let name):
      return consumers.delete(name)
    case .session(let change):
      return sessions.perform(change, at: time, applied.next)
    case .forgetTopics(let first):
      sweepAt = topics.forget(
        before: first, from: sweepAt, limit: ShardCommand.topicsForgottenAtOnce, newest: &forgottenUpTo)
      return .done
    case .openGroup(let group):
      return groups.open(group, at: applied.next, time)
    case .acknowledgeGroup(let group, let ranges):
      return groups.acknowledge(group, ranges, time)
    case .closeGroup(let group):
      groups.close(group)
      return .done
    }
  }

  /// Sessions about which there is something to be done at this time.
  public mutating func dueSessions(at time: WallTime, looking limit: Int, atMost most: Int) -> [SessionClaim] {
    sessions.due(at: time, looking: limit, atMost: most)
  }

  /// Whether messages after `offset` on a topic without a head may have existed: its head was forgotten.
  public func mayHaveForgotten(after offset: Offset) -> Bool { forgottenUpTo > offset }

  /// How many messages that `filters` want stood after `from` and up to `to`, whether or not they are still there.
  /// Nil where that is not known: only when they want every topic of the shard can messages be told by their offsets.
  public func messages(matching filters: [Filter], after from: Offset, upTo to: Offset) -> UInt64? {
    guard let others = plain.count(after: from, upTo: to), topics.areAll(matching: filters) else { return nil }
    if mayHaveForgotten(after: from), !filters.contains(where: \.isEverything) { return nil }
    return to.value - from.value - others
  }

  /// Whether a sweep that `forgetTopics` began has topics left to look at.
  public var isForgetting: Bool { sweepAt != 0 }
}
