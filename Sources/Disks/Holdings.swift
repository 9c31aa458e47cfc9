public import Core
internal import Journal
internal import Synchronization

/// Which shards a data directory holds: written down before one is counted on, and before one is deleted. Any thread may
/// ask and change it.
public final class Holdings: Sendable {
  private let directory: DataDirectory
  private let shards: Mutex<Set<ShardID>>

  /// What is written down, or `first` where nothing is: that is written then. What lies in the directory beside it is left
  /// over from a copy that was given up, and goes.
  public init(in directory: DataDirectory, first: [ShardID]) throws(DataDirectoryError) {
    self.directory = directory
    if let text = try directory.note(.holds) {
      guard let known = Self.shards(in: text) else { throw .damagedHoldings(directory.path) }
      shards = Mutex(known)
      for stray in try directory.shards() where !known.contains(stray) { try directory.remove(stray) }
    } else {
      shards = Mutex(Set(first))
      try directory.write(.holds, Self.text(of: Set(first)))
    }
  }

  public func contains(_ shard: ShardID) -> Bool { shards.withLock { $0.contains(shard) } }

  /// Durable when it returns.
  public func add(_ shard: ShardID) throws(DataDirectoryError) { try change { $0.insert(shard) } }

  /// Durable when it returns; the shard's files may go then.
  public func remove(_ shard: ShardID) throws(DataDirectoryError) { try change { $0.remove(shard) } }

  private func change(_ body: (inout Set<ShardID>) -> Void) throws(DataDirectoryError) {
    let outcome: Result<Void, DataDirectoryError> = shards.withLock { shards in
      var changed = shards
      body(&changed)
      guard changed != shards else { return .success(()) }
      do throws(DataDirectoryError) {
        try directory.write(.holds, Self.text(of: changed))
        shards = changed
        return .success(())
      } catch {
        return .failure(error)
      }
    }
    try outcome.get()
  }

  private static func text(of shards: Set<ShardID>) -> String {
    shards.isEmpty ? "none\n" : shards.sorted().map { "\($0)" }.joined(separator: " ") + "\n"
  }

  private static func shards(in text: String) -> Set<ShardID>? {
    guard text.hasSuffix("\n") else { return nil }
    let line = text.dropLast()
    if line == "none" { return [] }
    var shards: Set<ShardID> = []
    for word in line.split(separator: " ", omittingEmptySubsequences: false) {
      guard let number = UInt16(word) else { return nil }
      shards.insert(ShardID(number))
    }
    return shards
  }
}

extension DataDirectory {
  /// The shards that have a directory here.
  func shards() throws(DataDirectoryError) -> [ShardID] {
    let folder = "\(path)/\(Self.shardsName)"
    return try Self.reaching(folder) { () throws(DiskError) in
      try DirectoryHandle(path: folder).list().compactMap { UInt16($0.name).map { ShardID($0) } }
    }
  }

  /// Deletes a shard's journal. Nobody may have it open.
  func remove(_ shard: ShardID) throws(DataDirectoryError) {
    let folder = Self.path(of: shard, in: path)
    try Self.reaching(folder) { () throws(DiskError) in
      let directory = try DirectoryHandle(path: folder)
      for (name, _) in try directory.list() { try directory.remove(name) }
      try directory.removeItself()
    }
  }
}
