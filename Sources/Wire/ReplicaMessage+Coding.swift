internal import Core
internal import Raft
internal import Replica

// u8 part, then
//   1 raft            u32 session, the message as Raft encodes it
//   2 repair ask      u64 incident
//   3 repair begin    u64 term   u64 incident   u64 last
//   4 repair missing  u64 term   u64 up to   u32 session

private enum Part: UInt8 {
  case raft = 1
  case ask = 2
  case begin = 3
  case missing = 4
}

extension ReplicaMessage {
  func encode(into buffer: inout ByteBuffer) throws(WireRefusal) {
    switch self {
    case .raft(let message, let session):
      // Raft's encoder takes for granted what is checked here: its callers never let entries grow so large.
      switch message {
      case .append(let append) where append.entries.count > RaftLimits.entriesBytes: throw .tooLong
      case .snapshotChunk(let chunk) where chunk.bytes.count > RaftLimits.chunkBytes: throw .tooLong
      default: break
      }
      buffer.append(Part.raft.rawValue)
      buffer.append(littleEndian: session)
      message.encode(into: &buffer)
    case .repair(.ask(let incident)):
      buffer.append(Part.ask.rawValue)
      buffer.append(littleEndian: incident)
    case .repair(.begin(let term, let incident, let last)):
      buffer.append(Part.begin.rawValue)
      buffer.append(littleEndian: term)
      buffer.append(littleEndian: incident)
      buffer.append(last)
    case .repair(.missing(let term, let upTo, let session)):
      buffer.append(Part.missing.rawValue)
      buffer.append(littleEndian: term)
      buffer.append(upTo)
      buffer.append(littleEndian: session)
    }
  }
}

extension FieldReader<WireRefusal> {
  /// The rest of the message is one of Raft's.
  @_lifetime(self: copy self)
  private mutating func raft(in payload: Bytes) throws(WireRefusal) -> RaftMessage {
    let bytes = try rest(of: payload)
    do throws(RaftRefusal) { return try RaftMessage(decoding: bytes) } catch { throw .raft(error) }
  }

  @_lifetime(self: copy self)
  private mutating func term() throws(WireRefusal) -> Term {
    let term = try u64()
    guard term <= RaftLimits.number else { throw .outOfBounds }
    return term
  }

  /// `payload` are the bytes that this reads.
  @_lifetime(self: copy self)
  mutating func replicaMessage(in payload: Bytes) throws(WireRefusal) -> ReplicaMessage {
    let number = try u8()
    guard let part = Part(rawValue: number) else { throw .unknownPart(number) }
    switch part {
    case .raft:
      let session = try u32()
      return .raft(try raft(in: payload), session: session)
    case .ask: return .repair(.ask(incident: try u64()))
    case .begin: return .repair(.begin(term: try term(), incident: try u64(), last: try offset()))
    case .missing: return .repair(.missing(term: try term(), upTo: try offset(), session: try u32()))
    }
  }

  /// u32 count, and of each u16 shard, u8 length, the message as above.
  @_lifetime(self: copy self)
  mutating func heartbeats(in payload: Bytes) throws(WireRefusal) -> [ShardHeartbeat] {
    let count = try count(atMost: WireLimits.heartbeats, size: 8)
    var beats: [ShardHeartbeat] = []
    beats.reserveCapacity(count)
    for _ in 0..<count {
      let shard = try shard()
      guard shard.value < WireLimits.shards else { throw .outOfBounds }
      let length = Int(try u8())
      guard length <= WireLimits.heartbeatBytes else { throw .tooLong }
      let bytes = payload.slice(try skip(length))
      var reader = WireReader(bytes.bytes)
      let message = try reader.replicaMessage(in: bytes)
      guard reader.isAtEnd else { throw .trailingBytes }
      guard ShardHeartbeat.carries(message) else { throw .contradiction }
      beats.append(ShardHeartbeat(shard: shard, message: message))
    }
    return beats
  }
}

extension ByteBuffer {
  mutating func append(_ beats: [ShardHeartbeat]) throws(WireRefusal) {
    try append(count: beats.count, atMost: WireLimits.heartbeats)
    for beat in beats {
      guard ShardHeartbeat.carries(beat.message) else { throw .contradiction }
      guard beat.shard.value < WireLimits.shards else { throw .outOfBounds }
      append(littleEndian: beat.shard.value)
      let length = count
      append(UInt8(0))
      try beat.message.encode(into: &self)
      store(littleEndian: UInt8(count - length - 1), at: length)
    }
  }
}
