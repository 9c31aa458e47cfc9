public import Core
internal import CLinux
internal import Glibc
public import Journal

/// What an acknowledgement waits for.
public enum Durability: Hashable, Sendable {
  /// Bytes are on the disk.
  case fsync
  /// Bytes are with the operating system; a power cut loses them.
  case memory
}

/// One shard's directory on the real disk. Belongs to one thread at a time.
public final class RealDisk: Disk {
  public let directory: DirectoryHandle
  public let durability: Durability
  /// Files that are written again and again stay open.
  private var descriptors: [JournalFileName: Int32] = [:]

  public init(directory: DirectoryHandle, durability: Durability = .fsync) {
    self.directory = directory
    self.durability = durability
  }

  deinit {
    for descriptor in descriptors.values { close(descriptor) }
  }

  /// The journal's files. Called only while opening: it also removes what interrupted replacements left behind.
  public func list() throws(DiskError) -> [DiskFile] {
    var files: [DiskFile] = []
    for (name, size) in try directory.list() {
      guard let size else { continue }
      if let known = JournalFileName(name) {
        files.append(DiskFile(name: known, size: size))
      } else if name.hasSuffix(DirectoryHandle.temporarySuffix),
        JournalFileName(String(name.dropLast(DirectoryHandle.temporarySuffix.count))) != nil
      {
        try directory.remove(name)
      }
    }
    return files
  }

  public func read(
    _ name: JournalFileName, at position: Int, count: Int, into buffer: inout ByteBuffer
  ) throws(DiskError) {
    guard count > 0 else { return }
    let got = try FileCalls.read(descriptor(of: name), at: position, count: count, into: buffer.reserve(count), name.text)
    buffer.advance(got)
  }

  public func perform(_ operation: DiskOperation) throws(DiskError) {
    let name = operation.file
    switch operation {
    case .create(_, let reserve): try create(name, reserve: reserve)
    case .reserve(_, let upTo): try grow(name, to: upTo)
    case .write(_, let position, let bytes):
      let file = try descriptor(of: name)
      try bytes.withUnsafeBytes { all throws(DiskError) in try FileCalls.write(file, all, at: position, name.text) }
    case .sync:
      guard durability == .fsync else { return }
      try check(fdatasync(descriptor(of: name)), "sync", name)
    case .truncate(_, let length):
      let file = try descriptor(of: name)
      try check(ftruncate(file, off_t(length)), "truncate", name)
      if durability == .fsync { try check(fsync(file), "sync", name) }
      forget(name)  // A segment is cut when it is closed; it will not be written again.
    case .delete:
      forget(name)
      try directory.remove(name.text)
    case .replace(_, let header, let body):
      forget(name)
      try header.withUnsafeBytes { head throws(DiskError) in
        try body.withUnsafeBytes { rest throws(DiskError) in
          try directory.replace(name.text, with: [head, rest], durable: durability == .fsync)
        }
      }
    }
  }

  private func create(_ name: JournalFileName, reserve: Int) throws(DiskError) {
    let file = try directory.open(name.text, O_RDWR | O_CREAT | O_EXCL)
    descriptors[name] = file
    do throws(DiskError) {
      try grow(name, to: reserve)
      guard durability == .fsync else { return }
      try check(fsync(file), "sync", name)
      try directory.sync()
    } catch {
      forget(name)
      unlinkat(directory.descriptor, name.text, 0)
      throw error
    }
  }

  private func grow(_ name: JournalFileName, to length: Int) throws(DiskError) {
    let file = try descriptor(of: name)
    var status = stat()
    try check(fstat(file, &status), "inspect", name)
    let before = Int(status.st_size)
    let result = tidings_disk_allocate(file, Int64(before), Int64(length))
    guard result != 0 else { return }
    // Space for a part of it may have been found; it is given back, so that the request failed as a whole.
    if result == -ENOSPC || result == -EDQUOT { try check(ftruncate(file, off_t(before)), "truncate", name) }
    throw DiskError(errno: -result, "reserve", name.text)
  }

  func startWriting(_ name: JournalFileName) {
    guard durability == .fsync, let descriptor = descriptors[name] else { return }
    tidings_disk_start_writing(descriptor)
  }

  private func descriptor(of name: JournalFileName) throws(DiskError) -> Int32 {
    if let known = descriptors[name] { return known }
    let opened = try directory.open(name.text, O_RDWR)
    descriptors[name] = opened
    return opened
  }

  private func forget(_ name: JournalFileName) {
    guard let descriptor = descriptors.removeValue(forKey: name) else { return }
    close(descriptor)
  }

  private func check(_ result: Int32, _ operation: String, _ name: JournalFileName) throws(DiskError) {
    guard result == 0 else { throw DiskError(errno: errno, operation, name.text) }
  }
}

extension RealDisk: WritableDisk {}
