internal import Core

typealias WireReader = FieldReader<WireRefusal>

extension FieldReader<WireRefusal> {
  @_lifetime(self: copy self)
  mutating func boolean() throws(WireRefusal) -> Bool {
    let value = try u8()
    guard value <= 1 else { throw .notBoolean(value) }
    return value == 1
  }

  /// An offset that a shard gave out.
  @_lifetime(self: copy self)
  mutating func offset() throws(WireRefusal) -> Offset {
    let value = try u64()
    guard value <= RecordRow.largestOffset else { throw .outOfBounds }
    return Offset(value)
  }

  /// An offset that a client gave, who may say anything.
  @_lifetime(self: copy self)
  mutating func claimedOffset() throws(WireRefusal) -> Offset { Offset(try u64()) }

  @_lifetime(self: copy self)
  mutating func time() throws(WireRefusal) -> WallTime { WallTime(milliseconds: try i64()) }

  @_lifetime(self: copy self)
  mutating func cluster() throws(WireRefusal) -> ClusterID {
    let value = try u64()
    let cluster = ClusterID(value)
    guard cluster.value == value else { throw .outOfBounds }
    return cluster
  }

  /// How many things follow, of which each takes `size` bytes at least.
  @_lifetime(self: copy self)
  mutating func count(atMost limit: Int, size: Int) throws(WireRefusal) -> Int {
    let count = Int(try u32())
    guard count <= limit else { throw .tooMany }
    guard count <= remaining / size else { throw .truncated }
    return count
  }

  /// A number that is at most `limit`.
  @_lifetime(self: copy self)
  mutating func number(atMost limit: Int) throws(WireRefusal) -> Int {
    let number = Int(try u32())
    guard number <= limit else { throw .outOfBounds }
    return number
  }

  @_lifetime(self: copy self)
  mutating func text(atMost limit: Int) throws(WireRefusal) -> String {
    let length = Int(try u16())
    guard length <= limit else { throw .tooLong }
    guard let text = text(try skip(length)) else { throw .malformedText }
    return text
  }

  /// A topic or a filter, in memory of its own: it outlives the message.
  @_lifetime(self: copy self)
  private mutating func name() throws(WireRefusal) -> Bytes {
    let length = Int(try u16())
    guard length <= Topic.maximumLength else { throw .tooLong }
    return Bytes(copying: bytes.extracting(try skip(length)))
  }

  @_lifetime(self: copy self)
  mutating func topic() throws(WireRefusal) -> Topic {
    let name = try name()
    guard name.withUnsafeBytes(Topic.problem) == nil else { throw .malformedTopic }
    return Topic(trusting: name)
  }

  @_lifetime(self: copy self)
  mutating func filters(atMost limit: Int) throws(WireRefusal) -> [Filter] {
    let count = try count(atMost: limit, size: 3)
    var filters: [Filter] = []
    filters.reserveCapacity(count)
    for _ in 0..<count { filters.append(try filter()) }
    return filters
  }

  @_lifetime(self: copy self)
  mutating func filter() throws(WireRefusal) -> Filter {
    let name = try name()
    do throws(TopicError) { return try Filter(name) } catch { throw .malformedTopic }
  }

  @_lifetime(self: copy self)
  mutating func cursor() throws(WireRefusal) -> Cursor {
    let cluster = try cluster()
    let count = try count(atMost: Cursor.maximumPositions, size: 10)
    var positions: [Position] = []
    positions.reserveCapacity(count)
    for _ in 0..<count {
      let position = Position(try shard(), try claimedOffset())
      if let last = positions.last, last.shard >= position.shard { throw .malformedCursor }
      positions.append(position)
    }
    return Cursor(cluster: cluster, positions: positions)
  }

  /// Everything that is left, in the memory of `message`, whose bytes these are.
  @_lifetime(self: copy self)
  mutating func rest(of message: Bytes) throws(WireRefusal) -> Bytes { message.slice(try skip(remaining)) }
}

extension ByteBuffer {
  mutating func append(isSo: Bool) { append(isSo ? UInt8(1) : UInt8(0)) }
  mutating func append(_ offset: Offset) { append(littleEndian: offset.value) }
  mutating func append(_ time: WallTime) { append(littleEndian: time.milliseconds) }

  mutating func append(count: Int, atMost limit: Int) throws(WireRefusal) {
    guard count <= limit else { throw .tooMany }
    append(littleEndian: UInt32(count))
  }

  mutating func append(number: Int, atMost limit: Int) throws(WireRefusal) {
    guard number >= 0, number <= limit else { throw .outOfBounds }
    append(littleEndian: UInt32(number))
  }

  mutating func append(text: String, atMost limit: Int) throws(WireRefusal) {
    guard text.utf8.count <= limit else { throw .tooLong }
    append(littleEndian: UInt16(text.utf8.count))
    append(text: text)
  }

  /// Text for people: what is too much of it is left out.
  mutating func append(reason: String) {
    let length = count
    append(littleEndian: UInt16(0))
    var left = WireLimits.reason
    for scalar in reason.unicodeScalars {
      let encoded = UTF8.encode(scalar)
      guard let encoded, encoded.count <= left else { break }
      for unit in encoded { append(unit) }
      left -= encoded.count
    }
    store(littleEndian: UInt16(count - length - 2), at: length)
  }

  mutating func append(name: Bytes) throws(WireRefusal) {
    guard name.count <= Topic.maximumLength else { throw .tooLong }
    append(littleEndian: UInt16(name.count))
    append(name)
  }

  mutating func append(_ filters: [Filter], atMost limit: Int) throws(WireRefusal) {
    try append(count: filters.count, atMost: limit)
    for filter in filters { try append(name: filter.bytes) }
  }

  mutating func append(_ cursor: Cursor) throws(WireRefusal) {
    append(littleEndian: cursor.cluster.value)
    try append(count: cursor.positions.count, atMost: Cursor.maximumPositions)
    for position in cursor.positions {
      append(littleEndian: position.shard.value)
      append(position.offset)
    }
  }
}
