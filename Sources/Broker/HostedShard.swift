internal import Core
internal import Disks
internal import Journal
internal import Replica

/// One shard on its reactor: the replica, and what it wants of the disk until the turn ends.
///
/// Lives on its reactor's thread.
final class HostedShard {
  let id: ShardID
  var replica: ShardReplica
  let directory: DirectoryHandle
  var batches: [DiskBatch] = []
  var reads: [ReplicaRead] = []
  /// Batches handed to the journal thread and not answered yet.
  var outstanding = 0
  var isDirty = false
  var hasClosed = false

  init(id: ShardID, replica: consuming ShardReplica, directory: DirectoryHandle) {
    self.id = id
    self.replica = replica
    self.directory = directory
  }
}
