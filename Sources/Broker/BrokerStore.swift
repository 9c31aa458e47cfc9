public import Disks
public import Journal

/// What the reactors of one node share of its disk: the locked data directory and the threads that write and read.
public final class BrokerStore: Sendable {
  public let directory: DataDirectory
  let journals: JournalThreads
  let readers: ReadThread

  /// Locks the data directory, or makes it with `fresh` as its identity. `holder` says who is asking. `tell` hears, on any
  /// thread, why journals are written without a group log.
  public init(
    path: String, fresh: NodeIdentity, holder: String, durability: Durability, tell: @escaping @Sendable (DiskError) -> Void
  ) throws(DataDirectoryError) {
    directory = try DataDirectory(path: path, fresh: fresh, holder: holder)
    journals = JournalThreads(durability: durability, logsIn: directory, tell: tell)
    readers = ReadThread()
  }

  public var durability: Durability { journals.durability }

  /// Finishes what was submitted and ends the threads; after every reactor's `isClosed`, or when it took too long.
  public func stop() {
    readers.stop()
    journals.stop()
  }
}
