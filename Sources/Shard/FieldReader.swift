internal import Core
internal import Feeds

/// Reads numbers and texts from bytes that may be wrong; what is not there is an error, never a crash.
struct FieldReader {
  struct Failure: Error {
    let what: String
  }

  private let bytes: UnsafeRawBufferPointer
  private(set) var at = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var isAtEnd: Bool { at == bytes.count }

  mutating func take(_ count: Int) throws(Failure) -> UnsafeRawBufferPointer {
    guard count >= 0, count <= bytes.count - at else { throw Failure(what: "it ends too early") }
    defer { at += count }
    return UnsafeRawBufferPointer(rebasing: bytes[at..<at + count])
  }

  mutating func byte() throws(Failure) -> UInt8 { try take(1)[0] }
  mutating func u16() throws(Failure) -> UInt16 { UInt16(littleEndian: try take(2).loadUnaligned(as: UInt16.self)) }
  mutating func u32() throws(Failure) -> UInt32 { UInt32(littleEndian: try take(4).loadUnaligned(as: UInt32.self)) }
  mutating func u64() throws(Failure) -> UInt64 { UInt64(littleEndian: try take(8).loadUnaligned(as: UInt64.self)) }
  mutating func time() throws(Failure) -> WallTime { WallTime(milliseconds: Int64(bitPattern: try u64())) }
  mutating func field() throws(Failure) -> UnsafeRawBufferPointer { try take(Int(try u16())) }

  mutating func consumerName() throws(Failure) -> String {
    let bytes = try field()
    guard bytes.count <= Consumer.maximumNameLength else { throw Failure(what: "a consumer's name of \(bytes.count) bytes") }
    guard let name = String(validating: bytes, as: UTF8.self) else { throw Failure(what: "a consumer's name that is not UTF-8") }
    return name
  }

  mutating func filters() throws(Failure) -> [Filter] {
    let count = Int(try u16())
    guard count <= ShardCommand.maximumFilters else { throw Failure(what: "\(count) filters") }
    var filters: [Filter] = []
    for _ in 0..<count {
      do {
        filters.append(try Filter(Bytes(copying: try field())))
      } catch let error as Failure {
        throw error
      } catch {
        throw Failure(what: "\(error)")
      }
    }
    return filters
  }

  mutating func cursor() throws(Failure) -> Cursor {
    let cluster = ClusterID(try u64())
    let count = Int(try u16())
    guard count <= Cursor.maximumPositions else { throw Failure(what: "a cursor with \(count) places") }
    var positions: [Position] = []
    positions.reserveCapacity(count)
    for _ in 0..<count {
      let position = Position(ShardID(try u16()), Offset(try u64()))
      if let last = positions.last, last.shard >= position.shard { throw Failure(what: "a cursor out of order") }
      positions.append(position)
    }
    return Cursor(cluster: cluster, positions: positions)
  }
}

extension ByteBuffer {
  mutating func append(field bytes: UnsafeRawBufferPointer) {
    precondition(bytes.count <= 0xffff, "a field is longer than its length can say")
    append(littleEndian: UInt16(bytes.count))
    append(bytes)
  }

  mutating func append(field bytes: Bytes) {
    bytes.withUnsafeBytes { append(field: $0) }
  }

  mutating func append(field text: String) {
    var text = text
    text.withUTF8 { append(field: UnsafeRawBufferPointer($0)) }
  }

  mutating func append(cursor: Cursor) {
    append(littleEndian: cursor.cluster.value)
    append(littleEndian: UInt16(cursor.positions.count))
    for position in cursor.positions {
      append(littleEndian: position.shard.value)
      append(littleEndian: position.offset.value)
    }
  }
}
