public import Core
public import Disks
public import Journal
internal import Synchronization

/// What the reactors of one node share of its disk: the locked data directory and the threads that write and read.
public final class BrokerStore: Sendable {
  public let directory: DataDirectory
  let journals: JournalThreads
  let readers: ReadThread
  /// Where shards come and go: nil on a node that is alone, and before it is a cluster's.
  private let known = Mutex<Holdings?>(nil)

  /// Locks the data directory, or makes it with `fresh` as its identity. `holder` says who is asking. `tell` hears, on any
  /// thread, why journals are written without a group log.
  public init(
    path: String, fresh: NodeIdentity, holder: String, durability: Durability, tell: @escaping @Sendable (DiskError) -> Void
  ) throws(DataDirectoryError) {
    directory = try DataDirectory(path: path, fresh: fresh, holder: holder)
    journals = JournalThreads(durability: durability, logsIn: directory, tell: tell)
    readers = ReadThread()
  }

  var holdings: Holdings? { known.withLock { $0 } }

  /// From here on the directory says which shards are held; `first` are those of a directory that does not yet.
  public func keepHoldings(first: [ShardID]) throws(DataDirectoryError) -> Holdings {
    if let holdings { return holdings }
    let made = try Holdings(in: directory, first: first)
    known.withLock { $0 = made }
    return made
  }

  public var durability: Durability { journals.durability }

  /// Finishes what was submitted and ends the threads; after every reactor's `isClosed`, or when it took too long.
  public func stop() {
    readers.stop()
    journals.stop()
  }
}
