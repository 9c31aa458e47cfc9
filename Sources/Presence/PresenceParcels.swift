internal import Core
internal import Feeds

/// Changes on their way to their watchers, packed into pushes of a bounded size.
struct PresenceParcels {
  private struct Parcel {
    let source: Int
    var changes: [PresenceChange]
    var size: Int
  }

  let shard: ShardID
  let table: UInt64
  private var parcels: [Parcel] = []
  /// The parcel of a source that still has room, for look-up only.
  private var open: [Int: Int] = [:]

  init(shard: ShardID, table: UInt64) {
    self.shard = shard
    self.table = table
  }

  mutating func add(_ change: PresenceChange, to source: Int) {
    // As bytes and as entries, of which each counts for its share of a message.
    let share = PresenceLimits.messageBytes / PresenceLimits.messageEntries
    let size = share * (1 + change.came.count + change.left.count)
    if let index = open[source], parcels[index].size + size <= PresenceLimits.messageBytes {
      parcels[index].changes.append(change)
      parcels[index].size += size
    } else {
      open[source] = parcels.count
      parcels.append(Parcel(source: source, changes: [change], size: size))
    }
  }

  /// In the order in which they were begun; `address` tells where each goes, and its number.
  mutating func take(_ address: (Int) -> (EdgeID, UInt64)) -> [PresenceDelivery] {
    let deliveries = parcels.map { parcel in
      let (edge, number) = address(parcel.source)
      return PresenceDelivery(edge: edge, push: PresencePush(shard: shard, table: table, number: number, changes: parcel.changes))
    }
    parcels = []
    open = [:]
    return deliveries
  }
}
