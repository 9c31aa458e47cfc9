public import Core
public import Placement
public import Raft

/// Why bytes from another node are not listened to, or a message to it cannot be written. Nothing of a refused message
/// has any effect; whose bytes are refused has lost the thread, so the link ends.
public enum WireRefusal: FieldRefusal, Hashable, Sendable {
  case truncated
  case trailingBytes
  /// A frame or a field longer than it may be.
  case tooLong
  /// More things than one message may hold, or than its bytes could.
  case tooMany
  /// Spoken by a newer node, or by something else altogether.
  case unknownVersion(UInt8)
  case notTidings
  /// A kind of message that only a newer node knows.
  case unknownKind(UInt8)
  case unknownLane(UInt8)
  /// A kind of part within a message.
  case unknownPart(UInt8)
  case notBoolean(UInt8)
  /// A shard, an offset or a number that no cluster ever reaches.
  case outOfBounds
  case malformedText
  case malformedTopic
  case malformedCursor
  /// Not a row of whole, unharmed records.
  case damagedRecords
  /// Parts that cannot all be true.
  case contradiction
  case raft(RaftRefusal)
  case placement(PlacementRefusal)
}
