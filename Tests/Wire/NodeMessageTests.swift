import Core
import Feeds
import Placement
import Raft
import Replica
import Testing

@testable import Wire

@Suite("Messages between nodes")
struct NodeMessageTests {
  static let seeds: [UInt64] = [1, 0x7469_6469_6e67, 99]

  /// What a message means, as text: drafts and pieces by their bytes, however they are cut.
  static func meaning(_ message: NodeMessage) -> String {
    switch message {
    case .request(let shard, .publish(let batch)):
      return "\(shard) \(batch.edge) \(batch.entries) \(batch.records.withUnsafeBytes { [UInt8]($0) })"
    case .reply(let edge, .push(var push)):
      push.pieces = [Bytes(push.pieces.flatMap(\.array))]
      return "\(edge) \(push.shard) \(push.upTo) \(push.pieces[0].array)"
    case .reply(let edge, .read(let reply)):
      guard case .success(var page) = reply.result else { return "\(message)" }
      let bytes = page.pieces.flatMap(\.array)
      page.pieces = []
      return "\(edge) \(reply.shard) \(reply.ticket) \(page) \(bytes)"
    case .reply(let edge, .history(let reply)):
      guard case .success(let records) = reply.result else { return "\(message)" }
      return "\(edge) \(reply.shard) \(reply.ticket) \(records.map(\.array))"
    case .replica(let shard, .raft(.append(let append), let session)): return "\(shard) \(session) \(append.entries.array) \(append.previous)"
    case .gossipRequest(let ticket, let bytes), .statusAsk(let ticket, let bytes), .statusAnswer(let ticket, let bytes):
      return "\(message.kind) \(ticket) \(bytes.array)"
    case .gossipReply(let ticket, let bytes): return "\(ticket) \(String(describing: bytes?.array))"
    case .replica(let shard, .raft(.snapshotChunk(let chunk), _)):
      return "\(shard) \(chunk.mark) \(chunk.position) \(chunk.isLast) \(chunk.bytes.array)"
    case .request(_, .interest(let change)): return "\(change.ticket) \(change.add.map(\.description)) \(change.remove.map(\.description)) \(change.seen)"
    case .request(_, .read(let read)): return "\(read.ticket) \(read.filters.map(\.description)) \(read.start) \(read.maximumBytes)"
    case .request(_, .history(let history)): return "\(history.ticket) \(history.topic) \(String(describing: history.before)) \(history.limit)"
    case .request(_, .consumer(let request)):
      if case .open(let name, let filters, let cursor) = request.operation { return "\(name) \(filters.map(\.description)) \(cursor)" }
      return "\(request)"
    case .reply(_, .consumer(let reply)):
      guard case .success(let consumers) = reply.result else { return "\(message)" }
      return "\(consumers.map { "\($0.name) \($0.filters.map(\.description)) \($0.cursor) \($0.created) \($0.updated)" })"
    case .request(_, .group(let request)):
      return "\(request.edge) \(request.ticket) \(request.group.name.array) \(request.group.filter) \(request.operation)"
    case .reply(let edge, .group(let reply)):
      guard case .push(let push) = reply.content else { return "\(message)" }
      return "\(edge) \(push.group.name.array) \(push.group.filter) \(push.opening) \(push.pieces.flatMap(\.array)) \(String(describing: push.gap))"
    default: return "\(message)"
    }
  }

  @Test("Every message of every kind comes back as it was", arguments: seeds)
  func roundTrip(seed: UInt64) throws {
    print("seed \(seed)")
    var source = MessageSource(seed: seed)
    var kinds: Set<WireKind> = []
    for _ in 0..<20 {
      for message in source.everyForm() {
        kinds.insert(message.kind)
        let bytes = try encoded(message)
        let other = try decoded(bytes).get()
        #expect(Self.meaning(other) == Self.meaning(message))
        #expect(try encoded(other) == bytes)
        #expect(other.lane == message.lane && other.shard == message.shard && other.kind == message.kind)
      }
    }
    #expect(kinds == Set(WireKind.allCases))
  }

  @Test("A message cut at any byte is refused, and so is one with anything behind it", arguments: seeds)
  func cut(seed: UInt64) throws {
    print("seed \(seed)")
    var source = MessageSource(seed: seed)
    for message in source.everyForm() {
      let whole = try encoded(message)
      for count in whole.indices {
        #expect(decoded(Array(whole[..<count])).failure == .truncated, "\(message.kind) cut to \(count)")
        // As if it were meant to end there.
        if count >= WireFrame.headerSize { expectSound(resized(Array(whole[..<count]))) }
      }
      #expect(decoded(whole + [0]).failure == .trailingBytes)
      expectSound(resized(whole + [0]))
    }
  }

  @Test("A byte that is another is refused or means another message, which comes back as it is", arguments: seeds)
  func flipped(seed: UInt64) throws {
    print("seed \(seed)")
    var source = MessageSource(seed: seed)
    for message in source.everyForm() {
      let whole = try encoded(message)
      for at in whole.indices {
        for flip in [UInt8(1), 0x80, 0xff] {
          var bytes = whole
          bytes[at] ^= flip
          expectSound(bytes)
        }
      }
    }
  }

  @Test("Whatever bytes are mixed together, reading them ends in a message or a refusal", arguments: seeds)
  func mutated(seed: UInt64) throws {
    print("seed \(seed)")
    var source = MessageSource(seed: seed)
    let all = try source.everyForm().map { message in try encoded(message) }
    var random = SeededGenerator(seed: seed)
    var accepted = 0
    for _ in 0..<10_000 {
      var bytes = all[random.below(all.count)]
      for _ in 0..<1 + random.below(4) {
        switch random.below(5) {
        case 0 where bytes.count > 8: bytes[4 + random.below(bytes.count - 4)] = UInt8(random.below(256))
        case 1 where bytes.count > 9: bytes.removeLast(random.below(bytes.count - 8))
        case 2: bytes += all[random.below(all.count)].prefix(random.below(40))
        case 3 where bytes.count > 16:
          let at = 8 + random.below(bytes.count - 12)
          for place in at..<at + 4 { bytes[place] = random.below(2) == 0 ? 0xff : 0 }
        default: bytes.insert(UInt8(random.below(256)), at: random.below(bytes.count + 1))
        }
      }
      if expectSound(resized(bytes)) { accepted += 1 }
    }
    #expect(accepted > 100)
  }

  @Test("A count that its bytes could not hold is refused before anything is made of it")
  func counts() throws {
    var source = MessageSource(seed: 3)
    // Where the counts stand: behind the header, the part, and what comes before.
    let batch = try encoded(.request(ShardID(1 as UInt16), .publish(source.batch(2))))
    let results = try encoded(.reply(edge: EdgeID(1), .published(ShardID(1 as UInt16), [])))
    let beats = try encoded(.heartbeats([]))
    for (whole, at) in [(batch, 13), (results, 13), (beats, 8)] {
      for (count, refusal) in [(UInt32.max, WireRefusal.tooMany), (8000, .truncated)] {
        var bytes = whole
        withUnsafeBytes(of: count.littleEndian) { for place in 0..<4 { bytes[at + place] = $0[place] } }
        #expect(decoded(bytes).failure == refusal)
      }
    }
  }

  @Test("What is beyond a bound is not even written, and leaves nothing behind")
  func bounds() throws {
    let shard = ShardID(1 as UInt16)
    let filter = try Filter("a")
    let change = InterestChange(
      edge: EdgeID(1), ticket: Ticket(1), add: [Filter](repeating: filter, count: WireLimits.filters + 1), remove: [])
    let long = ConsumerRequest(edge: EdgeID(1), ticket: Ticket(1), operation: .show(name: String(repeating: "n", count: 129)))
    let read = ReadRequest(edge: EdgeID(1), ticket: Ticket(1), filters: [], start: .last(-1), maximumBytes: 1)
    let group = GroupName(name: Bytes("g"), filter: filter)
    func share(_ operation: GroupRequest.Operation, _ group: GroupName) -> NodeMessage {
      .request(shard, .group(GroupRequest(edge: EdgeID(1), ticket: Ticket(1), group: group, operation: operation)))
    }
    let longGroup = GroupName(name: Bytes([UInt8](repeating: 97, count: GroupLimits.nameBytes + 1)), filter: filter)
    let manyOffsets = [Offset](repeating: Offset(1), count: GroupLimits.offsets + 1)
    let vote = ShardHeartbeat(shard: shard, message: .raft(.timeoutNow(term: 1), session: 1))
    let cases: [(NodeMessage, WireRefusal)] = [
      (.request(shard, .interest(change)), .tooMany), (.request(shard, .consumer(long)), .tooLong),
      (.request(shard, .read(read)), .outOfBounds), (.heartbeats([vote]), .contradiction),
      (.statusAsk(ticket: 1, Bytes([UInt8](repeating: 0, count: WireLimits.status + 1))), .tooLong),
      (share(.acknowledge([]), longGroup), .tooLong), (share(.acknowledge(manyOffsets), group), .tooMany),
      (share(.join(GroupMembership(opening: 1, members: 1, credit: GroupLimits.credit + 1)), group), .outOfBounds),
      (.replica(ShardID(WireLimits.shards), .repair(.ask(incident: 1))), .outOfBounds),
    ]
    for (message, refusal) in cases {
      var buffer = ByteBuffer()
      buffer.append(UInt8(7))
      #expect(throws: refusal) { try message.encode(into: &buffer) }
      #expect(buffer.count == 1)
    }
    #expect(throws: WireRefusal.tooLong) { try encoded(.ping(stamp: 1), limit: 15) }
  }

  @Test("Text for people is cut at a whole character when it is too long")
  func longReason() throws {
    let text = String(repeating: "ä", count: 600)
    guard case .farewell(let farewell) = try decoded(encoded(.farewell(NodeFarewell(.draining, text)))).get() else {
      Issue.record("no farewell")
      return
    }
    #expect(farewell.text == String(repeating: "ä", count: 512))
  }

  @Test("Unknown kinds, lanes and versions are refused by name")
  func unknown() throws {
    var ping = try encoded(.ping(stamp: 1))
    ping[4] = 99
    #expect(decoded(ping).failure == .unknownKind(99))
    ping[4] = 3
    ping[5] = 3
    #expect(decoded(ping).failure == .unknownLane(3))
    ping[5] = 1
    #expect(decoded(ping).failure == .contradiction)
    var source = MessageSource(seed: 5)
    var hello = try encoded(.hello(source.hello()))
    hello[12] = 2
    #expect(decoded(hello).failure == .unknownVersion(2))
    hello[8] = 0x47
    #expect(decoded(hello).failure == .notTidings)
    var vote = try encoded(.replica(ShardID(1 as UInt16), .raft(.timeoutNow(term: 1), session: 1)))
    vote[13] = 2
    #expect(decoded(vote).failure == .raft(.unknownVersion(2)))
    var birth = try encoded(.birth(.confirm(ClusterID(1))))
    birth[9] = 77
    #expect(decoded(birth).failure == .placement(.unknownKind(77)))
  }

  @Test("Harmed records get no further, nor drafts whose lengths do not add up")
  func records() throws {
    var source = MessageSource(seed: 8)
    let shard = ShardID(1 as UInt16)
    let row = source.row(2, from: 5)
    let push = try encoded(.reply(edge: EdgeID(1), .push(FeedPush(shard: shard, pieces: [row], upTo: Offset(9)))))
    for at in push.count - row.count..<push.count {
      var bytes = push
      bytes[at] ^= 0x40
      #expect(decoded(bytes).failure == .damagedRecords, "byte \(at)")
    }
    let early = try encoded(.reply(edge: EdgeID(1), .push(FeedPush(shard: shard, pieces: [row], upTo: Offset(5)))))
    #expect(decoded(early).failure == .contradiction)
    let back = try encoded(.reply(edge: EdgeID(1), .push(FeedPush(shard: shard, pieces: [source.row(1, from: 6), row], upTo: Offset(9)))))
    #expect(decoded(back).failure == .contradiction)
    let group = GroupPush(group: GroupName(name: Bytes("g"), filter: try Filter("#")), opening: 1, pieces: [row])
    var given = try encoded(.reply(edge: EdgeID(1), .group(GroupReply(shard: shard, .push(group)))))
    given[given.count - 1] ^= 0x40
    #expect(decoded(given).failure == .damagedRecords)
    let batch = source.batch(2)
    let publish = try encoded(.request(shard, .publish(batch)))
    let first = publish.count - batch.records.count
    for at in [first, first + 8, first + RecordLayout.topicLength, first + RecordLayout.keyLength, first + RecordLayout.payloadLength] {
      var bytes = publish
      bytes[at] &+= 1
      #expect(decoded(bytes).failure == .damagedRecords, "byte \(at)")
    }
    var wild = publish
    wild[first + RecordLayout.headerSize] = UInt8(ascii: "#")
    #expect(decoded(wild).failure == .malformedTopic)
  }

  @Test("Records, entries and pieces of snapshots are not copied")
  func shares() throws {
    var source = MessageSource(seed: 9)
    let row = source.row(3, from: 5)
    let bytes = Bytes(try encoded(.reply(edge: EdgeID(1), .push(FeedPush(shard: ShardID(1 as UInt16), pieces: [row], upTo: Offset(9))))))
    guard case .reply(_, .push(let push)) = try NodeMessage(decoding: bytes) else {
      Issue.record("no push")
      return
    }
    #expect(push.pieces.count == 1 && push.pieces[0].readPointer == bytes.readPointer + (bytes.count - row.count))
  }

  @Test("A long push goes as several, each up to the record where the next begins")
  func parts() throws {
    var source = MessageSource(seed: 10)
    let pieces = [source.row(5, from: 1), source.row(1, from: 9), source.row(4, from: 11)]
    let push = FeedPush(shard: ShardID(2 as UInt16), pieces: pieces, upTo: Offset(50))
    for limit in [1, 150, 300, 400, 100_000] {
      let parts = push.parts(ofAtMost: limit)
      #expect(parts.flatMap { $0.pieces.flatMap(\.array) } == pieces.flatMap(\.array))
      #expect(parts.last?.upTo == Offset(50))
      #expect(zip(parts, parts.dropFirst()).allSatisfy { $0.upTo < $1.upTo })
      for part in parts {
        let bytes = part.pieces.reduce(0) { $0 + $1.count }
        #expect(bytes > 0 && (bytes <= limit || limit == 1))
        #expect(decoded(try encoded(.reply(edge: EdgeID(1), .push(part)))).failure == nil)
      }
      if limit == 1 { #expect(parts.count == 10) }
      if limit == 100_000 { #expect(parts.count == 1) }
    }
  }
}

/// The frame says that it is as long as it is.
private func resized(_ bytes: [UInt8]) -> [UInt8] {
  guard bytes.count >= 4 else { return bytes }
  var bytes = bytes
  withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { for place in 0..<4 { bytes[place] = $0[place] } }
  return bytes
}

/// Refused, or a message that is written as the same bytes again.
@discardableResult
private func expectSound(_ bytes: [UInt8], _ location: SourceLocation = #_sourceLocation) -> Bool {
  guard case .success(let message) = decoded(bytes) else { return false }
  #expect((try? encoded(message)) == bytes, "\(message.kind)", sourceLocation: location)
  return true
}

extension Result {
  var failure: Failure? {
    if case .failure(let failure) = self { failure } else { nil }
  }
}
