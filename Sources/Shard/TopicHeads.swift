public import Core

/// What a shard remembers of every topic: its newest offset, how many messages it had, and its current value.
///
/// A million topics cost some 60 bytes each and their names.
public struct TopicHeads {
  public struct Head {
    public var newest: Offset
    /// Stops at the largest number rather than going round.
    public var count: UInt32
    /// Index into `retained` plus one; 0: no current value.
    var retained: UInt32
  }

  private var table = ByteKeyTable<Head>()
  /// Whole records; an empty one is a free place.
  private var retained: [Bytes] = []
  private var freeRetained: [UInt32] = []
  public private(set) var retainedBytes = 0

  public init() {}

  public var count: Int { table.count }
  public var retainedCount: Int { retained.count - freeRetained.count }

  /// The topic's newest offset, 0 if it has none. O(1).
  public func newest(_ topic: UnsafeRawBufferPointer) -> Offset {
    guard let index = table.index(of: topic) else { return .zero }
    return table[at: index].newest
  }

  public func head(_ topic: UnsafeRawBufferPointer) -> Head? { table[topic] }
  public func head(at index: Int) -> Head { table[at: index] }
  public func withTopic<R>(at index: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R { table.withKey(at: index, body) }

  /// The topic's current value, expired or not.
  public func retainedValue(_ topic: UnsafeRawBufferPointer) -> Bytes? {
    guard let index = table.index(of: topic) else { return nil }
    return retainedValue(at: index)
  }

  public func retainedValue(at index: Int) -> Bytes? {
    let place = table[at: index].retained
    return place == 0 ? nil : retained[Int(place) - 1]
  }

  mutating func apply(_ record: RecordView) {
    let index = table.insert(record.topic, default: Head(newest: .zero, count: 0, retained: 0)).index
    table[at: index].newest = record.offset
    if table[at: index].count != .max { table[at: index].count += 1 }
    let flags = record.flags
    if flags.isDisjoint(with: [.retain, .clear]) { return }
    if flags.contains(.clear) {
      dropRetained(at: index)
    } else {
      // A copy of its own, so that one small value does not hold a whole batch in memory.
      setRetained(Bytes(copying: record.encoded), at: index)
    }
  }

  /// Puts back what a snapshot held.
  mutating func restore(_ topic: UnsafeRawBufferPointer, newest: Offset, count: UInt32, retained: Bytes?) -> Bool {
    let (index, inserted) = table.insert(topic, default: Head(newest: newest, count: count, retained: 0))
    if let retained { setRetained(retained, at: index) }
    return inserted
  }

  private mutating func setRetained(_ record: Bytes, at index: Int) {
    dropRetained(at: index)
    retainedBytes += record.count
    if let place = freeRetained.popLast() {
      retained[Int(place)] = record
      table[at: index].retained = place + 1
    } else {
      retained.append(record)
      table[at: index].retained = UInt32(retained.count)
    }
  }

  private mutating func dropRetained(at index: Int) {
    let place = table[at: index].retained
    guard place != 0 else { return }
    retainedBytes -= retained[Int(place) - 1].count
    retained[Int(place) - 1] = Bytes()
    freeRetained.append(place - 1)
    table[at: index].retained = 0
  }

  /// Drops topics that have neither a message at or after `first` nor a current value, looking at no more than
  /// `limit` of them from `start` on. Answers where the next look begins; 0 when the end was reached.
  mutating func forget(before first: Offset, from start: Int, limit: Int, newest: inout Offset) -> Int {
    var index = start
    var looked = 0
    while index < table.count, looked < limit {
      looked += 1
      let head = table[at: index]
      guard head.newest < first, head.retained == 0 else {
        index += 1
        continue
      }
      newest = max(newest, head.newest)
      // Removal moves the last entry here, so the same index is looked at again.
      let name = table.withKey(at: index) { Bytes(copying: $0) }
      _ = name.withUnsafeBytes { table.remove($0) }
    }
    return index < table.count ? index : 0
  }
}

extension Filter {
  /// `#`: all that is published, for what begins with `$` is not kept in a shard's log.
  var isEverything: Bool { description == "#" }
}

extension TopicHeads {
  /// More topics than this are not looked at to find out whether all are wanted.
  static let mostCompared = 1 << 16

  /// Whether the filters want every topic; false too where there are too many to look at.
  func areAll(matching filters: [Filter]) -> Bool {
    if filters.contains(where: \.isEverything) { return true }
    guard table.count <= Self.mostCompared else { return false }
    return (0..<table.count).allSatisfy { index in table.withKey(at: index) { topic in filters.contains { $0.matches(topic) } } }
  }

  /// The indices of all topics that any of `filters` wants, each once: a look-up per exact filter, one scan over
  /// all topics if there are wildcards.
  public func indices(matching filters: [Filter]) -> [Int] {
    var found: [Int] = []
    var wild: [Filter] = []
    for filter in filters {
      if filter.hasWildcard {
        wild.append(filter)
      } else if let index = filter.bytes.withUnsafeBytes({ table.index(of: $0) }) {
        found.append(index)
      }
    }
    if !wild.isEmpty {
      for index in 0..<table.count where table.withKey(at: index, { topic in wild.contains { $0.matches(topic) } }) {
        found.append(index)
      }
    }
    guard filters.count > 1 else { return found }
    found.sort()
    return found.enumerated().compactMap { at, index in at > 0 && found[at - 1] == index ? nil : index }
  }

  /// The newest offset of every topic that `filters` want and that has anything after `offset`; nil where those are more than
  /// `most`, or there are too many topics to look at. Ends as soon as that is known.
  public func newest(matching filters: [Filter], after offset: Offset, atMost most: Int) -> [Offset]? {
    var found: [Offset] = []
    if filters.contains(where: \.hasWildcard) {
      guard table.count <= Self.mostCompared else { return nil }
      for index in 0..<table.count {
        let newest = table[at: index].newest
        guard newest > offset, table.withKey(at: index, { topic in filters.contains { $0.matches(topic) } }) else { continue }
        if found.count == most { return nil }
        found.append(newest)
      }
    } else {
      for index in indices(matching: filters) where table[at: index].newest > offset {
        if found.count == most { return nil }
        found.append(table[at: index].newest)
      }
    }
    return found
  }

  /// The current values that any of `filters` wants and that have not expired at `now`, in order of offset.
  public func currentValues(matching filters: [Filter], at now: WallTime) -> [Bytes] {
    var found: [Bytes] = []
    if filters.contains(where: \.hasWildcard) {
      for record in retained where !record.isEmpty {
        let wanted = record.withUnsafeBytes { bytes in
          let topic = RecordView(trusting: bytes.baseAddress.unsafelyUnwrapped).topic
          return filters.contains { $0.matches(topic) }
        }
        if wanted { found.append(record) }
      }
    } else {
      for index in indices(matching: filters) {
        if let record = retainedValue(at: index) { found.append(record) }
      }
    }
    found.removeAll { $0.view.isExpired(at: now) }
    found.sort { $0.view.offset < $1.view.offset }
    return found
  }
}

extension Bytes {
  /// The record these bytes are; valid while they are alive.
  var view: RecordView { RecordView(trusting: readPointer) }
}
