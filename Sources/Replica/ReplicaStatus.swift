public import Core
public import Raft

/// What a shard says of itself, for the cluster status and for metrics.
public struct ReplicaStatus: Sendable, Equatable {
  public enum Condition: Sendable, Equatable {
    case ok
    case full
    /// Something on the disk was lost or altered: learning it anew from the other replicas; the text says what.
    case repairing(String)
    /// Publishes are refused; the text says why.
    case failed(String)
  }

  public var shard: ShardID
  public var condition: Condition
  /// Whether this replica leads and takes publishes.
  public var isServing: Bool
  public var raft: RaftStatus
  public var first: Offset
  public var committed: Offset
  /// What the log takes on the disk.
  public var bytes: Int
  /// Appended and not yet committed.
  public var pendingBytes: Int
  public var topics: Int
  public var retainedValues: Int
  public var keys: Int
  public var consumers: Int
  /// MQTT sessions that are kept, and those of them whose clients are connected.
  public var sessions: Int
  public var connectedSessions: Int
  /// Groups that have a place here, and who shares in them, as the leader knows.
  public var groups: Int
  public var groupMembers: Int
  public var feeds: Int
  /// Who is present, as the leader knows; one on two topics counts twice.
  public var members: Int
  public var waitingReads: Int
  public var counters: ReplicaCounters
}

/// What happened since the replica was opened; only ever grows.
public struct ReplicaCounters: Sendable, Equatable {
  public var published: UInt64 = 0
  public var publishedBytes: UInt64 = 0
  public var duplicates: UInt64 = 0
  public var refused: UInt64 = 0
  public var committed: UInt64 = 0
  public var pushes: UInt64 = 0
  public var pushedBytes: UInt64 = 0
  public var reads: UInt64 = 0
  public var histories: UInt64 = 0
  public var diskReads: UInt64 = 0
  /// Reads that waited for one already under way.
  public var joinedReads: UInt64 = 0
  public var snapshots: UInt64 = 0
  /// Acknowledgements of a member for what it had before it began anew.
  public var strayMessages: UInt64 = 0

  public init() {}
}
