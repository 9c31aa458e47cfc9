import Core
import Testing

@testable import Raft

@Suite("Messages as bytes")
struct CodingTests {
  static let entries = TestNode.entries(["a", "", "longer than the others"], from: Offset(8), term: 3)
  static let mark = SnapshotMark(
    state: Offset(90), base: LogPosition(offset: Offset(70), term: 4),
    membership: Membership(voters: [NodeID(1), NodeID(2)], outgoing: [NodeID(3)], learners: [NodeID(.max)]))

  static let samples: [RaftMessage] = [
    .preVote(VoteRequest(term: 7, last: LogPosition(offset: Offset(12), term: 6))),
    .preVoteReply(VoteReply(term: 7, isGranted: true)),
    .vote(VoteRequest(term: 7, last: LogPosition(offset: Offset(12), term: 7), isTransfer: true)),
    .voteReply(VoteReply(term: RaftLimits.number, isGranted: false)),
    .append(AppendEntries(term: 3, previous: LogPosition(offset: Offset(7), term: 2), entries: entries, committed: Offset(5))),
    .append(AppendEntries(term: 3, previous: .zero, entries: Bytes(), committed: .zero, isProbe: true)),
    .appendReply(AppendReply(term: 3, received: Offset(9), durable: Offset(8))),
    .appendRejection(AppendRejection(term: 3, rejected: Offset(9), hint: LogPosition(offset: Offset(4), term: 1))),
    .snapshotChunk(SnapshotChunk(term: 4, mark: mark, position: 1 << 33, bytes: Bytes("a piece"), isLast: true)),
    .snapshotChunk(
      SnapshotChunk(
        term: 4, mark: SnapshotMark(state: .zero, base: .zero, membership: Membership(voters: [])), position: 0, bytes: Bytes(),
        isLast: false)),
    .snapshotReply(SnapshotReply(term: 4, state: Offset(90), received: 1 << 34)),
    .heartbeat(Heartbeat(term: 3, committed: Offset(5), sentAt: Instant(nanoseconds: -1))),
    .heartbeatReply(HeartbeatReply(term: 3, sentAt: Instant(nanoseconds: .max), received: Offset(9), durable: .zero)),
    .timeoutNow(term: 1),
  ]

  static func encoded(_ message: RaftMessage) -> [UInt8] {
    var buffer = ByteBuffer()
    message.encode(into: &buffer)
    return buffer.freeze().array
  }

  static func refusal(_ bytes: [UInt8]) -> RaftRefusal? {
    do {
      _ = try RaftMessage(decoding: Bytes(bytes))
      return nil
    } catch {
      return error
    }
  }

  @Test("Every message comes back as it was", arguments: samples)
  func roundTrip(message: RaftMessage) throws {
    #expect(try RaftMessage(decoding: Bytes(Self.encoded(message))) == message)
  }

  @Test("A message cut at any byte is refused, and so is one with anything behind it", arguments: samples)
  func cut(message: RaftMessage) {
    let whole = Self.encoded(message)
    for count in whole.indices { #expect(Self.refusal(Array(whole[..<count])) == .truncated, "cut to \(count)") }
    #expect(Self.refusal(whole + [0]) == .trailingBytes)
  }

  @Test("A bit that flips is refused or means another message, which comes back as it is; entries are never other entries", arguments: samples)
  func flipped(message: RaftMessage) throws {
    let whole = Self.encoded(message)
    for bit in 0..<whole.count * 8 {
      var bytes = whole
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      guard let other = try? RaftMessage(decoding: Bytes(bytes)) else { continue }
      #expect(other != message, "bit \(bit)")
      #expect(Self.encoded(other) == bytes, "bit \(bit)")
      if case .append(let append) = message, case .append(let found) = other { #expect(append.entries == found.entries, "bit \(bit)") }
    }
  }

  @Test("Whatever bytes are mixed together, reading them ends in a message or a refusal")
  func mutated() {
    var random = SeededGenerator(seed: 0x7469_6469_6e67)
    let all = Self.samples.map(Self.encoded)
    var accepted = 0
    for _ in 0..<20_000 {
      var bytes = all[random.below(all.count)]
      for _ in 0..<1 + random.below(4) {
        switch random.below(5) {
        case 0 where !bytes.isEmpty: bytes[random.below(bytes.count)] = UInt8(random.below(256))
        case 1 where !bytes.isEmpty: bytes.removeLast(random.below(bytes.count))
        case 2: bytes += all[random.below(all.count)].prefix(random.below(40))
        case 3 where bytes.count > 9: for at in 2..<10 { bytes[at] = random.below(2) == 0 ? 0xff : 0 }
        default: bytes.insert(UInt8(random.below(256)), at: random.below(bytes.count + 1))
        }
      }
      if let message = try? RaftMessage(decoding: Bytes(bytes)) {
        accepted += 1
        #expect(Self.encoded(message) == bytes)
      }
    }
    #expect(accepted > 100)
  }

  @Test("What no replica says is refused for what it is")
  func refused() {
    var bytes = Self.encoded(.timeoutNow(term: 1))
    bytes[0] = 2
    #expect(Self.refusal(bytes) == .unknownVersion(2))
    bytes[0] = 1
    bytes[1] = 13
    #expect(Self.refusal(bytes) == .unknownKind(13))
    bytes[1] = 0
    #expect(Self.refusal(bytes) == .unknownKind(0))
    #expect(Self.refusal(Self.encoded(.timeoutNow(term: RaftLimits.number + 1))) == .outOfBounds)
    #expect(Self.refusal(Self.encoded(.snapshotReply(SnapshotReply(term: 1, state: .zero, received: .max)))) == .outOfBounds)
    #expect(Self.refusal(Self.encoded(.appendReply(AppendReply(term: 1, received: .zero, durable: Offset(1))))) == .contradiction)
    let newer = LogPosition(offset: Offset(1), term: 2)
    #expect(Self.refusal(Self.encoded(.vote(VoteRequest(term: 1, last: newer)))) == .contradiction)
    let ahead = AppendEntries(term: 1, previous: newer, entries: Bytes(), committed: .zero)
    #expect(Self.refusal(Self.encoded(.append(ahead))) == .contradiction)
    var reply = Self.encoded(.voteReply(VoteReply(term: 1, isGranted: true)))
    reply[10] = 2
    #expect(Self.refusal(reply) == .notBoolean(2))
  }

  @Test("A length beyond what a message may hold is refused before anything is made of it")
  func tooLong() {
    for (message, at) in [(Self.samples[4], 35), (Self.samples[9], 45)] {
      var bytes = Self.encoded(message)
      for place in at..<at + 4 { bytes[place] = 0xff }
      #expect(Self.refusal(bytes) == .tooLong)
    }
  }

  @Test("Damaged entries, and half of one, are refused")
  func damaged() {
    let whole = Self.encoded(Self.samples[4])
    for at in whole.count - Self.entries.count..<whole.count {
      var bytes = whole
      bytes[at] ^= 0x10
      #expect(Self.refusal(bytes) == .damagedEntries, "byte \(at)")
    }
    let half = AppendEntries(term: 3, previous: .zero, entries: Self.entries.slice(0..<Self.entries.count - 1), committed: .zero)
    #expect(Self.refusal(Self.encoded(.append(half))) == .damagedEntries)
  }

  @Test("A membership that is none is refused")
  func membership() {
    let bytes = Self.encoded(Self.samples[8])
    var odd = bytes
    // Its version, its first length, a member out of order.
    for (at, value) in [(36, UInt8(9)), (37, 0), (40, 0xff)] {
      odd = bytes
      odd[at] = value
      #expect(Self.refusal(odd) == .malformedMembership, "byte \(at)")
    }
  }

  @Test("Entries are not copied")
  func shares() throws {
    let bytes = Bytes(Self.encoded(Self.samples[4]))
    guard case .append(let append) = try RaftMessage(decoding: bytes) else {
      Issue.record("not an append")
      return
    }
    #expect(append.entries.readPointer == bytes.readPointer + (bytes.count - append.entries.count))
  }
}
