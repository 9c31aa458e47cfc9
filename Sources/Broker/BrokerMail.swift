public import Core
public import Feeds
public import Journal
public import Replica

/// What reaches a reactor's shards through its mailbox.
public enum BrokerMail: Sendable {
  case request(ShardID, ShardRequest)
  /// A batch of disk operations is done, or failed.
  case written(ShardID, JournalTicket, DiskError?)
  case readDone(ShardID, ReadTicket, Result<Bytes, DiskError>)
}
