/// What no presence exceeds, wherever it is counted.
public enum PresenceLimits {
  /// A member's name, in bytes.
  public static let idBytes = 128
  /// What a member says of itself, in bytes.
  public static let dataBytes = 1024
  /// Members of one topic, and of one shard.
  public static let topicMembers = 10_000
  public static let shardMembers = 100_000
  /// Names and data of one shard.
  public static let shardBytes = 32 << 20
  /// Topics that one connection enters, and that it hears of.
  public static let connectionTopics = 256
  /// Topics of one shard that one edge hears of.
  public static let watchedTopics = 10_000
  /// Members in one answer, or one state that a client is told.
  public static let listed = 1000
  /// Topics in one answer.
  public static let listedTopics = 1000
  /// Entries, members or names in one message between nodes, and about their bytes.
  public static let messageEntries = 1000
  public static let messageBytes = 256 << 10
}
