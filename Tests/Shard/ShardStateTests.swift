import Core
import Feeds
import Testing

@testable import Shard

@Suite struct ShardStateTests {
  @Test("A state driven by a random log agrees with a naive model, and so does one restored half way", arguments: [1, 2, 3, 4, 5] as [UInt64])
  func model(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var log = LogWriter()
    var state = ShardState()
    var newest: [String: UInt64] = [:]
    var counts: [String: UInt32] = [:]
    var retained: [String: Bytes] = [:]
    var cursors: [String: UInt64] = [:]
    let cluster = ClusterID(7)
    for step in 0..<2000 {
      log.time.milliseconds += Int64(random.below(50))
      if random.below(10) == 0 {
        let name = "c\(random.below(5))"
        let place = UInt64(random.below(1000))
        let cursor = Cursor(cluster: cluster, positions: [Position(ShardID(3 as UInt16), Offset(place))])
        switch random.below(4) {
        case 0:
          let outcome = try state.take(log.command([.openConsumer(name: name, filters: [try Filter("a/#")], cursor: cursor)]))
          if cursors[name] == nil { cursors[name] = place }
          guard case .consumer(let consumer) = outcome[0] else { Issue.record("not opened, seed \(seed)"); return }
          #expect(consumer.cursor[ShardID(3 as UInt16)].value == cursors[name])
        case 1, 2:
          let reset = random.below(4) == 0
          let outcome = try state.take(log.command([.acknowledge(name: name, cursor: cursor, reset: reset)]))
          if let known = cursors[name] {
            cursors[name] = reset ? place : max(known, place)
            guard case .consumer = outcome[0] else { Issue.record("not acknowledged, seed \(seed)"); return }
          } else {
            #expect(outcome == [.refused(.noSuchConsumer)])
          }
        default:
          let outcome = try state.take(log.command([.deleteConsumer(name: name)]))
          if cursors.removeValue(forKey: name) == nil { #expect(outcome == [.refused(.noSuchConsumer)]) }
        }
      } else {
        let topic = "a/\(random.below(40))"
        let flags: RecordFlags = [[], [.retain], [.clear], []][random.below(4)]
        let entry = log.record(topic, "\(step)", flags: flags)
        try state.take(entry)
        newest[topic] = UInt64(log.entries.count)
        counts[topic, default: 0] += 1
        if flags.contains(.retain) { retained[topic] = entry }
        if flags.contains(.clear) { retained[topic] = nil }
      }
      if step == 1000 { state = try ShardState(snapshot: state.snapshot()) }
    }
    #expect(state.topics.count == newest.count)
    for (topic, offset) in newest {
      #expect(state.newest(topic) == offset)
      #expect(Bytes(topic).withUnsafeBytes { state.topics.head($0)?.count } == counts[topic])
      #expect(state.retained(topic) == retained[topic])
    }
    #expect(state.topics.retainedCount == retained.count)
    #expect(state.topics.retainedBytes == retained.values.reduce(0) { $0 + $1.count })
    #expect(state.consumers.all.map(\.name) == cursors.keys.sorted())
    for (name, place) in cursors { #expect(state.consumers[name]?.cursor[ShardID(3 as UInt16)].value == place) }

    var replayed = ShardState()
    for entry in log.entries { try replayed.take(entry) }
    #expect(replayed.snapshot() == state.snapshot(), "seed \(seed)")
  }

  @Test("An entry that does not go on where the last one ended is refused and changes nothing")
  func order() throws {
    var log = LogWriter()
    var state = ShardState()
    _ = log.record("a")
    let second = log.record("a")
    #expect(throws: ShardStateError.outOfOrder(expected: Offset(1), found: Offset(2))) { try state.take(second) }
    #expect(state.applied == .zero)
    #expect(state.topics.count == 0)
  }

  @Test("A current value that outlived its time to live is no current value")
  func expiredRetained() throws {
    var log = LogWriter()
    var state = ShardState()
    try state.take(log.record("a/b", "old", flags: .retain, timeToLive: 1000))
    try state.take(log.record("a/c", "kept", flags: .retain))
    let filters = [try Filter("a/+")]
    let start = log.time
    let before = state.topics.currentValues(matching: filters, at: WallTime(milliseconds: start.milliseconds + 999))
    let after = state.topics.currentValues(matching: filters, at: WallTime(milliseconds: start.milliseconds + 1000))
    #expect(before.map(\.payloadText) == ["old", "kept"])
    #expect(after.map(\.payloadText) == ["kept"])
    let exact = state.topics.currentValues(matching: [try Filter("a/b"), try Filter("a/c"), try Filter("a/c")], at: start)
    #expect(exact.map(\.payloadText) == ["old", "kept"])
  }

  @Test("Topics matching several filters come once each")
  func matching() throws {
    var log = LogWriter()
    var state = ShardState()
    for topic in ["a/1", "a/2", "b/1", "c"] { try state.take(log.record(topic)) }
    let found = state.topics.indices(matching: [try Filter("a/1"), try Filter("a/#"), try Filter("+/1"), try Filter("none")])
    let names = found.map { index in state.topics.withTopic(at: index) { String(decoding: $0, as: UTF8.self) } }
    #expect(names.sorted() == ["a/1", "a/2", "b/1"])
  }

  @Test("Topics that retention has emptied are forgotten, those with a current value or newer messages are not")
  func forgetting() throws {
    var log = LogWriter()
    var state = ShardState()
    try state.take(log.record("old"))
    try state.take(log.record("kept", flags: .retain))
    try state.take(log.record("both"))
    try state.take(log.record("both"))
    try state.take(log.command([.forgetTopics(before: Offset(4))]))
    #expect(state.topics.count == 2)
    #expect(state.newest("old") == 0)
    #expect(state.newest("kept") == 2)
    #expect(state.newest("both") == 4)
    #expect(!state.isForgetting)
    #expect(state.mayHaveForgotten(after: .zero))
    #expect(!state.mayHaveForgotten(after: Offset(1)))
  }

  @Test("Forgetting many topics takes several commands and comes to the same")
  func forgettingInParts() throws {
    var log = LogWriter()
    var state = ShardState()
    let count = ShardCommand.topicsForgottenAtOnce + 10
    for number in 0..<count { try state.take(log.record("t/\(number)", flags: number % 2 == 0 ? .retain : [])) }
    try state.take(log.command([.forgetTopics(before: log.next)]))
    #expect(state.isForgetting)
    state = try ShardState(snapshot: state.snapshot())
    #expect(state.isForgetting)
    var commands = 1
    while state.isForgetting {
      try state.take(log.command([.forgetTopics(before: log.next)]))
      commands += 1
    }
    #expect(commands == 2)
    #expect(state.topics.count == count / 2)
  }

  @Test("Topics with something new are found, each once, and looking ends where there are more than asked for")
  func newestMatching() throws {
    var log = LogWriter()
    var state = ShardState()
    for number in 0..<50 { try state.take(log.record("t/\(number)")) }
    func found(_ filters: [String], after: UInt64, atMost: Int = 100) throws -> [UInt64]? {
      state.topics.newest(matching: try filters.map { try Filter($0) }, after: Offset(after), atMost: atMost)?.map(\.value)
    }
    #expect(try found(["t/+"], after: 47) == [48, 49, 50])
    #expect(try found(["t/+", "t/48", "#"], after: 47) == [48, 49, 50])
    #expect(try found(["t/48", "t/48", "none"], after: 47) == [49])
    #expect(try found(["t/48"], after: 49) == [])
    #expect(try found(["none/+"], after: 0) == [])
    #expect(try found(["t/+"], after: 47, atMost: 3) == [48, 49, 50])
    #expect(try found(["t/+"], after: 47, atMost: 2) == nil)
    #expect(try found(["t/1", "t/2"], after: 0, atMost: 1) == nil)
  }
}
