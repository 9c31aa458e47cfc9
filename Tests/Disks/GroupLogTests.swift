import Core
import Journal
import Testing

@testable import Disks

@Suite struct GroupLogTests {
  /// What is wrong after the power went at that operation of the seed's life, and at another of its second one.
  private func complaint(seed: UInt64, cutAt: Int?, mistake: Platter.Mistake? = nil, work: GroupLogLives.Work = .init()) -> (String?, Int) {
    let lives = GroupLogLives(seed: seed)
    lives.work = work
    lives.platter.mistake = mistake
    lives.platter.cut()
    lives.platter.cutAt = cutAt
    lives.write(rounds: 14, endsOrderly: seed.isMultiple(of: 2))
    let operations = lives.platter.operations
    if let found = lives.recover() { return (found, operations) }
    lives.platter.cutAt = cutAt
    lives.write(rounds: 5)
    return (lives.recover(), operations)
  }

  @Test("Whatever was answered is there after the power went, at any operation and again during the replay", arguments: 1...10 as ClosedRange<UInt64>)
  func cutAnywhere(seed: UInt64) {
    let (whole, operations) = complaint(seed: seed, cutAt: nil)
    #expect(whole == nil, "seed \(seed)")
    #expect(operations > 100)
    for operation in 1...operations {
      let (found, _) = complaint(seed: seed, cutAt: operation)
      #expect(found == nil, "seed \(seed), operation \(operation)")
      if found != nil { return }
    }
  }

  @Test("Whatever was answered is there after one operation failed, work went on, and the power went", arguments: 1...8 as ClosedRange<UInt64>)
  func failAnywhere(seed: UInt64) {
    let (_, operations) = complaint(seed: seed, cutAt: nil)
    for operation in 1...operations {
      let lives = GroupLogLives(seed: seed)
      lives.platter.cut()
      lives.platter.failAt = operation
      lives.write(rounds: 14, endsOrderly: seed.isMultiple(of: 2))
      let found = lives.recover()
      #expect(found == nil, "seed \(seed), operation \(operation)")
      if found != nil { return }
    }
  }

  @Test("Each mistake that loses what was answered is noticed", arguments: Platter.Mistake.allCases)
  func mistakes(mistake: Platter.Mistake) {
    // Rounds that all go to the log, so that it is the checkpoint's or the log's own sync that counts.
    let work = GroupLogLives.Work(remakes: false, lonely: false)
    for seed in 1...20 as ClosedRange<UInt64> {
      #expect(complaint(seed: seed, cutAt: 100, work: work).0 == nil)
    }
    let isNoticed = (1...20 as ClosedRange<UInt64>).contains { seed in
      (20...120).contains { complaint(seed: seed, cutAt: $0, mistake: mistake, work: work).0 != nil }
    }
    #expect(isNoticed)
  }

  @Test("A write that goes past the log to a file in it is lost to the replay, and that is noticed")
  func pastTheLog() {
    let isNoticed = (1...20 as ClosedRange<UInt64>).contains { seed in
      let lives = GroupLogLives(seed: seed)
      lives.work = .init(remakes: false, lonely: false)
      lives.write(rounds: 3)
      lives.writePastTheLog()
      return lives.recover() != nil
    }
    #expect(isNoticed)
  }
}
