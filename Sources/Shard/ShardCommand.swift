public import Core
public import Feeds

/// A change to a shard's state that is not a message: what the log's `command` entries carry.
public enum ShardCommand: Sendable, Hashable {
  /// Makes the consumer if it is not there.
  case openConsumer(name: String, filters: [Filter], cursor: Cursor)
  /// Moves the consumer's cursor; back only if `reset`.
  case acknowledge(name: String, cursor: Cursor, reset: Bool)
  case deleteConsumer(name: String)
  /// Retention has passed over everything before `first`: topics with nothing after it and no current value are
  /// forgotten, a part of them per command.
  case forgetTopics(before: Offset)
  case session(SessionChange)
  /// Makes the group, behind this entry, if it is not there.
  case openGroup(GroupName)
  /// What of the group's messages is done; `ranges` in order.
  case acknowledgeGroup(GroupName, [OffsetRange])
  case closeGroup(GroupName)

  /// How many topics one `forgetTopics` looks at: some 2 ms.
  public static let topicsForgottenAtOnce = 50_000
  /// No entry carries more commands.
  public static let maximumPerEntry = 1024
  /// No consumer has more filters.
  public static let maximumFilters = 256
}

/// What a command came to, in the order of the commands of an entry.
public enum CommandOutcome: Sendable, Equatable {
  case consumer(Consumer)
  /// And which claim of whom it ended.
  case session(SessionOpened, of: Bytes, ended: SessionClaim?, heldBy: SessionOwner?)
  case done
  case refused(Refusal)
}

/// Why an entry or a snapshot cannot be taken into the state. Each of them means that this process must not go on
/// with this shard: its state would differ from what others made of the same log.
public enum ShardStateError: Error, Equatable, Sendable, CustomStringConvertible {
  case unknownCommandVersion(UInt8)
  case unknownCommand(UInt8)
  case malformedCommand(String)
  case unknownSnapshotVersion(UInt16)
  case malformedSnapshot(String)
  case outOfOrder(expected: Offset, found: Offset)

  public var description: String {
    switch self {
    case .unknownCommandVersion(let version):
      "the log holds a command of version \(version), written by a newer tidings; this one knows version \(ShardCommand.version)"
    case .unknownCommand(let kind): "the log holds a command of kind \(kind), written by a newer tidings"
    case .malformedCommand(let what): "the log holds a command that cannot be read: \(what)"
    case .unknownSnapshotVersion(let version):
      "the snapshot is of version \(version), written by a newer tidings; this one knows version \(SnapshotFormat.version)"
    case .malformedSnapshot(let what): "the snapshot cannot be read: \(what)"
    case .outOfOrder(let expected, let found): "the log goes on at offset \(found) where \(expected) was due"
    }
  }
}
