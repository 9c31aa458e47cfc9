public import Core

/// Decides whether a record may be appended, with everything appended before it counted as if it were committed:
/// two publishes under one key in one turn are one message.
///
/// Holds what stands in the log and is not applied yet, in two generations; a generation is dropped whole when its
/// last entry is applied.
public struct PublishGate {
  public enum Decision: Equatable, Sendable {
    /// Append it; the topic's previous record stands there.
    case accept(previous: Offset)
    case duplicate(IdempotencyKeys.Use)
    case headMoved(Offset)
  }

  private struct Generation {
    var heads = ByteKeyTable<Offset>()
    var keys = ByteKeyTable<IdempotencyKeys.Use>()
    var last = Offset.zero
  }

  private var newer = Generation()
  private var older = Generation()
  private var keyName: [UInt8] = []

  public init() {}

  /// Decides on `record` and, if it is accepted, counts it as appended at `offset`.
  ///
  /// The key comes before the condition: who repeats a conditional publish that went through learns that it did.
  public mutating func admit(
    _ record: RecordView, expectedHead: Offset?, at offset: Offset, time: WallTime, over state: borrowing ShardState
  ) -> Decision {
    let key = record.key
    if !key.isEmpty {
      IdempotencyKeys.name(topic: record.topic, key: key, into: &keyName)
      if let use = use(at: time, over: state) { return .duplicate(use) }
    }
    let topic = record.topic
    let index: Int
    if let known = newer.heads.index(of: topic) {
      index = known
    } else {
      let head = older.heads[topic] ?? state.topics.newest(topic)
      if let expectedHead, expectedHead != head { return .headMoved(head) }
      index = newer.heads.insert(topic, default: head).index
    }
    let previous = newer.heads[at: index]
    if let expectedHead, expectedHead != previous { return .headMoved(previous) }
    newer.heads[at: index] = offset
    newer.last = offset
    if !key.isEmpty {
      let use = IdempotencyKeys.Use(offset: offset, time: time)
      let (index, inserted) = keyName.withUnsafeBytes { newer.keys.insert($0, default: use) }
      if !inserted { newer.keys[at: index] = use }
    }
    return .accept(previous: previous)
  }

  private func use(at time: WallTime, over state: borrowing ShardState) -> IdempotencyKeys.Use? {
    let appended = keyName.withUnsafeBytes { newer.keys[$0] ?? older.keys[$0] }
    if let appended { return IdempotencyKeys.counts(appended, of: keyName, at: time) ? appended : nil }
    return state.keys.use(keyName, at: time)
  }

  /// Everything up to `offset` is in the state now.
  public mutating func applied(upTo offset: Offset) {
    if older.last <= offset, older.last != .zero { older = Generation() }
    guard older.last == .zero, newer.last != .zero else { return }
    if newer.last > offset { older = newer }
    newer = Generation()
  }

  /// Forgets everything appended: the log was cut back to what is applied.
  public mutating func reset() {
    newer = Generation()
    older = Generation()
  }
}
