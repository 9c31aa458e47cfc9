/// A refusal that can say "the bytes end too early", which is all that `FieldReader` has to say itself.
public protocol FieldRefusal: Error {
  static var truncated: Self { get }
}

/// Reads little-endian fields from bytes that may be anything; what is not there is a refusal of the room that reads,
/// never a crash. Rooms add the fields of their own.
public struct FieldReader<Failure: FieldRefusal>: ~Escapable {
  public let bytes: RawSpan
  /// Where the next field begins.
  public private(set) var at = 0

  @_lifetime(copy bytes)
  public init(_ bytes: RawSpan) { self.bytes = bytes }

  public var isAtEnd: Bool { at == bytes.byteCount }

  /// How many bytes are left: no count of things is believed that could not lie in them.
  public var remaining: Int { bytes.byteCount - at }

  /// The place of the next `count` bytes, which are passed over.
  @_lifetime(self: copy self)
  public mutating func skip(_ count: Int) throws(Failure) -> Range<Int> {
    guard count >= 0, count <= remaining else { throw .truncated }
    defer { at += count }
    return at..<at + count
  }

  @_lifetime(self: copy self)
  private mutating func number<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) throws(Failure) -> T {
    let place = try skip(MemoryLayout<T>.size)
    return T(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: place.lowerBound, as: T.self))
  }

  @_lifetime(self: copy self)
  public mutating func u8() throws(Failure) -> UInt8 { try number(UInt8.self) }
  @_lifetime(self: copy self)
  public mutating func u16() throws(Failure) -> UInt16 { try number(UInt16.self) }
  @_lifetime(self: copy self)
  public mutating func u32() throws(Failure) -> UInt32 { try number(UInt32.self) }
  @_lifetime(self: copy self)
  public mutating func u64() throws(Failure) -> UInt64 { try number(UInt64.self) }
  @_lifetime(self: copy self)
  public mutating func i64() throws(Failure) -> Int64 { try number(Int64.self) }
  @_lifetime(self: copy self)
  public mutating func node() throws(Failure) -> NodeID { NodeID(try u64()) }
  @_lifetime(self: copy self)
  public mutating func shard() throws(Failure) -> ShardID { ShardID(try u16()) }

  /// The bytes of `place` as text; nil when they are not UTF-8.
  public func text(_ place: Range<Int>) -> String? {
    bytes.extracting(place).withUnsafeBytes { String(validating: $0, as: UTF8.self) }
  }
}
