import Core
import Testing

@testable import Node

@Suite("Shards without a majority") struct MajorityWatchTests {
  private let shards = [ShardID(3), ShardID(1)]

  @Test("A loss is told once, after the time that elections take, and so is its end")
  func once() {
    var watch = MajorityWatch()
    var lost: [[ShardID]] = []
    for second in 0..<10 { lost.append(watch.look(leaderless: shards, at: .zero + .seconds(second)).lost) }
    #expect(lost == [[], [], [], [ShardID(1), ShardID(3)]] + Array(repeating: [], count: 6))
    let part = watch.look(leaderless: [ShardID(1)], at: .zero + .seconds(11))
    #expect(part.lost.isEmpty && part.regained == [ShardID(3)])
    let rest = watch.look(leaderless: [], at: .zero + .seconds(12))
    #expect(rest.lost.isEmpty && rest.regained == [ShardID(1)])
  }

  @Test("An election is no loss, and a leader in between begins the time anew")
  func elections() {
    var watch = MajorityWatch()
    for second in 0..<20 {
      let (lost, regained) = watch.look(leaderless: second % 3 == 2 ? [] : shards, at: .zero + .seconds(second))
      #expect(lost.isEmpty && regained.isEmpty)
    }
  }
}
