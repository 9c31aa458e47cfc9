internal import Core
internal import Journal

/// What the writers of group logs and their replay need of the system. `GroupLogDirectory` is the real one; a test
/// has one whose power can be cut.
protocol GroupLogFiles {
  associatedtype Log: GroupLogFile
  associatedtype ShardDisk: WritableDisk

  /// The group logs that are there.
  func logs() throws(DiskError) -> [String]
  /// Makes a log of `length` bytes that begins with `start`, the rest zero, or leaves nothing. Durable.
  func create(_ name: String, length: Int, start: Bytes) throws(DiskError) -> Log
  func open(_ name: String) throws(DiskError) -> Log
  /// Durably; a log that is not there is no error.
  func remove(_ name: String) throws(DiskError)
  /// The shard's journal; throws `missing` when there is none.
  func disk(of shard: ShardID) throws(DiskError) -> ShardDisk
}

/// A group log's file.
protocol GroupLogFile {
  func readAll() throws(DiskError) -> Bytes
  func write(_ bytes: UnsafeRawBufferPointer, at position: Int) throws(DiskError)
  func sync() throws(DiskError)
}

/// One shard's directory as the writer sees it.
protocol WritableDisk: Disk {
  /// Has the system begin to write the file's changed pages; a sync that follows has less to wait for.
  func startWriting(_ name: JournalFileName)
}

/// The numbers a group log works with.
struct GroupLogSettings: Sendable {
  /// Twice what is written between two checkpoints is written in all, so a larger log costs space and nothing else;
  /// a smaller one makes the checkpoints shorter.
  var length = 16 << 20
  /// A round with more than this goes to the files directly: writing it twice would cost more than syncing them.
  var mostRoundBytes = 1 << 20
  /// After this long without a round that was better off with the log, its files are made durable in their places.
  var checkpointAfter = TimeSpan.seconds(1)
}
