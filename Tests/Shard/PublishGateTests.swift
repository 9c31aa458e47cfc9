import Core
import Feeds
import Testing

@testable import Shard

@Suite struct PublishGateTests {
  private func admit(
    _ gate: inout PublishGate, _ state: ShardState, _ record: Bytes, at offset: UInt64, head: UInt64? = nil, time: WallTime
  ) -> PublishGate.Decision {
    record.withUnsafeBytes {
      gate.admit(
        RecordView(trusting: $0.baseAddress!), expectedHead: head.map { Offset($0) }, at: Offset(offset), time: time, over: state)
    }
  }

  @Test("What is appended and not committed counts: previous offsets, keys and conditions")
  func speculative() throws {
    var drafts = LogWriter()
    let time = drafts.time
    let plain = drafts.record("a")
    let keyed = drafts.record("a", key: "k")
    var gate = PublishGate()
    let state = ShardState()
    #expect(admit(&gate, state, plain, at: 1, time: time) == .accept(previous: .zero))
    #expect(admit(&gate, state, keyed, at: 2, time: time) == .accept(previous: Offset(1)))
    #expect(admit(&gate, state, keyed, at: 3, time: time) == .duplicate(.init(offset: Offset(2), time: time)))
    #expect(admit(&gate, state, plain, at: 3, head: 1, time: time) == .headMoved(Offset(2)))
    #expect(admit(&gate, state, plain, at: 3, head: 2, time: time) == .accept(previous: Offset(2)))
    // Who repeats a conditional publish that went through learns that it did.
    #expect(admit(&gate, state, keyed, at: 4, head: 1, time: time) == .duplicate(.init(offset: Offset(2), time: time)))
    gate.reset()
    #expect(admit(&gate, state, plain, at: 1, head: 0, time: time) == .accept(previous: .zero))
  }

  @Test("A condition on a topic without messages is 0; a refused one leaves nothing behind")
  func emptyTopic() throws {
    var drafts = LogWriter()
    let time = drafts.time
    let record = drafts.record("new")
    var gate = PublishGate()
    let state = ShardState()
    #expect(admit(&gate, state, record, at: 1, head: 5, time: time) == .headMoved(.zero))
    #expect(admit(&gate, state, record, at: 1, head: 0, time: time) == .accept(previous: .zero))
  }

  @Test("Whatever lags between append and commit, decisions are those of an immediate commit", arguments: [11, 12, 13, 14] as [UInt64])
  func lag(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var gate = PublishGate()
    var state = ShardState()
    var log = LogWriter()
    var heads: [String: UInt64] = [:]
    var uses: [String: UInt64] = [:]
    var committed = 0
    for _ in 0..<3000 {
      if random.below(3) == 0 {
        let upTo = committed + random.below(log.entries.count - committed + 1)
        for entry in log.entries[committed..<upTo] { try state.take(entry) }
        committed = upTo
        gate.applied(upTo: Offset(UInt64(committed)))
      }
      let topic = "t\(random.below(20))"
      let key = random.below(3) == 0 ? "k\(random.below(30))" : ""
      let expected: UInt64? = random.below(4) == 0 ? [heads[topic] ?? 0, UInt64(random.below(100))][random.below(2)] : nil
      var scratch = log
      let draft = scratch.record(topic, key: key)
      let decision = admit(&gate, state, draft, at: log.next.value, head: expected, time: log.time)
      if !key.isEmpty, let first = uses[topic + " " + key] {
        #expect(decision == .duplicate(.init(offset: Offset(first), time: log.time)), "seed \(seed)")
      } else if let expected, expected != heads[topic] ?? 0 {
        #expect(decision == .headMoved(Offset(heads[topic] ?? 0)), "seed \(seed)")
      } else {
        #expect(decision == .accept(previous: Offset(heads[topic] ?? 0)), "seed \(seed)")
        heads[topic] = log.next.value
        if !key.isEmpty { uses[topic + " " + key] = log.next.value }
        log = scratch
      }
    }
  }
}
