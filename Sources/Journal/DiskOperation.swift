public import Core

/// What a journal wants done in its directory.
///
/// Operations of one journal happen in the order given. A `sync` may be put off to be shared with later
/// batches, but not past the next `create`, `truncate`, `delete` or `replace` of the same journal: those may
/// only happen when everything before them is durable.
public enum DiskOperation: Hashable, Sendable {
  /// Makes a new file of `reserve` zero bytes, its place in the directory durable. Fails as a whole when there is no space.
  case create(JournalFileName, reserve: Int)
  /// Makes the file `upTo` bytes long, the new ones zero, with space set aside for them. Fails as a whole.
  case reserve(JournalFileName, upTo: Int)
  case write(JournalFileName, at: Int, Bytes)
  case sync(JournalFileName)
  /// Cuts the file to this length, durably.
  case truncate(JournalFileName, to: Int)
  /// Removes the file; one that is not there is no error.
  case delete(JournalFileName)
  /// The file holds header and body, or what it held before: durable, nothing between.
  case replace(JournalFileName, header: Bytes, body: Bytes)

  public var file: JournalFileName {
    switch self {
    case .create(let name, _), .reserve(let name, _), .write(let name, _, _), .sync(let name), .truncate(let name, _),
      .delete(let name), .replace(let name, _, _):
      name
    }
  }

  /// Whether this operation may fail for want of space and leave everything as it was.
  public var mayLackSpace: Bool {
    switch self {
    case .create, .reserve, .replace: true
    case .write, .sync, .truncate, .delete: false
    }
  }

  /// Whether everything before it must be durable first.
  public var isBarrier: Bool {
    switch self {
    case .create, .truncate, .delete, .replace: true
    case .reserve, .write, .sync: false
    }
  }
}

/// Names one batch of a journal; batches are numbered from 1 in the order they are handed out.
public struct JournalTicket: Hashable, Comparable, Sendable {
  public var value: UInt64
  public init(_ value: UInt64) { self.value = value }
  public static func < (a: JournalTicket, b: JournalTicket) -> Bool { a.value < b.value }
}

/// Operations that are answered together: `completed(ticket)` when all are done and all syncs among them have
/// happened, `failed(ticket, error)` otherwise.
///
/// When an operation that `mayLackSpace` fails with `noSpace`, the rest of its batch is left out and later
/// batches go on. Any other failure is the journal's last: no later batch of it may be carried out.
public struct DiskBatch: Hashable, Sendable {
  public var ticket: JournalTicket
  public var operations: [DiskOperation]

  public init(ticket: JournalTicket, operations: [DiskOperation]) {
    self.ticket = ticket
    self.operations = operations
  }
}
