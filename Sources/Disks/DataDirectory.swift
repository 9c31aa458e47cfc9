internal import CLinux
public import Core
internal import Glibc
public import Journal

/// A node's directory, checked, locked and laid out:
///
/// ```
/// format      "tidings 1"
/// identity    who this node is
/// lock        who holds it now
/// birth       what it has promised of a cluster's birth
/// made        that every shard was there once
/// holds       which shards are held here
/// shards/0/…  one journal each
/// group-0.log what its journal threads wrote last, while a node runs or after it was cut off
/// ```
public final class DataDirectory: Sendable {
  public let path: String
  /// As found at opening, or as given when the directory was new.
  public let identity: NodeIdentity
  /// Whether this start made it.
  public let isNew: Bool
  /// What an earlier run that was cut off had left in its group logs, and is in the journals now.
  public let replay: GroupLogFinding
  let root: DirectoryHandle
  private let lock: DirectoryLock

  static let formatName = "format"
  static let identityName = "identity"
  static let shardsName = "shards"
  static let format = "tidings 1\n"

  /// Opens the directory at `path`, or makes it with `fresh` as its identity. `holder` says who is asking, in
  /// words: node name, process number, start time.
  public init(path: String, fresh: NodeIdentity, holder: String) throws(DataDirectoryError) {
    self.path = path
    root = try Self.reaching(path) { () throws(DiskError) in
      try DirectoryHandle.make(path)
      guard access(path, R_OK | W_OK | X_OK) == 0 else { throw DiskError(errno: errno, "write") }
      return try DirectoryHandle(path: path)
    }
    // Looked at before the lock is made, so that nothing is left in a directory that is not ours.
    try Self.checkFormat(of: root)
    lock = try DirectoryLock(in: root, holder: holder)
    (identity, isNew) = try Self.identify(root, fresh)
    replay = try Self.replay(root)
  }

  /// Why the directory at `path`, which is there, is none that a node could use; nil if it is. Changes nothing.
  public static func problem(at path: String) -> DataDirectoryError? {
    do throws(DataDirectoryError) {
      try checkFormat(of: try reaching(path) { () throws(DiskError) in try DirectoryHandle(path: path) })
      return nil
    } catch {
      return error
    }
  }

  /// Whether files can be made in the directory at `path` by whoever has the rights.
  public static func holdsFiles(_ path: String) -> Bool { tidings_disk_holds_files(path) != 0 }

  /// The directory of one shard, made when it is not there.
  public func shard(_ id: ShardID) throws(DataDirectoryError) -> DirectoryHandle {
    let shardPath = Self.path(of: id, in: path)
    return try Self.reaching(shardPath) { () throws(DiskError) in
      try DirectoryHandle.make(shardPath)
      return try DirectoryHandle(path: shardPath, shard: id)
    }
  }

  /// Writes down a changed identity: the next opening finds it.
  public func save(_ identity: NodeIdentity) throws(DataDirectoryError) {
    try Self.reaching(path) { () throws(DiskError) in try root.replace(Self.identityName, text: identity.text) }
  }

  static func path(of shard: ShardID, in root: String) -> String { "\(root)/\(shardsName)/\(shard)" }

  /// Before anybody can open a journal here, whatever this run's settings are.
  private static func replay(_ root: DirectoryHandle) throws(DataDirectoryError) -> GroupLogFinding {
    do throws(GroupLogError) {
      return try GroupLogReplay.run(GroupLogDirectory(root: root))
    } catch {
      switch error {
      case .damaged(let name, let damage): throw .damagedGroupLog(root.path, name, damage)
      case .disk(let failure): throw .unusable(root.path, failure)
      }
    }
  }

  private static func checkFormat(of root: DirectoryHandle) throws(DataDirectoryError) {
    let found = try reaching(root.path) { () throws(DiskError) in try root.text(of: formatName) }
    if let found {
      guard found == format else { throw .otherFormat(root.path, found: found) }
      return
    }
    // A first start that was cut short leaves no more than these.
    let ours = [DirectoryLock.name, formatName + DirectoryHandle.temporarySuffix, "lost+found"]
    let names = try reaching(root.path) { () throws(DiskError) in try root.list().map(\.name) }
    if let stranger = names.filter({ !ours.contains($0) }).min() { throw .foreign(root.path, holds: stranger) }
  }

  /// Format, identity and shards are made in this order, so that an identity missing beside shards is a loss.
  private static func identify(
    _ root: DirectoryHandle, _ fresh: NodeIdentity
  ) throws(DataDirectoryError) -> (NodeIdentity, isNew: Bool) {
    let found = try reaching(root.path) { () throws(DiskError) in try root.text(of: identityName) }
    if let found {
      guard let identity = NodeIdentity(text: found) else { throw .damagedIdentity(root.path) }
      return (identity, false)
    }
    let hasShards = try reaching(root.path) { () throws(DiskError) in
      try root.list().contains { $0.name == shardsName }
    }
    guard !hasShards else { throw .damagedIdentity(root.path) }
    try reaching(root.path) { () throws(DiskError) in
      try root.replace(formatName, text: format)
      try root.replace(identityName, text: fresh.text)
      try DirectoryHandle.make("\(root.path)/\(shardsName)")
    }
    return (fresh, true)
  }

  static func reaching<T>(_ path: String, _ body: () throws(DiskError) -> T) throws(DataDirectoryError) -> T {
    do throws(DiskError) {
      return try body()
    } catch {
      throw .unusable(path, error)
    }
  }
}

/// Why a data directory cannot be used.
public enum DataDirectoryError: Error, Hashable, Sendable {
  /// Another process holds it; what that one said of itself.
  case inUse(String, holder: String)
  /// It holds something that is not a node's data.
  case foreign(String, holds: String)
  /// It was made by another version.
  case otherFormat(String, found: String)
  /// The identity is missing or altered.
  case damagedIdentity(String)
  /// The list of shards that are held here cannot be read.
  case damagedHoldings(String)
  /// A group log holds what is acknowledged and in no journal, and cannot be read.
  case damagedGroupLog(String, String, GroupLogDamage)
  /// The system refuses.
  case unusable(String, DiskError)
}

extension DataDirectoryError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .inUse(let path, let holder):
      "data directory \(path) is in use by \(holder.split(separator: "\n").joined(separator: ", "))"
    case .foreign(let path, let name):
      "\(path) is not a data directory: it holds '\(name)' and no 'format' file; choose an empty or a new one"
    case .otherFormat(let path, let found):
      "data directory \(path) has format '\(found.prefix(40).split(separator: "\n").first ?? "")', this version reads 'tidings 1'"
    case .damagedIdentity(let path):
      "the identity file in data directory \(path) is missing or damaged; restore it, or start anew with an empty directory"
    case .damagedHoldings(let path):
      "the file 'holds' in data directory \(path) is damaged; write into it the numbers of the shards that lie in its folder 'shards', in one"
        + " line with a space between them, or start anew with an empty directory"
    case .damagedGroupLog(let path, let name, let damage):
      "\(name) in data directory \(path) is damaged: \(damage); it holds acknowledged messages that are nowhere else, and nothing"
        + " was altered: restore the directory, or start anew with an empty one, or remove \(name) to do without them"
    case .unusable(let path, let error):
      "cannot use \(path): \(error)"
    }
  }
}
