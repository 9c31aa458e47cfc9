internal import Core

/// Why bytes are not what they should be.
public enum PlacementRefusal: Error, Hashable, Sendable {
  case tooLong
  case truncated
  case trailingBytes
  case unknownVersion(UInt8)
  case unknownKind(UInt8)
  /// A number or a text outside its bounds.
  case malformed
}

/// Reads fields from bytes that may be anything; what is not there is a refusal, never a crash.
struct FieldReader: ~Escapable {
  let bytes: RawSpan
  private(set) var at = 0

  @_lifetime(copy bytes)
  init(_ bytes: RawSpan) { self.bytes = bytes }

  var isAtEnd: Bool { at == bytes.byteCount }

  @_lifetime(self: copy self)
  mutating func skip(_ count: Int) throws(PlacementRefusal) -> Range<Int> {
    guard count >= 0, count <= bytes.byteCount - at else { throw .truncated }
    defer { at += count }
    return at..<at + count
  }

  @_lifetime(self: copy self)
  private mutating func number<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) throws(PlacementRefusal) -> T {
    let place = try skip(MemoryLayout<T>.size)
    return T(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: place.lowerBound, as: T.self))
  }

  @_lifetime(self: copy self)
  mutating func u8() throws(PlacementRefusal) -> UInt8 { try number(UInt8.self) }
  @_lifetime(self: copy self)
  mutating func u16() throws(PlacementRefusal) -> UInt16 { try number(UInt16.self) }
  @_lifetime(self: copy self)
  mutating func u64() throws(PlacementRefusal) -> UInt64 { try number(UInt64.self) }
  @_lifetime(self: copy self)
  mutating func node() throws(PlacementRefusal) -> NodeID { NodeID(try u64()) }
  @_lifetime(self: copy self)
  mutating func shard() throws(PlacementRefusal) -> ShardID { ShardID(try u16()) }

  @_lifetime(self: copy self)
  mutating func flag() throws(PlacementRefusal) -> Bool {
    let value = try u8()
    guard value <= 1 else { throw .malformed }
    return value == 1
  }

  @_lifetime(self: copy self)
  mutating func text(atMost limit: Int) throws(PlacementRefusal) -> String {
    let place = try skip(Int(try u16()))
    guard place.count <= limit else { throw .malformed }
    guard let text = bytes.extracting(place).withUnsafeBytes({ String(validating: $0, as: UTF8.self) }) else {
      throw .malformed
    }
    return text
  }

  @_lifetime(self: copy self)
  mutating func nodes(atMost limit: Int) throws(PlacementRefusal) -> [NodeID] {
    let count = Int(try u16())
    guard count <= limit else { throw .malformed }
    var nodes: [NodeID] = []
    for _ in 0..<count { nodes.append(try node()) }
    return nodes
  }
}

extension ByteBuffer {
  mutating func append(field text: String) {
    precondition(text.utf8.count <= 0xffff, "a text is longer than its length can say")
    append(littleEndian: UInt16(text.utf8.count))
    append(text: text)
  }

  mutating func append(_ nodes: [NodeID]) {
    append(littleEndian: UInt16(nodes.count))
    for node in nodes { append(littleEndian: node.value) }
  }
}
