public import Core

/// Why bytes that came in are not listened to. Nothing of a refused packet has any effect.
public enum GossipRefusal: FieldRefusal, Hashable, Sendable {
  case tooLong
  case truncated
  case trailingBytes
  case unknownVersion(UInt8)
  case unknownForm(UInt8)
  case unknownKind(UInt8)
  /// From a member of another cluster that happens to reach this one.
  case foreignCluster
  /// Meant for a member that had this address before.
  case misdirected
  case malformedProfile
  /// A packet in place of a state, or the reverse, or an answer to nothing.
  case unexpected
}
