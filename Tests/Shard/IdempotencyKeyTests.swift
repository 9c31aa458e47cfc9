import Core
import Feeds
import Testing

@testable import Shard

@Suite struct IdempotencyKeyTests {
  private func use(_ state: ShardState, _ topic: String, _ key: String, at time: Int64) -> UInt64? {
    var name: [UInt8] = []
    Bytes(topic).withUnsafeBytes { topic in Bytes(key).withUnsafeBytes { IdempotencyKeys.name(topic: topic, key: $0, into: &name) } }
    return state.keys.use(name, at: WallTime(milliseconds: time))?.offset.value
  }

  @Test("A key counts for ten minutes of the records' own time and belongs to its topic")
  func window() throws {
    var log = LogWriter()
    var state = ShardState()
    let start = log.time.milliseconds
    try state.take(log.record("a", key: "k"))
    #expect(use(state, "a", "k", at: start + IdempotencyKeys.ofPublishers.windowMilliseconds - 1) == 1)
    #expect(use(state, "a", "k", at: start + IdempotencyKeys.ofPublishers.windowMilliseconds) == nil)
    #expect(use(state, "b", "k", at: start) == nil)
    #expect(use(state, "ak", "", at: start) == nil)
    // A later record, with or without a key, makes room.
    log.time.milliseconds += IdempotencyKeys.ofPublishers.windowMilliseconds
    try state.take(log.record("a"))
    #expect(state.keys.count == 0)
  }

  @Test("Past the largest number of keys the oldest goes first")
  func bound() throws {
    var log = LogWriter()
    var state = ShardState()
    for number in 0..<IdempotencyKeys.ofPublishers.count + 100 { try state.take(log.record("a", key: "\(number)")) }
    #expect(state.keys.count == IdempotencyKeys.ofPublishers.count)
    let now = log.time.milliseconds
    #expect(use(state, "a", "99", at: now) == nil)
    #expect(use(state, "a", "100", at: now) == 101)
    #expect(use(state, "a", "\(IdempotencyKeys.ofPublishers.count + 99)", at: now) != nil)
  }

  @Test("Past the largest number of bytes the oldest goes first")
  func byteBound() throws {
    var log = LogWriter()
    var state = ShardState()
    let long = String(repeating: "k", count: 60_000)
    let fitting = IdempotencyKeys.ofPublishers.bytes / 60_003
    for number in 0..<fitting + 5 { try state.take(log.record("a", key: long + "\(number % 10)\(number)")) }
    #expect(state.keys.count <= fitting)
    #expect(state.keys.count >= fitting - 5)
  }

  @Test("Keys that edges give are kept apart, and push out none of a publisher's")
  func keysOfEdges() throws {
    var log = LogWriter()
    var state = ShardState()
    var keys = RetryKey(edge: 7)
    // The writer takes text: those of the keys that are.
    func next() -> String {
      while true {
        let key = keys.withNext { String(decoding: $0, as: UTF8.self) }
        if key.utf8.count == RetryKey.length { return key }
      }
    }
    try state.take(log.record("a", key: "k"))
    let first = next()
    let start = log.time.milliseconds
    try state.take(log.record("a", key: first))
    #expect(use(state, "a", first, at: start + IdempotencyKeys.ofEdges.windowMilliseconds - 1) == 2)
    for _ in 0..<IdempotencyKeys.ofPublishers.count { try state.take(log.record("a", key: next())) }
    #expect(use(state, "a", "k", at: log.time.milliseconds) == 1)
    #expect(use(state, "a", first, at: log.time.milliseconds) == nil)
    #expect(state.keys.count == IdempotencyKeys.ofEdges.count + 1)
    log.time.milliseconds += IdempotencyKeys.ofEdges.windowMilliseconds
    try state.take(log.record("a"))
    #expect(state.keys.count == 0)
  }
}
