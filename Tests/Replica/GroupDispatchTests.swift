import Core
import Feeds
import Testing

@testable import Replica
@testable import Shard

@Suite("Who has which message of a group") struct GroupDispatchTests {
  private func join(_ opening: UInt64, _ members: Int = 1, credit: Int = 256, holding: [UInt64] = []) -> GroupMembership {
    GroupMembership(opening: opening, members: members, credit: credit, holding: holding.map { Offset($0) })
  }

  @Test("Edges take turns, one message each, by how many members they have")
  func turns() {
    let leader = Leader()
    leader.join(EdgeID(1), join(1))
    leader.join(EdgeID(2), join(2))
    leader.join(EdgeID(3), join(3, 2))
    let given = leader.give(upTo: 40)
    #expect(given.mapValues(\.count) == [1: 10, 2: 10, 3: 20])
    #expect(zip(given[1]!, given[1]!.dropFirst()).allSatisfy { $1 - $0 <= 5 })
    #expect(leader.dispatch.members == 4)
  }

  @Test("An edge has no more out than its credit in messages and bytes; what it acknowledges makes room")
  func credit() {
    let leader = Leader()
    leader.join(EdgeID(1), join(1, credit: 3))
    #expect(leader.give(upTo: 10) == [1: [1, 2, 3]])
    #expect(!leader.dispatch.canGive)
    leader.acknowledge([Offset(2)])
    #expect(leader.give(upTo: 10) == [1: [4]])
    leader.join(EdgeID(2), join(2))
    #expect(leader.meet(Offset(5), bytes: GroupLimits.creditBytes, isDone: false) == .give(EdgeID(2)))
    #expect(leader.meet(Offset(6), bytes: 1, isDone: false) == .wait)
    leader.acknowledge([Offset(5)])
    #expect(leader.meet(Offset(6), bytes: 1, isDone: false) == .give(EdgeID(2)))
    // An edge that takes nothing now has no credit, and is a member all the same.
    leader.join(EdgeID(2), join(2, credit: 0))
    #expect(!leader.dispatch.canGive && leader.dispatch.members == 2)
  }

  @Test("No more is out than a group may have, whatever the edges would take")
  func pendingBound() {
    let leader = Leader()
    for edge in 1...8 as ClosedRange<UInt32> { leader.join(EdgeID(edge), join(UInt64(edge))) }
    let given = leader.give(upTo: 5000)
    #expect(given.values.reduce(0) { $0 + $1.count } == GroupLimits.pending)
    #expect(!leader.dispatch.canGive)
    leader.forget(EdgeID(1))
    #expect(leader.dispatch.canGive)
    #expect(leader.give(upTo: 5000).values.reduce(0) { $0 + $1.count } == given[1]!.count)
  }

  @Test("What a lost edge had goes to the others, first of all and in order; what it had acknowledged does not")
  func death() {
    let leader = Leader()
    leader.join(EdgeID(1), join(1, credit: 3))
    leader.join(EdgeID(2), join(2))
    let first = leader.give(upTo: 6)
    #expect(first == [1: [1, 3, 5], 2: [2, 4, 6]])
    leader.acknowledge([Offset(3)])
    leader.forget(EdgeID(1))
    #expect(leader.give(upTo: 8) == [2: [1, 5, 7, 8]])
  }

  @Test("What is released is given out again, and only that; of an opening that is over nothing is")
  func release() {
    let leader = Leader()
    leader.join(EdgeID(1), join(1))
    #expect(leader.give(upTo: 4) == [1: [1, 2, 3, 4]])
    leader.release(EdgeID(1), opening: 9, [Offset(2)])
    #expect(leader.give(upTo: 4).isEmpty)
    leader.join(EdgeID(2), join(2))
    leader.release(EdgeID(1), opening: 1, [Offset(2), Offset(3)])
    #expect(!leader.leave(EdgeID(1), opening: 9))
    #expect(leader.leave(EdgeID(1), opening: 1))
    #expect(leader.give(upTo: 5) == [2: [2, 3, 5]])
    leader.acknowledge([Offset(1), Offset(4)])
    #expect(leader.dispatch.holders.map(\.edge) == [EdgeID(2)])
  }

  @Test("An edge that begins anew keeps what it says it holds, and the rest is given out again")
  func rejoin() {
    let leader = Leader()
    leader.join(EdgeID(1), join(1))
    #expect(leader.give(upTo: 4) == [1: [1, 2, 3, 4]])
    leader.join(EdgeID(1), join(7, holding: [3]))
    #expect(leader.give(upTo: 5) == [1: [1, 2, 4, 5]])
    leader.join(EdgeID(1), join(7, 3))
    #expect(leader.give(upTo: 5).isEmpty)
    #expect(leader.dispatch.holders[0].count == 5 && leader.dispatch.members == 3)
  }

  @Test("A new leader gives out neither what is done nor what edges hold, and takes what they acknowledge before it comes by")
  func newLeader() {
    let leader = Leader()
    leader.acknowledge([Offset(12)])
    leader.join(EdgeID(1), join(1, holding: [4, 11, 15]))
    leader.begin(after: Offset(10))
    #expect(leader.dispatch.pending.map(\.offset) == [Offset(11), Offset(15)])
    var given: [UInt64] = []
    for offset in 11...16 as ClosedRange<UInt64> {
      if leader.meet(Offset(offset), bytes: 1, isDone: offset == 13) == .give(EdgeID(1)) { given.append(offset) }
    }
    #expect(given == [14, 16])
    leader.acknowledge([15, 14].map { Offset($0) })
    #expect(leader.takeDone(cursor: Offset(10)) == [OffsetRange(first: Offset(12), last: Offset(15))])
  }

  @Test("What is done takes with it what nobody wants around it, up to the next that is not done")
  func stretches() {
    let leader = Leader()
    leader.join(EdgeID(1), join(1))
    _ = leader.give(upTo: 50) { $0 % 10 == 5 }
    leader.acknowledge([Offset(25), Offset(35)])
    #expect(leader.takeDone(cursor: .zero) == [OffsetRange(first: Offset(16), last: Offset(44))])
    leader.acknowledge([Offset(45)])
    #expect(leader.takeDone(cursor: .zero) == [OffsetRange(first: Offset(16), last: Offset(50))])
    #expect(leader.dispatch.idleStretch(cursor: .zero) == OffsetRange(first: Offset(1), last: Offset(4)))
    leader.acknowledge([Offset(5), Offset(15)])
    #expect(leader.takeDone(cursor: .zero) == [OffsetRange(first: Offset(1), last: Offset(50))])
    #expect(leader.takeDone(cursor: Offset(50)).isEmpty)
  }

  @Test("What expires before it is given out again is done; what retention took is lost, and known to be")
  func gone() {
    let leader = Leader()
    leader.join(EdgeID(1), join(1))
    _ = leader.give(upTo: 4)
    leader.forget(EdgeID(1))
    leader.join(EdgeID(2), join(2))
    #expect(leader.meet(Offset(3), bytes: 1, isDone: false) == .give(EdgeID(2)))
    #expect(leader.takeDone(cursor: .zero) == [OffsetRange(first: Offset(1), last: Offset(2))])
    #expect(leader.lose(upTo: Offset(4)))
    #expect(!leader.lose(upTo: Offset(4)))
    #expect(leader.lose(upTo: Offset(9)))
    #expect(leader.dispatch.at == Offset(9) && leader.dispatch.pending.map(\.offset) == [Offset(3)])
  }

  @Test("Whatever edges and leaders do, nothing is lost, and nothing given twice while its holder lives", arguments: 1...150 as ClosedRange<UInt64>)
  func storm(seed: UInt64) { GroupStorm(seed: seed).run() }
}

/// A dispatch, and a log in which every offset is wanted.
private final class Leader {
  var dispatch = GroupDispatch()

  func join(_ edge: EdgeID, _ membership: GroupMembership) { dispatch.join(edge, membership) }
  func leave(_ edge: EdgeID, opening: UInt64) -> Bool { dispatch.leave(edge, opening: opening) }
  func forget(_ edge: EdgeID) { dispatch.forget(edge) }
  func release(_ edge: EdgeID, opening: UInt64, _ offsets: [Offset]) { dispatch.release(edge, opening: opening, offsets) }
  func acknowledge(_ offsets: [Offset]) { dispatch.acknowledge(offsets) }
  func begin(after cursor: Offset) { dispatch.begin(after: cursor) }
  func meet(_ offset: Offset, bytes: Int, isDone: Bool) -> GroupDispatch.Verdict { dispatch.meet(offset, bytes: bytes, isDone: isDone) }
  func lose(upTo offset: Offset) -> Bool { dispatch.lose(upTo: offset) }
  func takeDone(cursor: Offset) -> [OffsetRange] { dispatch.takeDone(cursor: cursor) }

  /// Gives out all there is.
  func give(upTo end: UInt64, wanted: (UInt64) -> Bool = { _ in true }) -> [UInt32: [UInt64]] {
    var given: [UInt32: [UInt64]] = [:]
    for offset in dispatch.at.value + 1..<end + 1 where wanted(offset) {
      switch meet(Offset(offset), bytes: 100, isDone: false) {
      case .give(let edge): given[edge.value, default: []].append(offset)
      case .pass: break
      case .wait: return given
      }
    }
    dispatch.reachEnd(Offset(end))
    return given
  }
}

/// Edges, leaders and a log that do as a seed says; the places are those of a table, as replicas have it.
private final class GroupStorm {
  struct Edge {
    var opening: UInt64
    var holding: Set<UInt64> = []
    var isJoined = true
  }

  let seed: UInt64
  var random: SeededGenerator
  let group = GroupName(name: Bytes("g"), filter: try! Filter("#"))
  var table = GroupTable()
  var dispatch = GroupDispatch()
  var edges: [UInt32: Edge] = [:]
  var wanted: Set<UInt64> = []
  var done: Set<UInt64> = []
  var end: UInt64 = 0
  var lastEdge: UInt32 = 0
  var given = 0

  init(seed: UInt64) {
    self.seed = seed
    random = SeededGenerator(seed: seed)
    _ = table.open(group, at: .zero, WallTime(milliseconds: 0))
  }

  func run() {
    for _ in 0..<400 { step() }
    // All that still live acknowledge all they have.
    join()
    for _ in 0..<1000 where done != wanted {
      giveOut()
      for number in edges.keys.sorted() { acknowledge(number, Array(edges[number]!.holding)) }
    }
    write()
    #expect(done == wanted, "seed \(seed): lost \(wanted.subtracting(done).sorted())")
    #expect(table[group]!.cursor == Offset(end) || wanted.isEmpty, "seed \(seed)")
    #expect(given >= wanted.count)
  }

  private func step() {
    let numbers = edges.keys.sorted()
    switch random.below(12) {
    case 0, 1, 2:
      for _ in 0..<random.below(6) {
        end += 1
        if random.below(3) > 0 { wanted.insert(end) }
      }
    case 3: if edges.count < 4 { join() }
    case 4 where !numbers.isEmpty:
      let gone = numbers[random.below(numbers.count)]
      edges[gone] = nil
      dispatch.forget(EdgeID(gone))
    case 5 where !numbers.isEmpty:
      let number = numbers[random.below(numbers.count)]
      let back = edges[number]!.holding.sorted().filter { _ in random.below(2) == 0 }
      edges[number]!.holding.subtract(back)
      dispatch.release(EdgeID(number), opening: edges[number]!.opening, back.map { Offset($0) })
    case 6 where !numbers.isEmpty, 7 where !numbers.isEmpty:
      let number = numbers[random.below(numbers.count)]
      acknowledge(number, edges[number]!.holding.sorted().filter { _ in random.below(3) > 0 })
    case 8: write()
    case 9 where random.below(4) == 0: changeLeader()
    case 10 where !numbers.isEmpty:
      let number = numbers[random.below(numbers.count)]
      edges[number]!.opening += 1 << 32
      join(number)
    default: giveOut()
    }
  }

  private func join() {
    lastEdge += 1
    edges[lastEdge] = Edge(opening: UInt64(lastEdge))
    join(lastEdge)
  }

  private func join(_ number: UInt32) {
    let edge = edges[number]!
    let membership = GroupMembership(
      opening: edge.opening, members: 1 + random.below(3), credit: 1 + random.below(12), holding: edge.holding.sorted().map { Offset($0) })
    dispatch.join(EdgeID(number), membership)
  }

  private func giveOut() {
    let place = table[group]!
    guard dispatch.at.value < end else { return }
    for offset in dispatch.at.value + 1...end where wanted.contains(offset) {
      switch dispatch.meet(Offset(offset), bytes: 1, isDone: place.isDone(Offset(offset))) {
      case .wait: return
      case .pass: continue
      case .give(let edge):
        given += 1
        #expect(!done.contains(offset), "seed \(seed): \(offset) was done")
        for (number, other) in edges { #expect(!other.holding.contains(offset), "seed \(seed): \(offset) is at \(number)") }
        edges[edge.value]!.holding.insert(offset)
      }
    }
    dispatch.reachEnd(Offset(end))
  }

  private func acknowledge(_ number: UInt32, _ offsets: [UInt64]) {
    edges[number]!.holding.subtract(offsets)
    done.formUnion(offsets)
    dispatch.acknowledge(offsets.map { Offset($0) })
  }

  private func write() {
    let ranges = dispatch.takeDone(cursor: table[group]!.cursor)
    for range in ranges {
      for offset in range.first.value...range.last.value where wanted.contains(offset) { #expect(done.contains(offset), "seed \(seed): \(offset) is not done") }
    }
    #expect(table.acknowledge(group, ranges, WallTime(milliseconds: 0)) == .done)
    if let idle = dispatch.idleStretch(cursor: table[group]!.cursor) { #expect(table.acknowledge(group, [idle], WallTime(milliseconds: 0)) == .done) }
  }

  /// What was acknowledged and not written is acknowledged again, to whoever leads now, before anything is given out.
  private func changeLeader() {
    let unwritten = dispatch.acknowledged
    dispatch = GroupDispatch()
    if random.below(2) == 0 { dispatch.begin(after: table[group]!.cursor) }
    dispatch.acknowledge(unwritten)
    for number in edges.keys.sorted() {
      edges[number]!.opening += 1 << 32
      join(number)
    }
    dispatch.begin(after: table[group]!.cursor)
  }
}
