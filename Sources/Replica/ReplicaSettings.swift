public import Core
public import Journal
public import Raft

/// The numbers a replica works with.
public struct ReplicaSettings: Sendable {
  public var shard: ShardID
  /// Who the members are, where the disk does not tell: at the shard's birth, or when the disk is damaged. Of no
  /// voters for a replica that is yet to hear of its shard.
  public var members: Membership
  /// Members that were told at its birth may not be those of today: a damaged disk that does not tell either is not taken
  /// for that of a shard with just these.
  public var mayHaveGrown = false
  public var raft: RaftSettings
  /// False: a publish counts as kept at the end of its turn; the disk follows.
  public var waitsForDisk = true
  public var retention = Retention(ageMilliseconds: 24 * 3600 * 1000, bytes: 1 << 30)
  /// Appended and not yet committed; past it publishes are refused as overloaded.
  public var maximumPendingBytes = 64 << 20
  /// Recent batches kept in memory for readers that are only a little behind.
  public var recentTailBytes = 4 << 20
  /// One read from the disk.
  public var readChunkBytes = 256 << 10
  /// A page is answered after so many bytes were looked at, whatever was found in them.
  public var examinedBytesPerRead = 4 << 20
  /// `last`, `history`: no more records are answered at once…
  public var maximumWalkRecords = 10_000
  /// A reader so many entries behind is read for along its topics, where few of those entries are theirs: one record of a
  /// chain may cost as much as passing over this many.
  public var passedPerRecord: UInt64 = 1024
  public var maximumSparseRecords = 1000
  /// …no more are passed over to get there…
  public var maximumWalkSteps = 100_000
  /// …and a history has no more bytes.
  public var maximumHistoryBytes = 8 << 20
  /// Reads and histories that wait for the disk at once; past it they are refused as overloaded.
  public var maximumWaitingReads = 1024
  /// A snapshot is taken after so many new bytes…
  public var snapshotEveryBytes = 64 << 20
  /// …or so many new entries, which bounds what opening has to replay…
  public var snapshotEveryEntries = 250_000
  /// …or so much time with anything new at all, so that a quiet log can expire too.
  public var snapshotEvery = TimeSpan.seconds(600)
  /// Retention removes nothing that no snapshot contains: small retentions need snapshots sooner, though never of
  /// less log than this…
  public var smallestSnapshotEveryBytes = 1 << 20
  /// …nor of less time.
  public var shortestSnapshotEvery = TimeSpan.seconds(1)
  /// A tick encodes about this much of a snapshot.
  public var snapshotBytesPerTick = 1 << 20
  /// Retention is looked at this often.
  public var trimEvery = TimeSpan.seconds(1)

  /// A snapshot from a leader is taken up to this size.
  public var maximumSnapshotBytes = 1 << 30
  /// A leader has been told by then who is present. Where there is no other node to tell it, at once.
  public var presenceSettling = TimeSpan.seconds(5)

  /// By then a leader has been told which messages of groups are out at which edges; with no other node to lead before it, at
  /// once (`presenceSettling`).
  public var groupSettling = TimeSpan.seconds(2)

  /// A replica that lost something asks to be repaired this often.
  public var repairAskEvery = TimeSpan.seconds(1)

  /// The journal ends an append with something of its own: room for it spares a copy.
  static var footerRoom: Int { 64 }

  /// Whether the output tells what is committed, for those who check it.
  package var tellsCommits = false
  package var faults: ReplicaFaults = []

  public var node: NodeID { raft.node }

  /// A shard whose one replica is on `node`.
  public init(shard: ShardID, node: NodeID) {
    self.shard = shard
    members = Membership(voters: [node])
    raft = RaftSettings(node: node)
  }
}
