public import Core

/// Why bytes from another replica are not listened to. Nothing of a refused message has any effect.
public enum RaftRefusal: FieldRefusal, Hashable, Sendable {
  case truncated
  case trailingBytes
  case tooLong
  case unknownVersion(UInt8)
  case unknownKind(UInt8)
  /// A yes or no that is neither.
  case notBoolean(UInt8)
  /// A term, an offset or a place in a snapshot that no group ever reaches.
  case outOfBounds
  /// Not a row of whole, unharmed entries.
  case damagedEntries
  case malformedMembership
  /// Parts that cannot all be true: more durable than received, a log's end newer than the term asked for.
  case contradiction
}

/// What a message from another replica may hold.
public enum RaftLimits {
  /// Terms and offsets: a million a second for a hundred thousand years, and adding one is always possible.
  public static let number: UInt64 = 1 << 62
  /// Entries in one append: as many as fit, or one of the largest there is.
  public static let entriesBytes = RecordView.maximumLength
  /// One piece of a snapshot.
  public static let chunkBytes = 16 << 20
  /// A whole snapshot.
  public static let snapshotBytes = 1 << 44
}
