internal import Core
public import Feeds

/// The durable consumers of one shard.
public struct ConsumerTable {
  /// No shard keeps more consumers.
  public static let maximumCount = 10_000

  /// For look-up only; whoever lists them sorts by name.
  private var byName: [String: Consumer] = [:]

  public init() {}

  public var count: Int { byName.count }
  public subscript(name: String) -> Consumer? { byName[name] }
  public var all: [Consumer] { byName.values.sorted { $0.name < $1.name } }

  mutating func open(_ name: String, _ filters: [Filter], _ cursor: Cursor, at time: WallTime) -> CommandOutcome {
    if let existing = byName[name] {
      return Set(existing.filters) == Set(filters) ? .consumer(existing) : .refused(.consumerDiffers)
    }
    guard count < ConsumerTable.maximumCount else { return .refused(.overloaded) }
    let consumer = Consumer(name: name, filters: filters, cursor: cursor, created: time, updated: time)
    byName[name] = consumer
    return .consumer(consumer)
  }

  /// A cursor of another cluster cannot be compared and so only moves by `reset`.
  mutating func acknowledge(_ name: String, _ cursor: Cursor, reset: Bool, at time: WallTime) -> CommandOutcome {
    guard var consumer = byName[name] else { return .refused(.noSuchConsumer) }
    if reset {
      consumer.cursor = cursor
    } else if consumer.cursor.cluster == cursor.cluster {
      for position in cursor.positions { consumer.cursor.fold(position) }
    }
    consumer.updated = time
    byName[name] = consumer
    return .consumer(consumer)
  }

  mutating func delete(_ name: String) -> CommandOutcome {
    guard let consumer = byName.removeValue(forKey: name) else { return .refused(.noSuchConsumer) }
    return .consumer(consumer)
  }

  mutating func restore(_ consumer: Consumer) -> Bool {
    byName.updateValue(consumer, forKey: consumer.name) == nil
  }
}
