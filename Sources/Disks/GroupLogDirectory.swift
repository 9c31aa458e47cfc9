internal import CLinux
internal import Core
internal import Glibc
internal import Journal

/// Group logs in the data directory, beside the shards they are for.
struct GroupLogDirectory: GroupLogFiles, Sendable {
  let root: DirectoryHandle

  static func name(thread number: Int) -> String { "group-\(number).log" }
  private static let prefix = "group-"
  private static let suffix = ".log"

  func logs() throws(DiskError) -> [String] {
    var names: [String] = []
    for (name, size) in try root.list() where name.hasPrefix(Self.prefix) && size != nil {
      if name.hasSuffix(Self.suffix) { names.append(name) }
      // A log that was never finished held nothing.
      if name.hasSuffix(Self.suffix + DirectoryHandle.temporarySuffix) { try root.remove(name) }
    }
    return names
  }

  func create(_ name: String, length: Int, start: Bytes) throws(DiskError) -> GroupLogHandle {
    let temporary = name + DirectoryHandle.temporarySuffix
    let file = GroupLogHandle(try root.open(temporary, O_RDWR | O_CREAT | O_TRUNC))
    do throws(DiskError) {
      // Zeroes, not space set aside: what is written to a block for the first time costs the file system's own journal
      // a turn with every sync (28 µs of processor a round instead of 45).
      let zeroes = Bytes([UInt8](repeating: 0, count: Self.chunk))
      try zeroes.withUnsafeBytes { bytes throws(DiskError) in
        for position in stride(from: 0, to: length, by: Self.chunk) {
          try file.write(UnsafeRawBufferPointer(rebasing: bytes.prefix(length - position)), at: position)
        }
      }
      try start.withUnsafeBytes { bytes throws(DiskError) in try file.write(bytes, at: 0) }
      try file.sync()
      guard renameat(root.descriptor, temporary, root.descriptor, name) == 0 else { throw DiskError(errno: errno, "rename", name) }
      try root.sync()
    } catch {
      unlinkat(root.descriptor, temporary, 0)
      throw error
    }
    return file
  }

  private static let chunk = 1 << 20

  func open(_ name: String) throws(DiskError) -> GroupLogHandle {
    GroupLogHandle(try root.open(name, O_RDWR))
  }

  func remove(_ name: String) throws(DiskError) {
    try root.remove(name)
    try root.sync()
  }

  func disk(of shard: ShardID) throws(DiskError) -> RealDisk {
    RealDisk(directory: try DirectoryHandle(path: DataDirectory.path(of: shard, in: root.path), shard: shard))
  }
}

/// An open group log.
final class GroupLogHandle: GroupLogFile {
  private let descriptor: Int32

  init(_ descriptor: Int32) { self.descriptor = descriptor }
  deinit { close(descriptor) }

  func readAll() throws(DiskError) -> Bytes {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw DiskError(errno: errno, "inspect group log") }
    let count = Int(status.st_size)
    var buffer = ByteBuffer(capacity: count)
    let got = try FileCalls.read(descriptor, at: 0, count: count, into: buffer.reserve(count), "group log")
    buffer.advance(got)
    return buffer.freeze()
  }

  func write(_ bytes: UnsafeRawBufferPointer, at position: Int) throws(DiskError) {
    try FileCalls.write(descriptor, bytes, at: position, "group log")
  }

  func sync() throws(DiskError) {
    guard fdatasync(descriptor) == 0 else { throw DiskError(errno: errno, "sync", "group log") }
  }
}
