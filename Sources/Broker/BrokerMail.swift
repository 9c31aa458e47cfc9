public import Core
public import Disks
public import Feeds
public import Journal
public import Placement
public import Replica

/// What reaches a reactor's shards through its mailbox.
public enum BrokerMail: Sendable {
  case request(ShardID, ShardRequest)
  /// Another replica of the shard says something.
  case message(ShardID, from: NodeID, ReplicaMessage)
  /// Somebody says what is to become of a shard here.
  case order(ShardID, PlacementOrder)
  /// A shard that was given up is gone from the disk, or why not.
  case removed(ShardID, DataDirectoryError?)
  /// A remote edge is gone: nothing more is for it.
  case forget([EdgeID])
  /// A journal thread has answered these batches, each shard's in order; a journal's number is its shard's.
  case written([JournalAnswers])
  case readDone(ShardID, ReadTicket, Result<Bytes, DiskError>)
}
