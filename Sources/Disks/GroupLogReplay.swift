internal import Core
public import Journal

/// Puts what group logs hold into the files, before any journal is opened.
///
/// Rounds are durable one after another, so a bad one with a good one of the same epoch behind it was durable once, and is
/// damage; without one it is a round that was cut off, and nobody was told of it. All logs are judged before the
/// first byte is written: a damaged one is left as it is, and so is everything else.
struct GroupLogReplay<Files: GroupLogFiles> {
  private let files: Files
  private var disks: [ShardID: Files.ShardDisk] = [:]
  private var finding = GroupLogFinding()

  private init(_ files: Files) {
    self.files = files
  }

  /// All logs, one after another: no file is in two of them. May be cut off anywhere, and run again.
  static func run(_ files: Files) throws(GroupLogError) -> GroupLogFinding {
    var replay = GroupLogReplay(files)
    return try replay.carryOut()
  }

  private mutating func carryOut() throws(GroupLogError) -> GroupLogFinding {
    let names = try reaching { () throws(DiskError) in try files.logs() }.sorted()
    for name in names { try judge(name) }
    for name in names {
      let (bytes, rounds) = try read(name)
      do throws(DiskError) {
        try put(rounds, of: bytes)
        try files.remove(name)
      } catch {
        guard error.kind == .missing, let file = error.file else { throw .disk(error) }
        // A file is removed only after the log was emptied, so somebody else took this one away.
        throw .damaged(name, .names(file))
      }
    }
    return finding
  }

  private func judge(_ name: String) throws(GroupLogError) {
    _ = try read(name)
  }

  private func read(_ name: String) throws(GroupLogError) -> (Bytes, rounds: [Range<Int>]) {
    let bytes = try reaching { () throws(DiskError) in try files.open(name).readAll() }
    do throws(GroupLogDamage) {
      return (bytes, try bytes.withUnsafeBytes { log throws(GroupLogDamage) in try GroupLogFormat.rounds(of: log) })
    } catch {
      throw .damaged(name, error)
    }
  }

  /// The files are durable when it returns.
  private mutating func put(_ rounds: [Range<Int>], of log: Bytes) throws(DiskError) {
    var touched: [(shard: ShardID, file: JournalFileName)] = []
    for round in rounds {
      let writes = log.withUnsafeBytes { GroupLogFormat.writes(of: UnsafeRawBufferPointer(rebasing: $0[round])) ?? [] }
      for (shard, write) in writes {
        if disks[shard] == nil { disks[shard] = try files.disk(of: shard) }
        try disks[shard]?.perform(.write(write.file, at: write.position, write.bytes))
        if !touched.contains(where: { $0.shard == shard && $0.file == write.file }) { touched.append((shard, write.file)) }
        finding.writes += 1
      }
      finding.rounds += 1
    }
    for (shard, file) in touched { disks[shard]?.startWriting(file) }
    for (shard, file) in touched { try disks[shard]?.perform(.sync(file)) }
  }

  private func reaching<T>(_ body: () throws(DiskError) -> T) throws(GroupLogError) -> T {
    do throws(DiskError) {
      return try body()
    } catch {
      throw .disk(error)
    }
  }
}

/// What the replay at opening met.
public struct GroupLogFinding: Hashable, Sendable {
  /// Rounds and single writes that were put into the journals.
  public var rounds = 0
  public var writes = 0
}

/// Why the replay cannot be.
enum GroupLogError: Error, Hashable {
  case damaged(String, GroupLogDamage)
  case disk(DiskError)
}

/// What is wrong with a group log.
public enum GroupLogDamage: Error, Hashable, Sendable {
  /// Neither head can be read.
  case noHead
  /// A round between good ones, at this byte, cannot be read.
  case badRound(at: Int)
  /// It holds writes for a file that is not there.
  case names(JournalFileName)
}

extension GroupLogDamage: CustomStringConvertible {
  public var description: String {
    switch self {
    case .noHead: "it has no head that can be read"
    case .badRound(let position): "what stands at byte \(position) cannot be read, though what follows can"
    case .names(let file): "it continues \(file), which is not there"
    }
  }
}
