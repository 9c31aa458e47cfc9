public import Core
public import Feeds
public import MQTT

/// Gaps are told with QoS 0, and a connection may break before they arrive: each is kept, and told again, until something that was
/// sent behind it is acknowledged, or the client takes its leave.
extension MQTTKeeping {
  /// Gaps that one session keeps; past it the oldest is not told again.
  static let untoldMost = 64
  private static let reasons: [ReadGap.Reason] = [.expired, .foreign, .future]

  public func told(_ gap: ReadGap, of shard: ShardID) {
    guard isDurable, let reason = MQTTKeeping.reasons.firstIndex(of: gap.reason) else { return }
    if untold.count == MQTTKeeping.untoldMost { untold.removeFirst() }
    let kept = MQTTSessionProgress.Gap(reason: UInt8(reason), shard: shard.value, from: gap.from.value, to: gap.to.value, skipped: gap.skipped)
    untold.append((kept, nil))
  }

  /// A delivery that the client will acknowledge was sent.
  public func sent(_ token: UInt64) {
    for index in untold.indices where untold[index].behind == nil { untold[index].behind = token }
  }

  public func acknowledged(_ token: UInt64) {
    if !untold.isEmpty { untold.removeAll { $0.behind == token } }
  }

  /// The client has taken its leave: it has had what it was sent.
  public func leftInOrder() { untold.removeAll() }

  /// What an earlier connection may not have brought.
  public func gaps(of progress: MQTTSessionProgress) -> [(shard: ShardID, gap: ReadGap)] {
    progress.gaps.compactMap { kept in
      guard MQTTKeeping.reasons.indices.contains(Int(kept.reason)) else { return nil }
      let gap = ReadGap(reason: MQTTKeeping.reasons[Int(kept.reason)], from: Offset(kept.from), to: Offset(kept.to), skipped: kept.skipped)
      return (ShardID(kept.shard), gap)
    }
  }
}
