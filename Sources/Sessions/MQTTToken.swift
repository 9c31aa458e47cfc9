public import Core

/// A message of a resumed session that has to be read once more.
public struct MQTTRecall {
  public var token: UInt64
  /// With the packet identifier it had, if it was sent before.
  public var wasSent: Bool

  public init(token: UInt64, wasSent: Bool) {
    self.token = token
    self.wasSent = wasSent
  }
}

/// What a delivery is known by while it is under way: its place in the log, so that any edge finds it again.
public enum MQTTToken {
  private static let isPlace: UInt64 = 1 << 62
  private static let isCurrentFlag: UInt64 = 1 << 61
  /// The same message may be under way twice, through a group and by a subscription of the client's own.
  private static let isSharedFlag: UInt64 = 1 << 60
  private static let offsetBits: UInt64 = 48

  public static func make(_ shard: ShardID, _ offset: Offset, isCurrent: Bool, isShared: Bool = false) -> UInt64 {
    isPlace | (isCurrent ? isCurrentFlag : 0) | (isShared ? isSharedFlag : 0) | UInt64(shard.value) << offsetBits | (offset.value & ((1 << offsetBits) - 1))
  }

  public static func place(of token: UInt64) -> (shard: ShardID, offset: Offset, isCurrent: Bool)? {
    guard token & isPlace != 0, token >> 63 == 0 else { return nil }
    let shard = ShardID(UInt16(truncatingIfNeeded: (token & ~(isPlace | isCurrentFlag | isSharedFlag)) >> offsetBits))
    return (shard, Offset(token & ((1 << offsetBits) - 1)), token & isCurrentFlag != 0)
  }
}
