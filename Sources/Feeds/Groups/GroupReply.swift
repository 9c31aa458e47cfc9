public import Core

/// What a shard tells an edge of groups.
public struct GroupReply: Sendable {
  public enum Content: Sendable {
    /// To a request; nil if it was done.
    case answer(Ticket, Refusal?)
    case push(GroupPush)
    /// Whatever was joined here is to be joined anew, with whoever leads now.
    case ended(Refusal)
  }

  public var shard: ShardID
  public var content: Content

  public init(shard: ShardID, _ content: Content) {
    self.shard = shard
    self.content = content
  }
}

/// Messages that are one edge's to give to a member: until it acknowledges or releases them, or is gone.
public struct GroupPush: Sendable {
  public var group: GroupName
  public var opening: UInt64
  /// In order, each piece whole records one after another.
  public var pieces: [Bytes]
  /// Before them: messages that are no longer there, told to one edge alone.
  public var gap: ReadGap?

  public init(group: GroupName, opening: UInt64, pieces: [Bytes], gap: ReadGap? = nil) {
    self.group = group
    self.opening = opening
    self.pieces = pieces
    self.gap = gap
  }
}
