public import Core

/// One shard's directory as opening and reading see it: each call returns when it is done.
public protocol Disk: ~Copyable {
  /// The journal's files in any order; names that are not a journal's are left alone and left out.
  mutating func list() throws(DiskError) -> [DiskFile]

  /// Appends up to `count` bytes from `position` on to `buffer`; fewer only where the file ends.
  mutating func read(_ name: JournalFileName, at position: Int, count: Int, into buffer: inout ByteBuffer) throws(DiskError)

  /// Carries one operation out.
  mutating func perform(_ operation: DiskOperation) throws(DiskError)
}

public struct DiskFile: Hashable, Sendable {
  public var name: JournalFileName
  public var size: Int

  public init(name: JournalFileName, size: Int) {
    self.name = name
    self.size = size
  }
}

/// The environment failed.
public struct DiskError: Error, Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    /// No space left, or a quota reached. The only kind that can pass.
    case noSpace
    /// The file is not there.
    case missing
    /// Not allowed, or read-only.
    case refused
    /// Anything else; after it nothing is known of what the disk holds.
    case failed
  }

  public var kind: Kind
  /// What was attempted, in a word: `write`, `sync`, …
  public var operation: String
  public var file: JournalFileName?
  /// The system's number for it, 0 if there is none.
  public var code: Int32

  public init(_ kind: Kind, operation: String, file: JournalFileName? = nil, code: Int32 = 0) {
    self.kind = kind
    self.operation = operation
    self.file = file
    self.code = code
  }
}

extension DiskError: CustomStringConvertible {
  public var description: String {
    let reason =
      switch kind {
      case .noSpace: "no space left"
      case .missing: "not found"
      case .refused: "not allowed"
      case .failed: "failed"
      }
    return "\(operation) \(file.map(\.text) ?? "directory"): \(reason)\(code == 0 ? "" : " (\(Self.words(for: code)))")"
  }

  /// What the errors that disks give mean; others keep their number.
  private static func words(for code: Int32) -> String {
    switch code {
    case 1: "not permitted"
    case 2: "no such file or directory"
    case 5: "input/output error"
    case 12: "out of memory"
    case 13: "permission denied"
    case 20: "not a directory"
    case 21: "is a directory"
    case 23, 24: "too many open files"
    case 27: "file too large"
    case 28: "no space left on device"
    case 30: "read-only file system"
    case 122: "disk quota exceeded"
    default: "error \(code)"
    }
  }
}
