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
  mutating func skip(_ count: Int) throws(GossipRefusal) -> Range<Int> {
    guard count >= 0, count <= bytes.byteCount - at else { throw .truncated }
    defer { at += count }
    return at..<at + count
  }

  @_lifetime(self: copy self)
  private mutating func number<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) throws(GossipRefusal) -> T {
    let place = try skip(MemoryLayout<T>.size)
    return unsafe bytes.unsafeLoadUnaligned(fromByteOffset: place.lowerBound, as: T.self)
  }

  @_lifetime(self: copy self)
  mutating func u8() throws(GossipRefusal) -> UInt8 { try number(UInt8.self) }
  @_lifetime(self: copy self)
  mutating func u16() throws(GossipRefusal) -> UInt16 { UInt16(littleEndian: try number(UInt16.self)) }
  @_lifetime(self: copy self)
  mutating func u32() throws(GossipRefusal) -> UInt32 { UInt32(littleEndian: try number(UInt32.self)) }
  @_lifetime(self: copy self)
  mutating func u64() throws(GossipRefusal) -> UInt64 { UInt64(littleEndian: try number(UInt64.self)) }
  @_lifetime(self: copy self)
  mutating func node() throws(GossipRefusal) -> NodeID { NodeID(try u64()) }

  @_lifetime(self: copy self)
  mutating func address() throws(GossipRefusal) -> GossipAddress {
    let high = UInt64(bigEndian: try number(UInt64.self))
    let low = UInt64(bigEndian: try number(UInt64.self))
    return GossipAddress(high: high, low: low, port: UInt16(bigEndian: try number(UInt16.self)))
  }
}
