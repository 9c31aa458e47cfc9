public import Journal
internal import Synchronization

/// The threads that write for all shards of a node.
///
/// ```
/// reactors ── submit ──▶ WorkQueue ──▶ writer: all writes of a round, one fdatasync ──▶ completion ──▶ mailbox
/// ```
///
/// While one round is on the disk the next one gathers: that is the group commit. Each writer has a group log in the data
/// directory it was given; without one a round takes a sync for each of its files.
public final class JournalThreads: Sendable {
  public let durability: Durability
  private let queues: [WorkQueue<WriterWork>]
  private let threads: Mutex<[DiskThread]>
  private let groups = Mutex(0)

  /// `tell` is called on a writer thread, at most once for each, when it goes on without its group log.
  public init(
    threads count: Int = 1, durability: Durability = .fsync, logsIn directory: DataDirectory? = nil,
    tell: @escaping @Sendable (DiskError) -> Void = { _ in }
  ) {
    precondition(count >= 1 && count <= Self.mostThreads)
    self.durability = durability
    let queues = (0..<count).map { _ in WorkQueue<WriterWork>() }
    self.queues = queues
    threads = Mutex(
      queues.enumerated().map { number, queue in
        DiskThread.start("journal") {
          let logs = directory.map { GroupLogDirectory(root: $0.root) }
          JournalWriter.run(queue, durability, logs: logs, name: GroupLogDirectory.name(thread: number), tell: tell)
        }
      })
  }

  /// More would only wait for the same disk.
  public static let mostThreads = 64

  /// Journals that one caller writes to. `answered` is called on a writer thread, once for a round; it should only pass
  /// the answers on.
  public func group(answered: @escaping @Sendable ([JournalAnswers]) -> Void) -> JournalGroup {
    let number = groups.withLock { count in
      count += 1
      return count - 1
    }
    return JournalGroup(number: number, queue: queues[number % queues.count], listener: JournalListener(answered))
  }

  /// Finishes what was submitted and ends the threads. Nothing submitted later is carried out.
  public func stop() {
    for queue in queues { queue.finish() }
    let ending = threads.withLock { threads in
      defer { threads = [] }
      return threads
    }
    for thread in ending { thread.join() }
  }
}

/// What became of one batch.
public struct DiskAnswer: Hashable, Sendable {
  public var ticket: JournalTicket
  /// Nil when it is done and durable.
  public var error: DiskError?

  public init(ticket: JournalTicket, error: DiskError? = nil) {
    self.ticket = ticket
    self.error = error
  }
}
