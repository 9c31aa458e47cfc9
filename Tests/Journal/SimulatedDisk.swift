import Core
import Journal

/// One shard's directory in memory, with a page cache: writes are lost or torn by a crash until they are synced.
struct SimulatedDisk: Disk {
  struct File {
    /// What a reader sees.
    var bytes: [UInt8] = []
    /// What a power cut leaves for certain.
    var durable: [UInt8] = []
  }

  static let sector = 512

  var files: [JournalFileName: File] = [:]
  var capacity = Int.max
  /// The operation with this number, counted from now, fails like this.
  var failing: (after: Int, error: DiskError)?
  var performed: [DiskOperation] = []
  /// Syncs wait for the next operation that everything must be durable before, as the real writer's do.
  var putsSyncsOff = false
  private var putOff: [JournalFileName] = []

  var used: Int { files.values.reduce(0) { $0 + $1.bytes.count } }

  func list() throws(DiskError) -> [DiskFile] {
    files.map { DiskFile(name: $0.key, size: $0.value.bytes.count) }
  }

  func read(_ name: JournalFileName, at position: Int, count: Int, into buffer: inout ByteBuffer) throws(DiskError) {
    guard let file = files[name] else { throw DiskError(.missing, operation: "read", file: name) }
    guard position < file.bytes.count else { return }
    buffer.append(Array(file.bytes[position..<min(file.bytes.count, position + count)]))
  }

  mutating func perform(_ operation: DiskOperation) throws(DiskError) {
    if let (after, error) = failing {
      failing = after == 0 ? nil : (after - 1, error)
      if after == 0 { throw error }
    }
    if operation.isBarrier { try sync() }
    if putsSyncsOff, case .sync(let name) = operation { putOff.append(name) } else { try carryOut(operation) }
    performed.append(operation)
  }

  /// What was put off happens.
  mutating func sync() throws(DiskError) {
    let names = putOff
    putOff = []
    for name in names { try carryOut(.sync(name)) }
  }

  private mutating func carryOut(_ operation: DiskOperation) throws(DiskError) {
    let name = operation.file
    switch operation {
    case .create(_, let reserve):
      guard files[name] == nil else { throw DiskError(.failed, operation: "create", file: name) }
      try take(reserve, name)
      let zeroes = [UInt8](repeating: 0, count: reserve)
      files[name] = File(bytes: zeroes, durable: zeroes)
    case .reserve(_, let upTo):
      let missing = upTo - (files[name]?.bytes.count ?? 0)
      try take(missing, name)
      files[name]!.bytes += [UInt8](repeating: 0, count: max(0, missing))
    case .write(_, let position, let bytes):
      guard var file = files[name] else { throw DiskError(.missing, operation: "write", file: name) }
      precondition(position + bytes.count <= file.bytes.count, "written past what was reserved")
      file.bytes.replaceSubrange(position..<position + bytes.count, with: bytes.array)
      files[name] = file
    case .sync:
      guard let file = files[name] else { throw DiskError(.missing, operation: "sync", file: name) }
      files[name]!.durable = file.bytes
    case .truncate(_, let length):
      precondition(length <= files[name]!.bytes.count, "a cut that makes a file longer")
      files[name]!.bytes.removeLast(files[name]!.bytes.count - length)
      files[name]!.durable = files[name]!.bytes
    case .delete: files[name] = nil
    case .replace(_, let header, let body):
      try take(header.count + body.count - (files[name]?.bytes.count ?? 0), name)
      let bytes = header.array + body.array
      files[name] = File(bytes: bytes, durable: bytes)
    }
  }

  private func take(_ count: Int, _ name: JournalFileName) throws(DiskError) {
    guard count <= 0 || used + count <= capacity else { throw DiskError(.noSpace, operation: "reserve", file: name) }
  }

  /// Power is cut: each sector that was not synced is as it was, or as it was to be; of the mark, which relies on no
  /// sector, also new up to some byte only.
  mutating func crash(_ generator: inout TestGenerator) {
    putOff = []
    for (name, file) in files.sorted(by: { $0.key.text < $1.key.text }) where file.bytes != file.durable {
      var old = file.durable
      if generator.below(2) == 0 || old.count == file.bytes.count {
        old += [UInt8](repeating: 0, count: file.bytes.count - old.count)
      }
      for start in stride(from: 0, to: old.count, by: Self.sector) {
        let range = start..<min(start + Self.sector, old.count)
        guard generator.below(2) == 0 else { continue }
        let torn = name == .mark && generator.below(2) == 0 ? start..<start + min(range.count, generator.below(100)) : range
        old.replaceSubrange(torn, with: file.bytes[torn])
      }
      files[name] = File(bytes: old, durable: old)
    }
  }

  /// The disk rots: one bit differs.
  mutating func flip(_ name: JournalFileName, bit: Int) {
    files[name]!.bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    files[name]!.durable = files[name]!.bytes
  }

  /// The file ends early; what is missing reads as zeroes when `padded`.
  mutating func cut(_ name: JournalFileName, to length: Int, padded: Bool) {
    var bytes = Array(files[name]!.bytes.prefix(length))
    if padded { bytes += [UInt8](repeating: 0, count: files[name]!.bytes.count - length) }
    files[name] = File(bytes: bytes, durable: bytes)
  }
}

/// Small, fast, the same everywhere.
struct TestGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 1 }

  mutating func below(_ bound: Int) -> Int {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Int((state &* 0x2545_f491_4f6c_dd1d) >> 33) % bound
  }
}
