import Core
import Testing

@testable import Raft

/// Peers that are damaged, or say what no replica with a whole disk would say.
@Suite("Distrust")
struct DistrustTests {
  @Test("A replica that may have forgotten its promises neither votes, nor campaigns, nor acknowledges, but follows")
  func abstains() {
    let node = TestNode.alone([1, 1])
    node.machine.abstains = true
    node.machine.tick(at: .zero + .seconds(5), into: &node.output)
    #expect(node.machine.role == .follower && node.output.isEmpty)
    let request = VoteRequest(term: 2, last: LogPosition(offset: Offset(9), term: 1))
    let vote = node.receive(.vote(request), from: 2, at: 5001)
    #expect(vote.messages.map(\.message) == [.voteReply(VoteReply(term: 2, isGranted: false))])
    let entries = TestNode.entries(["a"], from: Offset(3), term: 2)
    let append = AppendEntries(
      term: 2, previous: LogPosition(offset: Offset(2), term: 1), entries: entries, committed: Offset(3), isProbe: true)
    let followed = node.receive(.append(append), from: 2, at: 5002)
    #expect(node.machine.last == Offset(3) && node.machine.committed == Offset(3) && node.machine.durable == Offset(3))
    for message in followed.messages {
      guard case .appendReply(let reply) = message.message else { continue }
      #expect(reply.durable == .zero)
    }
  }

  @Test("A leader whose log differs where this one was trimmed is not followed into it")
  func differsAtBase() {
    let node = TestNode.alone([3, 3], base: LogPosition(offset: Offset(5), term: 3))
    // Its entry 5 is of term 2.
    let entries = Bytes([TestNode.entries(["x"], from: Offset(5), term: 2), TestNode.entries(["y"], from: Offset(6), term: 4)].flatMap(\.array))
    let append = AppendEntries(term: 4, previous: LogPosition(offset: Offset(4), term: 2), entries: entries, committed: Offset(6))
    let output = node.receive(.append(append), from: 2)
    #expect(output.facts.contains(.diverged(at: Offset(5), from: NodeID(2))))
    #expect(output.writes.isEmpty && node.machine.last == Offset(7))
  }

  @Test("A snapshot that contradicts what its leader sent before is refused, not fatal")
  func contradictingSnapshot() {
    let node = TestNode.alone([1, 1, 1])
    let probe = AppendEntries(term: 1, previous: LogPosition(offset: Offset(3), term: 1), entries: Bytes(), committed: .zero)
    _ = node.receive(.append(probe), from: 2)
    let mark = SnapshotMark(state: Offset(2), base: LogPosition(offset: Offset(2), term: 0), membership: TestNode.three)
    let chunk = SnapshotChunk(term: 1, mark: mark, position: 0, bytes: Bytes(TestNode.snapshotBytes(0)), isLast: true)
    let output = node.receive(.snapshotChunk(chunk), from: 2)
    #expect(output.facts == [.diverged(at: Offset(2), from: NodeID(2))])
    #expect(node.machine.last == Offset(3))
  }

  @Test("Whatever well-formed messages come from whomever, a replica does not fall over them", arguments: 0..<20)
  func storm(group: Int) throws {
    for seed in UInt64(group * 10)..<UInt64(group * 10 + 10) {
      var random = SeededGenerator(seed: seed)
      let node = TestNode.alone([1, 1, 2].suffix(random.below(4)))
      node.isDiskSlow = true
      var clock = 0
      for _ in 0..<400 {
        clock += random.below(60)
        let now = Instant.zero + .milliseconds(clock)
        switch random.below(8) {
        case 0: node.machine.tick(at: now, into: &node.output)
        case 1: node.completeHardState(at: now)
        case 2: node.completeLog(at: now)
        default:
          let message = try RaftMessage(decoding: Bytes(CodingTests.encoded(Self.anything(&random, node.machine.term))))
          node.machine.receive(message, from: NodeID(UInt64(1 + random.below(4))), at: now, into: &node.output)
        }
        node.askDisk()
        node.output.removeAll()
        let machine = (node.machine.base.offset, node.machine.committed, node.machine.durable, node.machine.last)
        #expect(machine.0 <= machine.1 && machine.1 <= machine.3 && machine.2 <= machine.3, "seed \(seed)")
      }
    }
  }

  /// A message with small numbers, so that many of them mean something.
  static func anything(_ random: inout SeededGenerator, _ current: Term) -> RaftMessage {
    let term = random.below(10) == 0 ? current + 1 : current
    func offset() -> Offset { Offset(UInt64(random.below(8))) }
    func old() -> Term { min(term, UInt64(random.below(4))) }
    func position() -> LogPosition { LogPosition(offset: offset(), term: old()) }
    func acknowledged() -> (Offset, Offset) {
      let (a, b) = (offset(), offset())
      return (max(a, b), min(a, b))
    }
    switch random.below(11) {
    case 0: return .preVote(VoteRequest(term: term, last: position()))
    case 1: return .preVoteReply(VoteReply(term: term + UInt64(random.below(2)), isGranted: random.below(2) == 0))
    case 2: return .vote(VoteRequest(term: term, last: position(), isTransfer: random.below(4) == 0))
    case 3: return .voteReply(VoteReply(term: term, isGranted: random.below(4) != 0))
    case 4:
      let (received, durable) = acknowledged()
      return .appendReply(AppendReply(term: term, received: received, durable: durable))
    case 5: return .appendRejection(AppendRejection(term: term, rejected: offset(), hint: position()))
    case 6:
      let mark = SnapshotMark(state: Offset(9), base: position(), membership: TestNode.three)
      return .snapshotChunk(
        SnapshotChunk(term: term, mark: mark, position: random.below(2) * 4, bytes: Bytes("four"), isLast: random.below(2) == 0))
    case 7: return .snapshotReply(SnapshotReply(term: term, state: offset(), received: random.below(50)))
    case 8:
      let (received, durable) = acknowledged()
      let sentAt = Instant.zero + .milliseconds(random.below(500))
      return .heartbeatReply(HeartbeatReply(term: term, sentAt: sentAt, received: received, durable: durable))
    case 9: return random.below(5) == 0 ? .timeoutNow(term: term) : .heartbeat(Heartbeat(term: term, committed: offset(), sentAt: .zero))
    default:
      let previous = position()
      var bytes = ByteBuffer()
      var last = previous
      for _ in 0..<random.below(4) {
        last = LogPosition(offset: random.below(20) == 0 ? offset() : last.offset.next, term: random.below(20) == 0 ? old() : max(last.term, old()))
        bytes.append(TestNode.entries([""], from: last.offset, term: last.term))
      }
      return .append(AppendEntries(term: term, previous: previous, entries: bytes.freeze(), committed: offset(), isProbe: random.below(3) == 0))
    }
  }
}
