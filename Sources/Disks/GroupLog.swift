internal import Core
internal import Journal

/// A redo log shared by the journals of one writer: with it one sync makes the writes of many files durable.
///
/// ```
/// begin ─▶ add write … ─▶ commit: one write, one sync ─▶ the files, unsynced ─▶ … ─▶ files synced ─▶ reset
/// ```
///
/// Nothing reaches a file before the log holds it durably; so what a crash leaves of a logged write is always written
/// again by the replay, whole.
final class GroupLog<File: GroupLogFile> {
  private let file: File
  private let length: Int
  private(set) var epoch: UInt64
  /// Where the next round goes.
  private var position = GroupLogFormat.roundsBegin
  private var sequence: UInt64 = 0
  private var round = ByteBuffer()
  private var count = 0

  /// A log whose head says `epoch`, without rounds.
  init(file: File, length: Int, epoch: UInt64) {
    self.file = file
    self.length = length
    self.epoch = epoch
  }

  /// What a round with these writes takes.
  static func size(writes: Int, bytes: Int) -> Int {
    GroupLogFormat.padded(GroupLogFormat.roundHeaderSize + writes * GroupLogFormat.writeHeaderSize + bytes)
  }

  func fits(_ size: Int) -> Bool { length - position >= size }

  func begin() {
    round.removeAll(keepingCapacity: true)
    count = 0
    GroupLogFormat.beginRound(&round, epoch: epoch, sequence: sequence + 1, position: position)
  }

  func add(_ write: FileWrite, of shard: ShardID) {
    GroupLogFormat.append(write, of: shard, to: &round)
    count += 1
  }

  /// The round is durable when this returns. After an error nothing more may be asked of this log.
  func commit() throws(DiskError) {
    GroupLogFormat.sealRound(&round, writes: count)
    precondition(fits(round.count), "a round that does not fit its log")
    try round.withUnsafeBytes { bytes throws(DiskError) in try file.write(bytes, at: position) }
    try file.sync()
    position += round.count
    sequence += 1
  }

  /// Everything in it is durable in its place: forgets it, durably. After an error nothing more may be asked of it.
  func reset() throws(DiskError) {
    epoch += 1
    let head = GroupLogFormat.head(epoch: epoch)
    for position in GroupLogFormat.headPositions {
      try head.withUnsafeBytes { bytes throws(DiskError) in try file.write(bytes, at: position) }
    }
    try file.sync()
    position = GroupLogFormat.roundsBegin
    sequence = 0
  }
}
