public import Core
public import Feeds

/// How far one group has come in a shard.
public struct GroupPlace: Sendable, Hashable {
  public let group: GroupName
  /// Everything up to here is done.
  public internal(set) var cursor: Offset
  /// What is done behind a message that is not: in order, and never touching each other or the cursor.
  public internal(set) var done: [OffsetRange] = []
  public let created: WallTime
  public internal(set) var updated: WallTime

  /// Whether nobody is to be given what stands there. O(log stretches).
  public func isDone(_ offset: Offset) -> Bool {
    if offset <= cursor { return true }
    let next = done.firstNotBelow { $0.first <= offset }
    return next > 0 && done[next - 1].last >= offset
  }
}

/// The groups of one shard.
public struct GroupTable {
  /// For look-up only; whoever lists them sorts.
  private var byName: [GroupName: GroupPlace] = [:]

  public init() {}

  public var count: Int { byName.count }
  public subscript(group: GroupName) -> GroupPlace? { byName[group] }

  /// In an order that is the same everywhere.
  public var all: [GroupPlace] {
    byName.values.sorted { a, b in
      a.group.filter.bytes == b.group.filter.bytes ? a.group.name.precedes(b.group.name) : a.group.filter.bytes.precedes(b.group.filter.bytes)
    }
  }

  /// Begins behind the entry that says so; one that is there keeps its place, and somebody was there.
  mutating func open(_ group: GroupName, at offset: Offset, _ time: WallTime) -> CommandOutcome {
    if byName[group] != nil {
      byName[group]!.updated = time
      return .done
    }
    guard count < GroupLimits.perShard else { return .refused(.overloaded) }
    byName[group] = GroupPlace(group: group, cursor: offset, created: time, updated: time)
    return .done
  }

  /// `ranges` in order. Of a group that is no more nothing is left to do.
  mutating func acknowledge(_ group: GroupName, _ ranges: [OffsetRange], _ time: WallTime) -> CommandOutcome {
    guard var place = byName[group] else { return .done }
    guard place.take(ranges) else { return .refused(.overloaded) }
    place.updated = time
    byName[group] = place
    return .done
  }

  mutating func close(_ group: GroupName) { byName[group] = nil }

  /// Where nothing has been done, and nobody has come, since then; in an order that is the same everywhere.
  public func idle(since time: WallTime) -> [GroupPlace] {
    byName.values.contains { $0.updated < time } ? all.filter { $0.updated < time } : []
  }

  mutating func restore(_ place: GroupPlace) -> Bool {
    count < GroupLimits.perShard && place.isSound && byName.updateValue(place, forKey: place.group) == nil
  }
}

extension GroupPlace {
  /// False, and nothing taken, if that would be more stretches than are kept. O(stretches).
  fileprivate mutating func take(_ ranges: [OffsetRange]) -> Bool {
    var merged: [OffsetRange] = []
    merged.reserveCapacity(done.count + ranges.count)
    var (old, new) = (0, 0)
    var reached = cursor
    while old < done.count || new < ranges.count {
      let next: OffsetRange
      if new == ranges.count || (old < done.count && done[old].first <= ranges[new].first) {
        next = done[old]
        old += 1
      } else {
        next = ranges[new]
        new += 1
      }
      if merged.isEmpty, next.first <= reached.next {
        reached = max(reached, next.last)
      } else if let last = merged.last, next.first <= last.last.next {
        merged[merged.count - 1].last = max(last.last, next.last)
      } else {
        merged.append(next)
      }
    }
    guard merged.count <= GroupLimits.stretches else { return false }
    cursor = reached
    done = merged
    return true
  }

  fileprivate var isSound: Bool {
    var end = cursor
    for range in done {
      guard range.first > end.next, range.last >= range.first else { return false }
      end = range.last
    }
    return done.count <= GroupLimits.stretches
  }
}
