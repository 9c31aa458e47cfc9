internal import CLinux
public import Core
internal import Glibc
public import Journal

/// An open directory and the calls made in it: the one place where files are touched. Any thread may use it.
public final class DirectoryHandle: Sendable {
  public let path: String
  /// Whose journal it holds. Without one its writes never go to a group log, whose replay could not find them.
  let shard: ShardID?
  let descriptor: Int32

  /// Opens the directory, which must be there.
  public init(path: String, shard: ShardID? = nil) throws(DiskError) {
    let opened = tidings_disk_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0)
    guard opened >= 0 else { throw DiskError(errno: -opened, "open \(path)") }
    self.path = path
    self.shard = shard
    descriptor = opened
  }

  deinit { close(descriptor) }

  /// Names and sizes of what is in it; the size of anything that is not a regular file is nil.
  func list() throws(DiskError) -> [(name: String, size: Int?)] {
    var found: [(name: String, size: Int?)] = []
    let result = withUnsafeMutablePointer(to: &found) { pointer in
      tidings_disk_list(descriptor, pointer) { context, name, size in
        guard let context, let name else { return }
        let list = context.assumingMemoryBound(to: [(name: String, size: Int?)].self)
        list.pointee.append((String(cString: name), size < 0 ? nil : Int(size)))
      }
    }
    guard result == 0 else { throw DiskError(errno: -result, "list") }
    return found
  }

  func open(_ name: String, _ flags: Int32) throws(DiskError) -> Int32 {
    let opened = tidings_disk_open(descriptor, name, flags, 0o644)
    guard opened >= 0 else { throw DiskError(errno: -opened, "open", name) }
    return opened
  }

  /// Makes what was created, renamed or removed here durable.
  func sync() throws(DiskError) {
    try check(fsync(descriptor), "sync directory", path)
  }

  /// Removes a file; one that is not there is no error.
  func remove(_ name: String) throws(DiskError) {
    guard unlinkat(descriptor, name, 0) != 0, errno != ENOENT else { return }
    throw DiskError(errno: errno, "delete", name)
  }

  /// Removes the directory, which must be empty.
  func removeItself() throws(DiskError) {
    guard rmdir(path) != 0, errno != ENOENT else { return }
    throw DiskError(errno: errno, "delete", path)
  }

  /// The file holds these bytes, durably, or what it held before.
  func replace(_ name: String, with parts: [UnsafeRawBufferPointer], durable: Bool) throws(DiskError) {
    let temporary = name + Self.temporarySuffix
    do throws(DiskError) {
      let file = try open(temporary, O_WRONLY | O_CREAT | O_TRUNC)
      defer { close(file) }
      var position = 0
      for part in parts {
        try FileCalls.write(file, part, at: position, name)
        position += part.count
      }
      if durable { try check(fsync(file), "sync", name) }
      try check(renameat(descriptor, temporary, descriptor, name), "rename", name)
    } catch {
      // What was there still is; the attempt's remains only take room.
      unlinkat(descriptor, temporary, 0)
      throw error
    }
    if durable { try sync() }
  }

  static let temporarySuffix = ".new"

  private func check(_ result: Int32, _ operation: String, _ name: String) throws(DiskError) {
    guard result == 0 else { throw DiskError(errno: errno, operation, name) }
  }
}

/// Whole reads and writes on a descriptor.
enum FileCalls {
  static func write(_ file: Int32, _ bytes: UnsafeRawBufferPointer, at position: Int, _ name: String) throws(DiskError) {
    var done = 0
    while done < bytes.count {
      let written = pwrite(file, bytes.baseAddress.unsafelyUnwrapped + done, bytes.count - done, off_t(position + done))
      if written < 0 {
        guard errno == EINTR else { throw DiskError(errno: errno, "write", name) }
      } else {
        done += written
      }
    }
  }

  /// Reads up to `count` bytes; fewer only at the end of the file.
  static func read(
    _ file: Int32, at position: Int, count: Int, into start: UnsafeMutableRawPointer, _ name: String
  ) throws(DiskError) -> Int {
    var done = 0
    while done < count {
      let got = pread(file, start + done, count - done, off_t(position + done))
      if got < 0 {
        guard errno == EINTR else { throw DiskError(errno: errno, "read", name) }
      } else if got == 0 {
        break
      } else {
        done += got
      }
    }
    return done
  }
}

extension DiskError {
  init(errno code: Int32, _ operation: String, _ name: String? = nil) {
    let kind: Kind =
      switch code {
      case ENOSPC, EDQUOT: .noSpace
      case ENOENT: .missing
      case EACCES, EPERM, EROFS: .refused
      default: .failed
      }
    self.init(kind, operation: operation, file: name.flatMap { JournalFileName($0) }, code: code)
  }
}
