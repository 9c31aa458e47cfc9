public import Core

/// Which group: readers who share what one filter brings, under one name. The same name with another filter is another group.
public struct GroupName: Hashable, Sendable {
  public let name: Bytes
  public let filter: Filter

  public init(name: Bytes, filter: Filter) {
    self.name = name
    self.filter = filter
  }
}

/// What groups are held to.
public enum GroupLimits {
  /// Bytes of a group's name.
  public static let nameBytes = 256
  /// Groups that have a place in one shard.
  public static let perShard = 1000
  /// Messages of one group and shard that are out at one edge, and the bytes of them; one message may go past the bytes.
  public static let credit = 256
  public static let creditBytes = 1 << 20
  /// Messages of one group and shard that are out at all edges together, or wait to be given out again; past it nothing newer
  /// is given out.
  public static let pending = 1024
  /// Stretches of a shard that are done behind a place that is not. There is a message that is not done between any two, so
  /// that only edges that come to a new leader with more than it would give out bring more than `pending`.
  public static let stretches = 4096
  /// Offsets named in one request.
  public static let offsets = 1024
  /// Members of a group at one edge, as far as they count.
  public static let members = 1 << 20
  /// Nobody was in a group for so long, by the log's time: it is forgotten.
  public static let idleMilliseconds: Int64 = 7 * 24 * 3600 * 1000
}
