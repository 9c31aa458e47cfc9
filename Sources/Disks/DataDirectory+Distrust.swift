internal import Core
internal import Glibc
internal import Journal

/// A group log that cannot be read held the end of some journals, and nothing tells of which. A broker whose shards others
/// hold too need not stand still for that: it forgets how it voted, which makes each of its replicas silent until it has
/// learned everything anew.
extension DataDirectory {
  /// Puts the log that is damaged out of the way, kept for whoever wants to look at it, if `hasPeers` says so of what the
  /// directory knows of its cluster's birth. May be cut off anywhere: the log is there until all votes are gone.
  public static func distrust(
    _ path: String, log name: String, holder: String, where hasPeers: (_ birth: String?) -> Bool
  ) throws(DataDirectoryError) -> Bool {
    let root = try reaching(path) { () throws(DiskError) in try DirectoryHandle(path: path) }
    let lock = try DirectoryLock(in: root, holder: holder)
    defer { _ = lock }
    let birth = try reaching(path) { () throws(DiskError) in try root.text(of: Note.birth.rawValue) }
    guard hasPeers(birth) else { return false }
    try reaching(path) { () throws(DiskError) in
      for (shard, size) in try DirectoryHandle(path: "\(path)/\(shardsName)").list() where size == nil {
        let directory = try DirectoryHandle(path: "\(path)/\(shardsName)/\(shard)")
        try directory.remove(JournalFileName.hardState.text)
        try directory.sync()
      }
      guard renameat(root.descriptor, name, root.descriptor, name + damagedSuffix) == 0 else { throw DiskError(errno: errno, "rename", name) }
      try root.sync()
    }
    return true
  }

  static let damagedSuffix = ".damaged"
}
