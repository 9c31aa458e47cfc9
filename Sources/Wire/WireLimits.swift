internal import Core
internal import Feeds
internal import Gossip
internal import Placement

/// What no message between nodes exceeds, whoever sends it. An encoder refuses to write more, a decoder to read it.
public enum WireLimits {
  /// Pages, histories and pushes carry about this much, or one larger record.
  public static let pageBytes = 8 << 20
  /// What a frame holds beside records: topics, keys and properties of the largest, and the fields around them.
  public static let slackBytes = 1 << 20
  /// The longest frame where messages are at most 1 MiB.
  public static let frame = frame(largestMessage: 1 << 20)
  /// The longest frame there can be, whatever messages a cluster allows.
  public static let longestFrame = RecordView.maximumLength + slackBytes

  /// The longest frame where messages are at most so large.
  public static func frame(largestMessage bytes: Int) -> Int {
    min(max(pageBytes, bytes) + slackBytes, longestFrame)
  }

  /// No cluster has more shards.
  public static let shards = PlacementLimits.shards
  /// No shard has more replicas.
  public static let replicas = PlacementLimits.replicas
  /// Beats and their answers of all shards between two nodes.
  public static let heartbeats = 2 * shards
  /// One beat as bytes.
  public static let heartbeatBytes = 64
  /// Records in one batch of publishes, and so results in one answer.
  public static let publishes = 65_536
  /// Filters that one change of a feed adds, or takes away, or that one read wants.
  public static let filters = 1024
  /// Filters of one consumer.
  public static let consumerFilters = 256
  /// Consumers in one answer.
  public static let consumers = 10_000
  public static let consumerName = Consumer.maximumNameLength
  /// Members, names or topics in one message about who is present, and what one of them says of itself. Asking may name
  /// more filters than an announcement has topics.
  public static let presence = max(PresenceLimits.listed, PresenceLimits.messageEntries) + 24
  public static let presenceID = PresenceLimits.idBytes
  public static let presenceData = PresenceLimits.dataBytes
  /// Records in one history, and what `last` asks for.
  public static let walk = 65_536
  /// Why a shard refuses, why a link ends: text for people.
  public static let reason = 1024
  /// A node's name.
  public static let nodeName = PlacementLimits.nodeName
  /// A question or an answer of the gossip that came too large for a datagram.
  public static let gossip = GossipLimits.state
  /// What brokers without data say to each other.
  public static let birth = BirthMessage.maximumLength
  /// What a broker is told to do about a shard.
  public static let order = 64
  /// A question about the state of the cluster, or its answer.
  public static let status = 1 << 20
  /// Nodes whose incarnations are remembered.
  public static let nodes = GossipLimits.members
  /// Nodes removed for good that are remembered.
  public static let removed = PlacementLimits.removed
}
