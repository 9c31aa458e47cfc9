public import Core
internal import Glibc
public import Journal
internal import Synchronization

/// The thread that reads for all shards, so that no reactor waits for a disk.
public final class ReadThread: Sendable {
  private enum Work: Sendable {
    case read(ReadPlan, DirectoryHandle, @Sendable (Result<Bytes, DiskError>) -> Void)
    case removal(ShardID, DataDirectory, @Sendable (Result<Void, DataDirectoryError>) -> Void)
  }

  private let queue: WorkQueue<Work>
  private let thread: Mutex<DiskThread?>

  public init() {
    let queue = WorkQueue<Work>()
    self.queue = queue
    thread = Mutex(DiskThread.start("journal-read") { Self.run(queue) })
  }

  /// Reads the plan's bytes and calls back on the reading thread. False after `stop`: it will not call back.
  ///
  /// A file removed by retention since the plan was made is `missing`: plan again.
  @discardableResult
  public func read(
    _ plan: ReadPlan, in directory: DirectoryHandle, completion: @escaping @Sendable (Result<Bytes, DiskError>) -> Void
  ) -> Bool {
    queue.add(CollectionOfOne(.read(plan, directory, completion)))
  }

  /// Deletes the journal of a shard, which nobody has open, and calls back on the reading thread.
  @discardableResult
  public func remove(
    _ shard: ShardID, from directory: DataDirectory, completion: @escaping @Sendable (Result<Void, DataDirectoryError>) -> Void
  ) -> Bool {
    queue.add(CollectionOfOne(.removal(shard, directory, completion)))
  }

  /// Finishes what was asked for and ends the thread.
  public func stop() {
    queue.finish()
    let ending = thread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    ending?.join()
  }

  private static func run(_ queue: WorkQueue<Work>) {
    var round: [Work] = []
    while queue.take(&round) == .work {
      for work in round { carryOut(work) }
    }
  }

  private static func carryOut(_ work: Work) {
    switch work {
    case .read(let plan, let directory, let completion): completion(directory.read(plan))
    case .removal(let shard, let directory, let completion):
      do throws(DataDirectoryError) {
        try directory.remove(shard)
        completion(.success(()))
      } catch {
        completion(.failure(error))
      }
    }
  }
}

extension DirectoryHandle {
  /// Reads the plan's bytes, waiting for the disk.
  public func read(_ plan: ReadPlan) -> Result<Bytes, DiskError> {
    let name = plan.file.text
    do throws(DiskError) {
      let file = try open(name, O_RDONLY)
      defer { close(file) }
      var buffer = ByteBuffer(capacity: plan.length)
      let got = try FileCalls.read(file, at: plan.position, count: plan.length, into: buffer.reserve(plan.length), name)
      buffer.advance(got)
      return .success(buffer.freeze())
    } catch {
      return .failure(error)
    }
  }
}
