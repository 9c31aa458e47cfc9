public import Core

/// A message as bytes, little-endian.
///
/// ```
/// 0  u8  version, 1      1  u8  kind      2  u64 term      10  then by kind:
///
///  1 preVote         u64 last offset   u64 last term   u8 transfer        2 preVoteReply    u8 granted
///  3 vote            like preVote                                         4 voteReply       u8 granted
///  5 append          u64 previous offset   u64 its term   u64 committed   u8 probe   u32 length, entries
///  6 appendReply     u64 received   u64 durable
///  7 appendRejection u64 rejected   u64 hint offset   u64 its term
///  8 snapshotChunk   u64 state   u64 base offset   u64 its term   u16 length, membership   u64 position   u8 last
///                    u32 length, bytes
///  9 snapshotReply   u64 state   u64 received
/// 10 heartbeat       u64 committed   i64 sent at
/// 11 heartbeatReply  i64 sent at   u64 received   u64 durable
/// 12 timeoutNow
/// ```
extension RaftMessage {
  fileprivate static var version: UInt8 { 1 }

  fileprivate enum Kind: UInt8 {
    case preVote = 1
    case preVoteReply, vote, voteReply, append, appendReply, appendRejection, snapshotChunk, snapshotReply, heartbeat
    case heartbeatReply, timeoutNow
  }

  public func encode(into buffer: inout ByteBuffer) {
    switch self {
    case .preVote(let request): buffer.append(.preVote, request)
    case .preVoteReply(let reply): buffer.append(.preVoteReply, reply)
    case .vote(let request): buffer.append(.vote, request)
    case .voteReply(let reply): buffer.append(.voteReply, reply)
    case .append(let append): buffer.append(append)
    case .appendReply(let reply):
      buffer.begin(.appendReply, reply.term)
      buffer.append(offsets: reply.received, reply.durable)
    case .appendRejection(let rejection):
      buffer.begin(.appendRejection, rejection.term)
      buffer.append(littleEndian: rejection.rejected.value)
      buffer.append(rejection.hint)
    case .snapshotChunk(let chunk): buffer.append(chunk)
    case .snapshotReply(let reply):
      buffer.begin(.snapshotReply, reply.term)
      buffer.append(littleEndian: reply.state.value)
      buffer.append(littleEndian: UInt64(reply.received))
    case .heartbeat(let heartbeat):
      buffer.begin(.heartbeat, heartbeat.term)
      buffer.append(littleEndian: heartbeat.committed.value)
      buffer.append(littleEndian: heartbeat.sentAt.nanoseconds)
    case .heartbeatReply(let reply):
      buffer.begin(.heartbeatReply, reply.term)
      buffer.append(littleEndian: reply.sentAt.nanoseconds)
      buffer.append(offsets: reply.received, reply.durable)
    case .timeoutNow(let term): buffer.begin(.timeoutNow, term)
    }
  }

  /// Reads exactly one message. Entries and pieces of snapshots are not copied: they share the memory of `bytes`, and
  /// every entry in them is whole and unharmed.
  public init(decoding bytes: Bytes) throws(RaftRefusal) {
    var reader = RaftReader(bytes.bytes)
    let version = try reader.u8()
    guard version == Self.version else { throw .unknownVersion(version) }
    let number = try reader.u8()
    guard let kind = Kind(rawValue: number) else { throw .unknownKind(number) }
    let term = try reader.term()
    switch kind {
    case .preVote: self = .preVote(try reader.voteRequest(term))
    case .preVoteReply: self = .preVoteReply(VoteReply(term: term, isGranted: try reader.boolean()))
    case .vote: self = .vote(try reader.voteRequest(term))
    case .voteReply: self = .voteReply(VoteReply(term: term, isGranted: try reader.boolean()))
    case .append: self = .append(try reader.append(term, in: bytes))
    case .appendReply:
      let (received, durable) = try reader.acknowledged()
      self = .appendReply(AppendReply(term: term, received: received, durable: durable))
    case .appendRejection:
      self = .appendRejection(AppendRejection(term: term, rejected: try reader.offset(), hint: try reader.position()))
    case .snapshotChunk: self = .snapshotChunk(try reader.snapshotChunk(term, in: bytes))
    case .snapshotReply:
      self = .snapshotReply(SnapshotReply(term: term, state: try reader.offset(), received: try reader.place()))
    case .heartbeat:
      let committed = try reader.offset()
      self = .heartbeat(Heartbeat(term: term, committed: committed, sentAt: Instant(nanoseconds: try reader.i64())))
    case .heartbeatReply:
      let sentAt = Instant(nanoseconds: try reader.i64())
      let (received, durable) = try reader.acknowledged()
      self = .heartbeatReply(HeartbeatReply(term: term, sentAt: sentAt, received: received, durable: durable))
    case .timeoutNow: self = .timeoutNow(term: term)
    }
    guard reader.isAtEnd else { throw .trailingBytes }
  }
}

extension FieldReader<RaftRefusal> {
  @_lifetime(self: copy self)
  fileprivate mutating func voteRequest(_ term: Term) throws(RaftRefusal) -> VoteRequest {
    let request = VoteRequest(term: term, last: try position(), isTransfer: try boolean())
    guard request.last.term <= term else { throw .contradiction }
    return request
  }

  @_lifetime(self: copy self)
  fileprivate mutating func acknowledged() throws(RaftRefusal) -> (received: Offset, durable: Offset) {
    let received = try offset()
    let durable = try offset()
    guard durable <= received else { throw .contradiction }
    return (received, durable)
  }

  @_lifetime(self: copy self)
  fileprivate mutating func append(_ term: Term, in message: Bytes) throws(RaftRefusal) -> AppendEntries {
    let previous = try position()
    let committed = try offset()
    let isProbe = try boolean()
    let entries = message.slice(try range(atMost: RaftLimits.entriesBytes))
    guard previous.term <= term else { throw .contradiction }
    try entries.withUnsafeBytes { memory throws(RaftRefusal) in try checkEntries(memory) }
    return AppendEntries(term: term, previous: previous, entries: entries, committed: committed, isProbe: isProbe)
  }

  @_lifetime(self: copy self)
  fileprivate mutating func snapshotChunk(_ term: Term, in message: Bytes) throws(RaftRefusal) -> SnapshotChunk {
    let state = try offset()
    let base = try position()
    let encoded = message.slice(try skip(Int(try u16())))
    let position = try place()
    let isLast = try boolean()
    let piece = message.slice(try range(atMost: RaftLimits.chunkBytes))
    guard base.offset <= state, base.term <= term else { throw .contradiction }
    // A group whose log has not said who its members are.
    var membership = Membership(voters: [])
    if !encoded.isEmpty {
      guard let found = encoded.withUnsafeBytes({ Membership(decoding: $0) }) else { throw .malformedMembership }
      membership = found
    }
    let mark = SnapshotMark(state: state, base: base, membership: membership)
    return SnapshotChunk(term: term, mark: mark, position: position, bytes: piece, isLast: isLast)
  }
}

private func checkEntries(_ memory: UnsafeRawBufferPointer) throws(RaftRefusal) {
  var at = 0
  while at < memory.count {
    guard case .valid(let length) = RecordView.check(UnsafeRawBufferPointer(rebasing: memory[at...])) else { throw .damagedEntries }
    let entry = RecordView(trusting: memory.baseAddress! + at)
    guard entry.offset.value <= RaftLimits.number, entry.term <= RaftLimits.number else { throw .outOfBounds }
    at += length
  }
}

extension ByteBuffer {
  fileprivate mutating func begin(_ kind: RaftMessage.Kind, _ term: Term) {
    append(RaftMessage.version)
    append(kind.rawValue)
    append(littleEndian: term)
  }

  fileprivate mutating func append(_ position: LogPosition) {
    append(littleEndian: position.offset.value)
    append(littleEndian: position.term)
  }

  fileprivate mutating func append(offsets first: Offset, _ second: Offset) {
    append(littleEndian: first.value)
    append(littleEndian: second.value)
  }

  fileprivate mutating func append(_ isSo: Bool) { append(isSo ? UInt8(1) : UInt8(0)) }

  fileprivate mutating func append(_ kind: RaftMessage.Kind, _ request: VoteRequest) {
    begin(kind, request.term)
    append(request.last)
    append(request.isTransfer)
  }

  fileprivate mutating func append(_ kind: RaftMessage.Kind, _ reply: VoteReply) {
    begin(kind, reply.term)
    append(reply.isGranted)
  }

  fileprivate mutating func append(_ message: AppendEntries) {
    precondition(message.entries.count <= RaftLimits.entriesBytes, "more entries than a message may hold")
    begin(.append, message.term)
    append(message.previous)
    append(littleEndian: message.committed.value)
    append(message.isProbe)
    append(littleEndian: UInt32(message.entries.count))
    append(message.entries)
  }

  fileprivate mutating func append(_ chunk: SnapshotChunk) {
    precondition(chunk.bytes.count <= RaftLimits.chunkBytes, "a larger piece than a message may hold")
    begin(.snapshotChunk, chunk.term)
    append(littleEndian: chunk.mark.state.value)
    append(chunk.mark.base)
    let length = count
    append(littleEndian: UInt16(0))
    if !chunk.mark.membership.members.isEmpty { chunk.mark.membership.encode(into: &self) }
    store(littleEndian: UInt16(count - length - 2), at: length)
    append(littleEndian: UInt64(chunk.position))
    append(chunk.isLast)
    append(littleEndian: UInt32(chunk.bytes.count))
    append(chunk.bytes)
  }
}
