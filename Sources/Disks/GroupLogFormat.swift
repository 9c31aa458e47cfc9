internal import Core
internal import Journal

/// The bytes of a group log.
///
/// ```
///     0  head      both copies are written at every reset; one alone suffices
///  4096  head      0 "TIDEGLOG"  8 u32 CRC-32C of 12 ..< 24  12 u32 version  16 u64 epoch
///  8192  rounds    each begins at a sector, one after another; what an older epoch left may follow
///
/// round   0 "TIDEGRND"  8 u32 CRC-32C of 12 ..< length  12 u32 length
///        16 u64 epoch  24 u64 sequence, from 1 in each epoch  32 u64 position in the log  40 u64 count of writes
/// write   0 u16 shard  2 u8 kind of file  3 u8 zero  4 u32 length  8 u64 file's offset  16 u64 position  24 bytes
/// ```
enum GroupLogFormat {
  static let sector = 512
  static let headPositions = [0, 4096]
  static let roundsBegin = 8192
  static let roundHeaderSize = 48
  static let writeHeaderSize = 24
  private static let version: UInt32 = 1
  private static let headMagic = UInt64(littleEndianText: "TIDEGLOG")
  private static let roundMagic = UInt64(littleEndianText: "TIDEGRND")

  static func padded(_ count: Int) -> Int { (count + sector - 1) / sector * sector }

  // Head ----------------------------------------------------------------------------------------------

  static func head(epoch: UInt64) -> Bytes {
    var buffer = ByteBuffer(capacity: sector)
    buffer.append(littleEndian: headMagic)
    buffer.append(littleEndian: UInt32(0))
    buffer.append(littleEndian: version)
    buffer.append(littleEndian: epoch)
    let sum = buffer.withUnsafeBytes { CRC32C.of(UnsafeRawBufferPointer(rebasing: $0[12...])) }
    buffer.store(littleEndian: sum, at: 8)
    buffer.append([UInt8](repeating: 0, count: sector - buffer.count))
    return buffer.freeze()
  }

  /// Both heads, up to where the rounds begin.
  static func beginning(epoch: UInt64) -> Bytes {
    var buffer = ByteBuffer(capacity: roundsBegin)
    for position in headPositions {
      buffer.append([UInt8](repeating: 0, count: position - buffer.count))
      buffer.append(head(epoch: epoch))
    }
    buffer.append([UInt8](repeating: 0, count: roundsBegin - buffer.count))
    return buffer.freeze()
  }

  /// The log's epoch: the later one of its heads. A reset that was cut short may have left one of each, and the later
  /// one says that the rounds before it are in their places. Nil when neither is whole.
  static func epoch(of log: UnsafeRawBufferPointer) -> UInt64? {
    headPositions.compactMap { position -> UInt64? in
      guard log.count >= position + sector else { return nil }
      let head = UnsafeRawBufferPointer(rebasing: log[position..<position + 24])
      guard head.number(0, UInt64.self) == headMagic, head.number(12, UInt32.self) == version else { return nil }
      guard head.number(8, UInt32.self) == CRC32C.of(UnsafeRawBufferPointer(rebasing: head[12...])) else { return nil }
      return head.number(16, UInt64.self)
    }.max()
  }

  // Rounds --------------------------------------------------------------------------------------------

  static func beginRound(_ buffer: inout ByteBuffer, epoch: UInt64, sequence: UInt64, position: Int) {
    buffer.append(littleEndian: roundMagic)
    buffer.append(littleEndian: UInt64(0))
    buffer.append(littleEndian: epoch)
    buffer.append(littleEndian: sequence)
    buffer.append(littleEndian: UInt64(position))
    buffer.append(littleEndian: UInt64(0))
  }

  static func append(_ write: FileWrite, of shard: ShardID, to buffer: inout ByteBuffer) {
    let (kind, offset) = code(of: write.file)
    buffer.append(littleEndian: shard.value)
    buffer.append(kind)
    buffer.append(UInt8(0))
    buffer.append(littleEndian: UInt32(write.bytes.count))
    buffer.append(littleEndian: offset)
    buffer.append(littleEndian: UInt64(write.position))
    buffer.append(write.bytes)
  }

  static func sealRound(_ buffer: inout ByteBuffer, writes: Int) {
    buffer.store(littleEndian: UInt32(buffer.count), at: 12)
    buffer.store(littleEndian: UInt64(writes), at: 40)
    let sum = buffer.withUnsafeBytes { CRC32C.of(UnsafeRawBufferPointer(rebasing: $0[12...])) }
    buffer.store(littleEndian: sum, at: 8)
    let padding = padded(buffer.count) - buffer.count
    buffer.reserve(padding).initializeMemory(as: UInt8.self, repeating: 0, count: padding)
    buffer.advance(padding)
  }

  /// Where the good rounds of the log's epoch are, in order.
  static func rounds(of log: UnsafeRawBufferPointer) throws(GroupLogDamage) -> [Range<Int>] {
    // A log is made with its head, so one without a head is damaged.
    guard let epoch = epoch(of: log) else { throw .noHead }
    var found: [Range<Int>] = []
    var position = roundsBegin
    var bad: Int?
    // Where the good rounds end, every sector is looked at: one that begins a good round tells of damage.
    while position < log.count {
      guard let (sequence, bytes) = round(at: position, of: log, epoch: epoch) else {
        bad = bad ?? position
        position += sector
        continue
      }
      if let bad { throw .badRound(at: bad) }
      guard sequence == UInt64(found.count + 1), writes(of: bytes) != nil else { throw .badRound(at: position) }
      found.append(position..<position + bytes.count)
      position += padded(bytes.count)
    }
    return found
  }

  /// The whole round at `position` of the log and its number; nil when there is none of this epoch.
  static func round(
    at position: Int, of log: UnsafeRawBufferPointer, epoch: UInt64
  ) -> (sequence: UInt64, bytes: UnsafeRawBufferPointer)? {
    guard log.count - position >= roundHeaderSize else { return nil }
    let rest = UnsafeRawBufferPointer(rebasing: log[position...])
    guard rest.number(0, UInt64.self) == roundMagic, rest.number(16, UInt64.self) == epoch else { return nil }
    let length = Int(rest.number(12, UInt32.self))
    guard length >= roundHeaderSize, length <= rest.count, rest.number(32, UInt64.self) == UInt64(position) else { return nil }
    let round = UnsafeRawBufferPointer(rebasing: rest[..<length])
    guard rest.number(8, UInt32.self) == CRC32C.of(UnsafeRawBufferPointer(rebasing: round[12...])) else { return nil }
    return (rest.number(24, UInt64.self), round)
  }

  /// The writes of a whole round in order. Nil when it was not made by `append`.
  static func writes(of round: UnsafeRawBufferPointer) -> [(shard: ShardID, write: FileWrite)]? {
    var writes: [(shard: ShardID, write: FileWrite)] = []
    var start = roundHeaderSize
    while start < round.count {
      guard round.count - start >= writeHeaderSize else { return nil }
      let length = Int(round.number(start + 4, UInt32.self))
      guard length <= round.count - start - writeHeaderSize else { return nil }
      guard let file = file(kind: round[start + 2], offset: round.number(start + 8, UInt64.self)),
        let position = Int(exactly: round.number(start + 16, UInt64.self))
      else { return nil }
      let body = start + writeHeaderSize
      let bytes = Bytes(copying: UnsafeRawBufferPointer(rebasing: round[body..<body + length]))
      let shard = ShardID(round.number(start, UInt16.self))
      writes.append((shard, FileWrite(file: file, position: position, bytes: bytes)))
      start = body + length
    }
    return UInt64(writes.count) == round.number(40, UInt64.self) ? writes : nil
  }

  private static func code(of file: JournalFileName) -> (kind: UInt8, offset: UInt64) {
    switch file {
    case .segment(let offset): (1, offset.value)
    case .index(let offset): (2, offset.value)
    case .snapshot(let offset): (3, offset.value)
    case .mark: (4, 0)
    case .hardState: (5, 0)
    }
  }

  private static func file(kind: UInt8, offset: UInt64) -> JournalFileName? {
    switch kind {
    case 1: .segment(Offset(offset))
    case 2: .index(Offset(offset))
    case 3: .snapshot(Offset(offset))
    case 4: .mark
    case 5: .hardState
    default: nil
    }
  }
}

/// Bytes for a place in a journal's file.
struct FileWrite: Hashable {
  var file: JournalFileName
  var position: Int
  var bytes: Bytes
}

extension UnsafeRawBufferPointer {
  fileprivate func number<T: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _ type: T.Type) -> T {
    T(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
  }
}

extension UInt64 {
  /// Eight ASCII letters as they stand in a file.
  fileprivate init(littleEndianText text: StaticString) {
    precondition(text.utf8CodeUnitCount == 8)
    self = (0..<8).reduce(0) { $0 | UInt64(text.utf8Start[$1]) << UInt64(8 * $1) }
  }
}
