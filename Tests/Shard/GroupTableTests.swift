import Core
import Feeds
import Testing

@testable import Shard

@Suite("Groups' places in a shard") struct GroupTableTests {
  private let group = GroupName(name: Bytes("workers"), filter: try! Filter("jobs/#"))

  private func range(_ first: UInt64, _ last: UInt64) -> OffsetRange { OffsetRange(first: Offset(first), last: Offset(last)) }

  /// With a group that begins behind the first entry.
  private func begun() throws -> (ShardState, LogWriter) {
    var log = LogWriter()
    var state = ShardState()
    try state.take(log.command([.openGroup(group)]))
    return (state, log)
  }

  @Test("A group begins behind the entry that makes it, and keeps its place when it is opened again")
  func opens() throws {
    var (state, log) = try begun()
    #expect(state.groups[group]?.cursor == Offset(1))
    try state.take(log.record("jobs/1"))
    log.time.milliseconds += 500
    #expect(try state.take(log.command([.openGroup(group)])) == [.done])
    let place = try #require(state.groups[group])
    #expect(place.cursor == Offset(1) && place.created.milliseconds + 500 == place.updated.milliseconds)
    try state.take(log.command([.closeGroup(group)]))
    #expect(state.groups.count == 0)
    try state.take(log.command([.openGroup(group)]))
    #expect(state.groups[group]?.cursor == Offset(5))
  }

  @Test("What is done out of turn is kept as stretches, and the cursor moves over them once what lies before is done")
  func outOfTurn() throws {
    var (state, log) = try begun()
    try state.take(log.command([.acknowledgeGroup(group, [range(4, 5), range(9, 9)])]))
    var place = try #require(state.groups[group])
    #expect(place.cursor == Offset(1) && place.done == [range(4, 5), range(9, 9)])
    #expect([1, 4, 5, 9].allSatisfy { place.isDone(Offset($0)) } && [2, 3, 6, 8, 10].allSatisfy { !place.isDone(Offset($0)) })
    try state.take(log.command([.acknowledgeGroup(group, [range(6, 6), range(8, 12), range(20, 30)])]))
    #expect(state.groups[group]?.done == [range(4, 6), range(8, 12), range(20, 30)])
    try state.take(log.command([.acknowledgeGroup(group, [range(2, 3)])]))
    place = try #require(state.groups[group])
    #expect(place.cursor == Offset(6) && place.done == [range(8, 12), range(20, 30)])
    // Once more, and what is done already, changes nothing.
    try state.take(log.command([.acknowledgeGroup(group, [range(1, 4), range(9, 10)])]))
    #expect(state.groups[group]?.cursor == Offset(6) && state.groups[group]?.done == place.done)
    try state.take(log.command([.acknowledgeGroup(group, [range(7, 7), range(13, 19)])]))
    #expect(state.groups[group]?.cursor == Offset(30) && state.groups[group]?.done == [])
  }

  @Test("Whatever is acknowledged in whatever order: done is what was acknowledged", arguments: 1...50 as ClosedRange<UInt64>)
  func anyOrder(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var (state, log) = try begun()
    var done: Set<UInt64> = [0, 1]
    for _ in 0..<60 {
      var ranges: [OffsetRange] = []
      var at = UInt64(1 + random.below(40))
      for _ in 0..<1 + random.below(3) {
        let last = at + UInt64(random.below(4))
        ranges.append(range(at, last))
        done.formUnion(at...last)
        at = last + 1 + UInt64(random.below(12))
      }
      try state.take(log.command([.acknowledgeGroup(group, ranges)]))
      let place = try #require(state.groups[group])
      for offset in 0...120 as ClosedRange<UInt64> { #expect(place.isDone(Offset(offset)) == done.contains(offset), "seed \(seed), offset \(offset)") }
      #expect(!place.isDone(place.cursor.next))
    }
  }

  @Test("More groups, or more stretches, than a shard keeps are refused, and what is there stays as it is")
  func bounds() throws {
    var (state, log) = try begun()
    var ranges: [OffsetRange] = []
    for number in 1...UInt64(GroupLimits.stretches) { ranges.append(range(number * 2 + 1, number * 2 + 1)) }
    #expect(try state.take(log.command([.acknowledgeGroup(group, ranges)])) == [.done])
    let more = Offset(ranges.last!.last.value + 10)
    #expect(try state.take(log.command([.acknowledgeGroup(group, [OffsetRange(first: more, last: more)])])) == [.refused(.overloaded)])
    #expect(state.groups[group]?.done == ranges)
    for number in 1..<GroupLimits.perShard {
      try state.take(log.command([.openGroup(GroupName(name: Bytes("\(number)"), filter: group.filter))]))
    }
    let last = GroupName(name: Bytes("last"), filter: group.filter)
    #expect(try state.take(log.command([.openGroup(last), .openGroup(group)])) == [.refused(.overloaded), .done])
    #expect(try state.take(log.command([.acknowledgeGroup(last, [range(1, 2)])])) == [.done])
  }

  @Test("A snapshot holds groups, in an order of their own, and reads them back")
  func snapshot() throws {
    var (state, log) = try begun()
    for name in ["b", "a", "größe", ""] { try state.take(log.command([.openGroup(GroupName(name: Bytes(name), filter: try Filter("+/x")))])) }
    try state.take(log.command([.acknowledgeGroup(group, [range(4, 5), range(9, 9)])]))
    let snapshot = state.snapshot()
    let restored = try ShardState(snapshot: snapshot)
    #expect(restored.groups.all == state.groups.all && restored.groups.count == 5)
    #expect(restored.snapshot() == snapshot)
    let bytes = snapshot.array
    for index in bytes.indices {
      var wrong = bytes
      wrong[index] ^= 1 << UInt8(index % 8)
      _ = try? ShardState(snapshot: Bytes(wrong))
    }
    for length in bytes.indices { #expect(throws: ShardStateError.self) { _ = try ShardState(snapshot: snapshot.slice(0..<length)) } }
  }

  @Test("A place that cannot be is refused: stretches that touch the cursor, a group twice")
  func unsound() {
    var table = GroupTable()
    let time = WallTime(milliseconds: 1)
    func place(_ cursor: UInt64, _ done: [OffsetRange]) -> GroupPlace {
      GroupPlace(group: group, cursor: Offset(cursor), done: done, created: time, updated: time)
    }
    let places = [place(4, [range(5, 6)]), place(4, [range(6, 7), range(8, 9)]), place(4, [range(6, 7), range(9, 9)]), place(4, [])]
    let isTaken = places.map { table.restore($0) }
    #expect(isTaken == [false, false, true, false])
  }

  @Test("Commands of groups read back as they were written; cut, out of order or out of bounds they are refused")
  func coding() throws {
    let commands: [ShardCommand] = [
      .openGroup(group), .acknowledgeGroup(group, [range(1, 2), range(9, 9)]), .acknowledgeGroup(group, []), .closeGroup(group),
    ]
    let bytes = encoded(commands)
    #expect(try decoded(bytes) == commands)
    for length in bytes.indices { #expect(throws: ShardStateError.self) { try decoded(Array(bytes[..<length])) } }
    for index in bytes.indices {
      var wrong = bytes
      wrong[index] ^= 0x80
      _ = try? decoded(wrong)
    }
    #expect(throws: ShardStateError.malformedCommand("stretches out of order")) {
      try decoded(encoded([.acknowledgeGroup(group, [range(9, 9), range(1, 2)])]))
    }
    #expect(throws: ShardStateError.malformedCommand("an offset that no log has")) {
      try decoded(encoded([.acknowledgeGroup(group, [range(.max, .max)])]))
    }
    let long = GroupName(name: Bytes([UInt8](repeating: 97, count: GroupLimits.nameBytes + 1)), filter: group.filter)
    #expect(throws: ShardStateError.self) { try decoded(encoded([.openGroup(long)])) }
  }

  private func encoded(_ commands: [ShardCommand]) -> [UInt8] {
    var buffer = ByteBuffer()
    ShardCommand.encode(commands, into: &buffer)
    return buffer.freeze().array
  }

  private func decoded(_ bytes: [UInt8]) throws -> [ShardCommand] { try bytes.withUnsafeBytes { try ShardCommand.decode($0) } }
}
