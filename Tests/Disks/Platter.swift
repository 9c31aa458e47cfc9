import Core
import Journal

@testable import Disks

/// A disk behind a page cache, whose power can be cut at any operation. Of each sector that was not synced, a cut
/// leaves any of the contents it has had since it was.
final class Platter: GroupLogFiles {
  enum Place: Hashable {
    case log(String)
    case journal(ShardID, JournalFileName)

    var isLog: Bool {
      if case .log = self { true } else { false }
    }
  }

  /// Mistakes a writer could make, to see that the tests notice them.
  enum Mistake: CaseIterable {
    /// The files are not synced at a checkpoint.
    case filesNotSynced
    /// The log is emptied first, then the files are synced.
    case resetBeforeSync
    /// The log's sync comes after what it was for.
    case logSyncedLate
  }

  private struct File {
    var durable: [UInt8]
    var cached: [UInt8]
    var unsynced: [(position: Int, bytes: [UInt8])] = []

    init(_ bytes: [UInt8]) { (durable, cached) = (bytes, bytes) }

    mutating func sync() {
      for (position, bytes) in unsynced { Self.put(bytes, at: position, in: &durable) }
      unsynced = []
    }

    mutating func write(_ bytes: [UInt8], at position: Int) {
      Self.put(bytes, at: position, in: &cached)
      unsynced.append((position, bytes))
    }

    static func put(_ bytes: [UInt8], at position: Int, in file: inout [UInt8]) {
      let end = position + bytes.count
      if file.count < end { file += [UInt8](repeating: 0, count: end - file.count) }
      file.replaceSubrange(position..<end, with: bytes)
    }

    /// A sync that fails says so once: what it was for is in the cache and will never be on the disk, whatever a
    /// later one says.
    mutating func failSync() { unsynced = [] }
  }

  static let off = DiskError(.failed, operation: "power", code: 5)

  private var files: [Place: File] = [:]
  private var random: SeededGenerator
  private var late: [Place] = []
  private(set) var operations = 0
  private(set) var isOff = false
  /// The operation, counted from 1, that the power does not last for.
  var cutAt: Int?
  var mistake: Mistake?
  /// The operation, counted from 1, that fails.
  var failAt: Int?

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  func contents(_ place: Place) -> [UInt8]? { files[place]?.cached }
  var places: [Place] { Array(files.keys) }

  /// As if somebody had written there with the power off.
  func alter(_ place: Place, _ change: (inout [UInt8]) -> Void) {
    guard var bytes = files[place]?.durable else { return }
    change(&bytes)
    files[place] = File(bytes)
  }

  /// The power goes, if it has not, and comes back.
  func cut() {
    let mood = random.below(4)
    for (place, file) in files.sorted(by: { "\($0.key)" < "\($1.key)" }) {
      let whim = mood == 3 ? random.below(2) : mood
      files[place] = File(whim == 0 ? file.durable : whim == 1 ? file.cached : mixed(file))
    }
    isOff = false
    (cutAt, failAt) = (nil, nil)
    operations = 0
    late = []
  }

  private func mixed(_ file: File) -> [UInt8] {
    let sector = GroupLogFormat.sector
    var result = file.durable
    for start in stride(from: 0, to: file.cached.count, by: sector) {
      let touching = file.unsynced.filter { $0.position < start + sector && $0.position + $0.bytes.count > start }
      for write in touching.prefix(random.below(touching.count + 1)) {
        let range = max(start, write.position)..<min(start + sector, write.position + write.bytes.count)
        let part = write.bytes[range.lowerBound - write.position..<range.upperBound - write.position]
        File.put(Array(part), at: range.lowerBound, in: &result)
      }
    }
    return result
  }

  // Operations ----------------------------------------------------------------------------------------

  /// True when the power goes during this one.
  private func step(_ place: Place, _ operation: String) throws(DiskError) -> Bool {
    if isOff { throw Self.off }
    operations += 1
    if operations == failAt {
      if operation == "sync" { files[place]?.failSync() }
      throw DiskError(.failed, operation: operation, code: 5)
    }
    isOff = operations == cutAt
    return isOff
  }

  /// Something that is done or not, and durable when it is.
  private func atOnce(_ place: Place, _ operation: String, _ body: () -> Void) throws(DiskError) {
    let isLast = try step(place, operation)
    if !isLast || random.below(2) == 0 { body() }
    if isLast { throw Self.off }
  }

  func write(_ place: Place, _ bytes: [UInt8], at position: Int) throws(DiskError) {
    guard files[place] != nil else { throw missing(place) }
    let isLast = try step(place, "write")
    files[place]?.write(bytes, at: position)
    if isLast { throw Self.off }
  }

  func sync(_ place: Place) throws(DiskError) {
    guard files[place] != nil else { throw missing(place) }
    if try step(place, "sync") { throw Self.off }
    switch (mistake, place) {
    case (.filesNotSynced, .journal): break
    case (.resetBeforeSync, .journal), (.logSyncedLate, .log): late.append(place)
    case (.resetBeforeSync, .log), (.logSyncedLate, .journal):
      files[place]?.sync()
      for place in late { files[place]?.sync() }
      late = []
    default: files[place]?.sync()
    }
  }

  func perform(_ operation: DiskOperation, of shard: ShardID) throws(DiskError) {
    let place = Place.journal(shard, operation.file)
    switch operation {
    case .write(_, let position, let bytes): try write(place, bytes.array, at: position)
    case .sync: try sync(place)
    case .create(_, let reserve): try atOnce(place, "create") { files[place] = File([UInt8](repeating: 0, count: reserve)) }
    case .reserve(_, let length):
      guard let count = files[place]?.cached.count else { throw missing(place) }
      if length > count { try write(place, [UInt8](repeating: 0, count: length - count), at: count) }
    case .truncate(_, let length):
      guard files[place] != nil else { throw missing(place) }
      try atOnce(place, "truncate") {
        files[place] = files[place].map { File(Array($0.cached.prefix(length))) }
      }
    case .delete: try atOnce(place, "delete") { files[place] = nil }
    case .replace(_, let header, let body): try atOnce(place, "replace") { files[place] = File(header.array + body.array) }
    }
  }

  private func missing(_ place: Place) -> DiskError {
    guard case .journal(_, let name) = place else { return DiskError(.missing, operation: "open") }
    return DiskError(.missing, operation: "open", file: name, code: 2)
  }

  // Group logs ----------------------------------------------------------------------------------------

  struct LogFile: GroupLogFile {
    let platter: Platter
    let place: Place

    func readAll() throws(DiskError) -> Bytes { Bytes(platter.contents(place) ?? []) }
    func write(_ bytes: UnsafeRawBufferPointer, at position: Int) throws(DiskError) {
      try platter.write(place, [UInt8](bytes), at: position)
    }
    func sync() throws(DiskError) { try platter.sync(place) }
  }

  struct ShardDisk: WritableDisk {
    let platter: Platter
    let shard: ShardID

    func list() throws(DiskError) -> [DiskFile] { [] }
    func read(_ name: JournalFileName, at position: Int, count: Int, into buffer: inout ByteBuffer) throws(DiskError) {}
    func perform(_ operation: DiskOperation) throws(DiskError) { try platter.perform(operation, of: shard) }
    func startWriting(_ name: JournalFileName) {}
  }

  func logs() throws(DiskError) -> [String] {
    files.keys.compactMap { place in
      if case .log(let name) = place { name } else { nil }
    }
  }

  func create(_ name: String, length: Int, start: Bytes) throws(DiskError) -> LogFile {
    try atOnce(.log(name), "create") { files[.log(name)] = File(start.array + [UInt8](repeating: 0, count: length - start.count)) }
    return LogFile(platter: self, place: .log(name))
  }

  func open(_ name: String) throws(DiskError) -> LogFile { LogFile(platter: self, place: .log(name)) }

  func remove(_ name: String) throws(DiskError) {
    try atOnce(.log(name), "delete") { files[.log(name)] = nil }
  }

  func disk(of shard: ShardID) throws(DiskError) -> ShardDisk { ShardDisk(platter: self, shard: shard) }
}
