internal import Feeds

/// Bounds of the fan-out, each with its default.
public struct FanoutLimits: Sendable {
  /// Parts of one gathered write; what the kernel takes cheaply at once.
  static let partsPerWrite = 64

  /// What may wait for one reader's socket before the reader is left to its cursor.
  public var readerBuffer = 256 << 10
  /// Recently pushed records kept for readers that come back, per shard and reactor.
  public var recentCacheBytes = 2 << 20
  /// Writes to followers in one turn of the loop. Few, so that what is published meanwhile is taken along on the
  /// way: a round through all followers then carries everything that came while it went.
  public var writesPerTurn = 64

  public init() {}
}

struct FanoutCounters {
  /// Messages put into streams, times members there, by format.
  var deliveries = [Int](repeating: 0, count: EventFormat.allCases.count)
  var renderings = 0
  var writes = 0
  var bytes = 0
  /// Of those, and of payloads, what MQTT clients were sent of shared streams.
  var mqttBytes = 0
  var mqttPayloadBytes = 0
}
