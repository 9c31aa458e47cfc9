/// What no cluster exceeds.
public enum PlacementLimits {
  public static let shards = 4096
  /// Of one shard.
  public static let replicas = 9
  /// Nodes that are to drain or leave at once.
  public static let wishes = 1024
  /// Brokers removed for good that are remembered; past it the oldest is forgotten.
  public static let removed = 1024
  /// A node's name, in bytes.
  public static let nodeName = 64
}
