import Core
import Feeds
import Testing

@testable import Shard

@Suite struct SnapshotTests {
  private func someState() throws -> (ShardState, LogWriter) {
    var log = LogWriter()
    var state = ShardState()
    for number in 0..<30 {
      try state.take(log.record("room/\(number % 7)", "value \(number)", key: number % 3 == 0 ? "k\(number)" : "", flags: number % 5 == 0 ? .retain : []))
    }
    let cursor = Cursor(cluster: ClusterID(9), positions: [Position(ShardID(1 as UInt16), Offset(4)), Position(ShardID(5 as UInt16), Offset(9))])
    try state.take(log.command([.openConsumer(name: "näme", filters: [try Filter("a/#"), try Filter("b")], cursor: cursor)]))
    return (state, log)
  }

  @Test("A snapshot read back is the same state, in pieces of any size, and goes on the same")
  func roundTrip() throws {
    var (state, log) = try someState()
    let snapshot = state.snapshot()
    for size in [1, 2, 7, 64, 1000, snapshot.count] {
      var decoder = SnapshotDecoder()
      var at = 0
      while at < snapshot.count {
        let piece = snapshot.slice(at..<min(snapshot.count, at + size)).array
        var failure: ShardStateError?
        piece.withUnsafeBytes { do throws(ShardStateError) { try decoder.feed($0) } catch { failure = error } }
        if let failure { throw failure }
        at += size
      }
      var restored = try decoder.finish()
      #expect(restored.snapshot() == snapshot)
      #expect(restored.applied == state.applied)
      #expect(restored.consumers.all == state.consumers.all)
      var copy = log
      try restored.take(copy.record("room/1", "later", key: "k3"))
      #expect(restored.newest("room/1") == 32)
    }
    try state.take(log.record("room/1", "later", key: "k3"))
  }

  @Test("A snapshot encoded in slices while the state goes on is the state of its beginning")
  func slices() throws {
    var (state, log) = try someState()
    let expected = state.snapshot()
    var encoder = SnapshotEncoder(state)
    var buffer = ByteBuffer()
    var slices = 1
    while !encoder.encode(into: &buffer, limit: buffer.count + 100) {
      slices += 1
      try state.take(log.record("room/\(slices % 7)", flags: .retain))
    }
    #expect(slices > 5)
    #expect(buffer.freeze() == expected)
  }

  @Test("A snapshot that was cut anywhere is refused")
  func cut() throws {
    let snapshot = try someState().0.snapshot()
    for length in 0..<snapshot.count {
      #expect(throws: ShardStateError.self) { _ = try ShardState(snapshot: snapshot.slice(0..<length)) }
    }
  }

  @Test("A snapshot with any one bit flipped is refused or read, and never harms")
  func flipped() throws {
    let snapshot = try someState().0.snapshot().array
    for index in snapshot.indices {
      var wrong = snapshot
      wrong[index] ^= 1 << UInt8(index % 8)
      _ = try? ShardState(snapshot: Bytes(wrong))
    }
    var newer = snapshot
    newer[SnapshotFormat.itemHeaderSize] = 9
    #expect(throws: ShardStateError.unknownSnapshotVersion(9)) { _ = try ShardState(snapshot: Bytes(newer)) }
    #expect(throws: ShardStateError.self) { _ = try ShardState(snapshot: Bytes(snapshot + snapshot)) }
  }
}

@Suite struct CountingTests {
  @Test("Messages between two offsets are counted where every topic is wanted, across snapshots too")
  func counting() throws {
    var log = LogWriter()
    var state = ShardState()
    let cursor = Cursor(cluster: ClusterID(9))
    for number in 1...30 {
      if number % 10 == 0 {
        try state.take(log.command([.openConsumer(name: "c\(number)", filters: [try Filter("#")], cursor: cursor)]))
      } else {
        try state.take(log.record("room/\(number % 3)", "\(number)"))
      }
    }
    for state in [state, try ShardState(snapshot: state.snapshot())] {
      for from in 0..<30 {
        for to in from...30 {
          let expected = from == to ? 0 : (from + 1...to).count { $0 % 10 != 0 }
          #expect(state.messages(matching: [try Filter("#")], after: Offset(UInt64(from)), upTo: Offset(UInt64(to))) == UInt64(expected))
        }
      }
      #expect(state.messages(matching: [try Filter("room/+")], after: Offset(3), upTo: Offset(12)) == 8)
      #expect(state.messages(matching: [try Filter("room/1")], after: Offset(3), upTo: Offset(12)) == nil)
    }
  }

  @Test("Beyond its bound the oldest entries are forgotten, and what lies there is unknown rather than wrong")
  func bound() {
    var plain = PlainEntries()
    for number in 1...UInt64(PlainEntries.keptRuns * 3) { plain.note(Offset(number * 2)) }
    #expect(plain.runs.count < PlainEntries.keptRuns * 2)
    #expect(plain.count(after: .zero, upTo: Offset(10)) == nil)
    #expect(plain.count(after: plain.knownAfter, upTo: Offset(plain.knownAfter.value + 4)) == 2)
  }
}
