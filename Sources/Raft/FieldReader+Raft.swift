internal import Core

typealias RaftReader = FieldReader<RaftRefusal>

extension FieldReader<RaftRefusal> {
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
    let value = try u64()
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
    let value = try u64()
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
