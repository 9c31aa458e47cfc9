import Core
import Journal

/// A shard's directory in memory that forgets, tears and fails as disks do.
struct FaultyDisk: Disk {
  struct File {
    var content: [UInt8]
    /// What is certain to be there after a crash.
    var synced: [UInt8]
  }

  var files: [JournalFileName: File] = [:]
  /// No room for anything new.
  var isFull = false
  /// The next sync fails.
  var failsSync = false

  func list() throws(DiskError) -> [DiskFile] { files.map { DiskFile(name: $0.key, size: $0.value.content.count) } }

  func read(_ name: JournalFileName, at position: Int, count: Int, into buffer: inout ByteBuffer) throws(DiskError) {
    guard let file = files[name] else { throw DiskError(.missing, operation: "read", file: name) }
    guard position < file.content.count else { return }
    file.content.withUnsafeBytes { all in
      buffer.append(UnsafeRawBufferPointer(rebasing: all[position..<min(all.count, position + count)]))
    }
  }

  mutating func perform(_ operation: DiskOperation) throws(DiskError) {
    let name = operation.file
    if isFull, operation.mayLackSpace { throw DiskError(.noSpace, operation: "write", file: name) }
    switch operation {
    case .create(_, let reserve):
      let zeros = [UInt8](repeating: 0, count: reserve)
      files[name] = File(content: zeros, synced: zeros)
    case .reserve(_, let upTo):
      let missing = upTo - files[name]!.content.count
      if missing > 0 { files[name]!.content += [UInt8](repeating: 0, count: missing) }
    case .write(_, let position, let bytes):
      bytes.withUnsafeBytes { source in
        files[name]!.content.withUnsafeMutableBytes { target in
          UnsafeMutableRawBufferPointer(rebasing: target[position..<position + source.count]).copyMemory(from: source)
        }
      }
    case .sync:
      if failsSync { throw DiskError(.failed, operation: "sync", file: name, code: 5) }
      files[name]!.synced = files[name]!.content
    case .truncate(_, let length):
      files[name]!.content.removeLast(files[name]!.content.count - length)
      files[name]!.synced = files[name]!.content
    case .delete: files[name] = nil
    case .replace(_, let header, let body):
      let bytes = header.array + body.array
      files[name] = File(content: bytes, synced: bytes)
    }
  }

  /// Power is cut: what was not synced is there up to some byte.
  mutating func crash(_ random: inout SeededGenerator) {
    for (name, file) in files.sorted(by: { $0.key.text < $1.key.text }) {
      let kept = file.content
      var left = file.synced + [UInt8](repeating: 0, count: max(0, kept.count - file.synced.count))
      if let first = left.indices.first(where: { left[$0] != kept[$0] }) {
        let last = left.indices.last { left[$0] != kept[$0] }!
        let end = first + random.below(last - first + 2)
        left.replaceSubrange(first..<end, with: kept[first..<end])
      }
      files[name] = File(content: left, synced: left)
    }
  }
}
