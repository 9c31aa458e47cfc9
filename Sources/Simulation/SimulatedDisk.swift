internal import Core
internal import Journal

/// One shard's directory on a disk that forgets what was not synced, sector by sector, when the power goes.
struct SimulatedDisk: Disk {
  static let sector = 512

  private struct File {
    var name: JournalFileName
    /// As the page cache has it.
    var content: [UInt8]
    /// The length that is durable.
    var syncedSize: Int
    /// Sectors written since the last sync, with what the disk has in them.
    var dirty: [(sector: Int, old: [UInt8])] = []
  }

  private var files: [File] = []
  var isFull = false
  /// The next sync fails, and what it would have kept is lost with the power.
  var failsSync = false
  /// As if every sync had been made: a mistake made on purpose.
  var skipsSyncs = false

  var names: [JournalFileName] { files.map(\.name) }
  /// Nothing that matters was made durable yet.
  var isUnborn: Bool { !files.contains { $0.name == .mark } }

  private func place(_ name: JournalFileName) -> Int? { files.firstIndex { $0.name == name } }

  func list() throws(DiskError) -> [DiskFile] { files.map { DiskFile(name: $0.name, size: $0.content.count) } }

  func read(_ name: JournalFileName, at position: Int, count: Int, into buffer: inout ByteBuffer) throws(DiskError) {
    guard let index = place(name) else { throw DiskError(.missing, operation: "read", file: name) }
    let size = files[index].content.count
    guard position < size else { return }
    files[index].content.withUnsafeBytes { all in
      buffer.append(UnsafeRawBufferPointer(rebasing: all[position..<min(size, position + count)]))
    }
  }

  mutating func perform(_ operation: DiskOperation) throws(DiskError) {
    let name = operation.file
    if isFull, operation.mayLackSpace { throw DiskError(.noSpace, operation: "write", file: name, code: 28) }
    switch operation {
    case .create(_, let reserve): put(name, [UInt8](repeating: 0, count: reserve))
    case .reserve(_, let upTo):
      let index = try found(name, "reserve")
      let missing = upTo - files[index].content.count
      if missing > 0 { files[index].content.append(contentsOf: repeatElement(0, count: missing)) }
    case .write(_, let position, let bytes): write(try found(name, "write"), at: position, bytes)
    case .sync:
      let index = try found(name, "sync")
      if failsSync {
        failsSync = false
        throw DiskError(.failed, operation: "sync", file: name, code: 5)
      }
      if skipsSyncs { return }
      files[index].dirty.removeAll(keepingCapacity: true)
      files[index].syncedSize = files[index].content.count
    case .truncate(_, let length):
      let index = try found(name, "truncate")
      let surplus = files[index].content.count - length
      if surplus > 0 { files[index].content.removeLast(surplus) }
      files[index].dirty.removeAll()
      files[index].syncedSize = files[index].content.count
    case .delete: files.removeAll { $0.name == name }
    case .replace(_, let header, let body): put(name, header.array + body.array)
    }
  }

  private func found(_ name: JournalFileName, _ operation: String) throws(DiskError) -> Int {
    guard let index = place(name) else { throw DiskError(.missing, operation: operation, file: name, code: 2) }
    return index
  }

  private mutating func put(_ name: JournalFileName, _ content: [UInt8]) {
    let file = File(name: name, content: content, syncedSize: content.count)
    if let index = place(name) { files[index] = file } else { files.append(file) }
  }

  private mutating func write(_ index: Int, at position: Int, _ bytes: Bytes) {
    let end = position + bytes.count
    precondition(end <= files[index].content.count, "a write past what was set aside")
    for sector in position / Self.sector...(end - 1) / Self.sector {
      guard !files[index].dirty.contains(where: { $0.sector == sector }) else { continue }
      let start = sector * Self.sector
      files[index].dirty.append((sector, Array(files[index].content[start..<min(start + Self.sector, files[index].content.count)])))
    }
    bytes.withUnsafeBytes { source in
      files[index].content.withUnsafeMutableBytes { target in
        UnsafeMutableRawBufferPointer(rebasing: target[position..<end]).copyMemory(from: source)
      }
    }
  }

  /// The power goes: every sector that was not synced holds what was written or what was there before, in any mix.
  mutating func losePower(_ random: inout SeededGenerator) {
    // Most often all of it is lost or all kept; now and then every sector for itself.
    let share = [0, 0, 100, 50, 80, 20][random.below(6)]
    for index in files.indices {
      for (sector, old) in files[index].dirty where random.below(100) >= share {
        let start = sector * Self.sector
        for byte in 0..<old.count where start + byte < files[index].content.count { files[index].content[start + byte] = old[byte] }
      }
      files[index].dirty.removeAll()
      let surplus = files[index].content.count - files[index].syncedSize
      if surplus > 0, random.below(2) == 0 { files[index].content.removeLast(surplus) }
      files[index].syncedSize = files[index].content.count
    }
    failsSync = false
  }

  // Damage ---------------------------------------------------------------------------------------------

  /// Changes one bit of something that was written; false when there is nothing.
  mutating func flipBit(_ random: inout SeededGenerator, in isWanted: (JournalFileName) -> Bool) -> Bool {
    let candidates = files.indices.filter { isWanted(files[$0].name) && files[$0].content.contains { $0 != 0 } }
    guard !candidates.isEmpty else { return false }
    let index = candidates[random.below(candidates.count)]
    guard let last = files[index].content.lastIndex(where: { $0 != 0 }) else { return false }
    files[index].content[random.below(last + 1)] ^= UInt8(1 << random.below(8))
    return true
  }

  mutating func lose(_ random: inout SeededGenerator, _ isWanted: (JournalFileName) -> Bool) -> Bool {
    let candidates = files.indices.filter { isWanted(files[$0].name) }
    guard !candidates.isEmpty else { return false }
    files.remove(at: candidates[random.below(candidates.count)])
    return true
  }

  mutating func shorten(_ random: inout SeededGenerator, _ isWanted: (JournalFileName) -> Bool) -> Bool {
    let candidates = files.indices.filter { isWanted(files[$0].name) && files[$0].content.count > 1 }
    guard !candidates.isEmpty else { return false }
    let index = candidates[random.below(candidates.count)]
    let cut = 1 + random.below(files[index].content.count - 1)
    files[index].content.removeLast(cut)
    files[index].dirty.removeAll()
    files[index].syncedSize = files[index].content.count
    return true
  }
}
