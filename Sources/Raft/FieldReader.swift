internal import Core

/// Reads fields from bytes that may be anything; what is not there is a refusal, never a crash.
struct FieldReader: ~Escapable {
  let bytes: RawSpan
  private(set) var at = 0

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan) { self.bytes = bytes }

  var isAtEnd: Bool { at == bytes.byteCount }

  /// The place of the next `count` bytes, which are passed over.
  @_lifetime(self: copy self)
  mutating func skip(_ count: Int) throws(RaftRefusal) -> Range<Int> {
    guard count >= 0, count <= bytes.byteCount - at else { throw .truncated }
    defer { at += count }
    return at..<at + count
  }

  @_lifetime(self: copy self)
  private mutating func number<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) throws(RaftRefusal) -> T {
    let place = try skip(MemoryLayout<T>.size)
    return T(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: place.lowerBound, as: T.self))
  }

  @_lifetime(self: copy self)
  mutating func u8() throws(RaftRefusal) -> UInt8 { try number(UInt8.self) }
  @_lifetime(self: copy self)
  mutating func u16() throws(RaftRefusal) -> UInt16 { try number(UInt16.self) }
  @_lifetime(self: copy self)
  mutating func u32() throws(RaftRefusal) -> UInt32 { try number(UInt32.self) }
  @_lifetime(self: copy self)
  mutating func i64() throws(RaftRefusal) -> Int64 { try number(Int64.self) }

  @_lifetime(self: copy self)
  mutating func boolean() throws(RaftRefusal) -> Bool {
    switch try u8() {
    case 0: return false
    case 1: return true
    case let other: throw .notBoolean(other)
    }
  }

  @_lifetime(self: copy self)
  mutating func term() throws(RaftRefusal) -> Term {
    let value = try number(UInt64.self)
    guard value <= RaftLimits.number else { throw .outOfBounds }
    return value
  }

  @_lifetime(self: copy self)
  mutating func offset() throws(RaftRefusal) -> Offset { Offset(try term()) }

  @_lifetime(self: copy self)
  mutating func position() throws(RaftRefusal) -> LogPosition { LogPosition(offset: try offset(), term: try term()) }

  /// A place in a snapshot.
  @_lifetime(self: copy self)
  mutating func place() throws(RaftRefusal) -> Int {
    let value = try number(UInt64.self)
    guard value <= UInt64(RaftLimits.snapshotBytes) else { throw .outOfBounds }
    return Int(value)
  }

  /// Where the bytes lie that a length of 32 bits is in front of.
  @_lifetime(self: copy self)
  mutating func range(atMost limit: Int) throws(RaftRefusal) -> Range<Int> {
    let count = Int(try u32())
    guard count <= limit else { throw .tooLong }
    return try skip(count)
  }
}
