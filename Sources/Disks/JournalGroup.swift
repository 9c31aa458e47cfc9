public import Journal

/// Journals that are written to together: what all of them want goes to the writer thread in one go, and what became of
/// it comes back in one go. A thread that is woken for the first of sixteen journals would make a round of that one.
///
/// Cheap to call from any thread, but one journal's batches must come in order.
public final class JournalGroup: Sendable {
  private let number: Int
  private let queue: WorkQueue<WriterWork>
  private let listener: JournalListener

  init(number: Int, queue: WorkQueue<WriterWork>, listener: JournalListener) {
    self.number = number
    self.queue = queue
    self.listener = listener
  }

  /// Makes the directory's journal known, by a number of the caller's.
  public func attach(_ directory: DirectoryHandle, as journal: Int) {
    queue.add(CollectionOfOne(.attach(key(journal), directory, listener)))
  }

  /// False after `stop`: the batches are dropped and not answered.
  @discardableResult
  public func submit(_ wants: [JournalBatches]) -> Bool {
    guard !wants.isEmpty else { return true }
    return queue.add(wants.lazy.map { [number] in .batches(JournalKey(group: number, journal: $0.journal), $0.batches) })
  }

  /// The journal is done. Its files are closed, and no log holds anything of it, when everything before is carried out:
  /// then `after` is called, on the writer thread.
  public func detach(_ journal: Int, after: @escaping @Sendable () -> Void) {
    queue.add(CollectionOfOne(.detach(key(journal), after: after)))
  }

  private func key(_ journal: Int) -> JournalKey { JournalKey(group: number, journal: journal) }
}

/// What one journal of a group wants, in order.
public struct JournalBatches: Sendable {
  public var journal: Int
  public var batches: [DiskBatch]

  public init(journal: Int, batches: [DiskBatch]) {
    self.journal = journal
    self.batches = batches
  }
}

/// What became of one journal's batches in a round, in order.
public struct JournalAnswers: Sendable {
  public var journal: Int
  public var answers: [DiskAnswer]
}

/// A journal among all that a writer thread writes to.
struct JournalKey: Hashable, Sendable {
  var group: Int
  var journal: Int
}

/// Who hears of a group's journals.
final class JournalListener: Sendable {
  let answered: @Sendable ([JournalAnswers]) -> Void

  init(_ answered: @escaping @Sendable ([JournalAnswers]) -> Void) {
    self.answered = answered
  }
}
