import Core
import Testing

@testable import Raft

/// While a snapshot takes the log's place.
@Suite("Installing")
struct InstallTests {
  static let mark = SnapshotMark(state: Offset(9), base: LogPosition(offset: Offset(5), term: 1), membership: TestNode.three)
  static let beat = RaftMessage.heartbeat(Heartbeat(term: 1, committed: Offset(7), sentAt: .zero))

  /// Replica 1 has received three entries, knows none of them committed, and has a whole snapshot that its disk is busy with.
  func installing() -> TestNode {
    let node = TestNode.alone([1, 1, 1])
    node.isDiskSlow = true
    let probe = AppendEntries(term: 1, previous: LogPosition(offset: Offset(3), term: 1), entries: Bytes(), committed: .zero)
    _ = node.receive(.append(probe), from: 2)
    let bytes = Bytes(TestNode.snapshotBytes(0))
    let chunk = SnapshotChunk(term: 1, mark: Self.mark, position: 0, bytes: bytes, isLast: true)
    _ = node.receive(.snapshotChunk(chunk), from: 2)
    return node
  }

  @Test("Nothing is committed in a log that is about to go")
  func commitsNothing() {
    let node = installing()
    #expect(node.receive(Self.beat, from: 2).committed == nil)
    #expect(node.machine.committed == .zero)
    node.completeLog(at: .zero + .milliseconds(2))
    #expect(node.output.committed == Offset(5) && node.machine.base == Self.mark.base)
  }

  @Test("A new leader's beat, its entries and another snapshot wait; what was begun is installed")
  func waits() {
    let node = installing()
    let entries = TestNode.entries(["a"], from: Offset(4), term: 2)
    let append = AppendEntries(
      term: 2, previous: LogPosition(offset: Offset(3), term: 1), entries: entries, committed: Offset(4))
    #expect(node.receive(.append(append), from: 3).writes.isEmpty)
    var other = Self.mark
    other.state = Offset(11)
    let chunk = SnapshotChunk(term: 2, mark: other, position: 0, bytes: Bytes("x"), isLast: false)
    #expect(node.receive(.snapshotChunk(chunk), from: 3).snapshotPieces.isEmpty)
    while node.disk.completeHardState() != nil {}
    node.completeLog(at: .zero + .milliseconds(3))
    #expect(node.machine.base == Self.mark.base && node.machine.term == 2 && node.machine.leader == NodeID(3))
  }

  @Test("A disk that cannot take it leaves the log as it was, and the leader may begin again")
  func refused() {
    let node = installing()
    node.machine.snapshotRefused(Self.mark)
    #expect(node.receive(Self.beat, from: 2).committed == Offset(3))
    let chunk = SnapshotChunk(term: 1, mark: Self.mark, position: 0, bytes: Bytes("x"), isLast: false)
    let output = node.receive(.snapshotChunk(chunk), from: 2)
    #expect(output.messages.map(\.message) == [.snapshotReply(SnapshotReply(term: 1, state: Offset(9), received: 1))])
  }
}
