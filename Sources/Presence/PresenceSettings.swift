public import Core
public import Feeds

/// Times and bounds of a shard's presence.
public struct PresenceSettings: Sendable {
  /// A new leader has heard of everybody by then.
  public var settling = TimeSpan.seconds(5)
  /// Members of an edge that is gone stay for so long, because most come back through another.
  public var grace = TimeSpan.seconds(5)
  /// An edge that says nothing for so long is gone.
  public var silence = TimeSpan.seconds(10)

  public var topicMembers = PresenceLimits.topicMembers
  public var shardMembers = PresenceLimits.shardMembers
  public var shardBytes = PresenceLimits.shardBytes

  public init() {}
}

/// What one reactor of one edge is sent.
public struct PresenceDelivery: Sendable {
  public var edge: EdgeID
  public var push: PresencePush
}
