import Core
import Foundation
import Testing

@testable import Raft

@Suite("A cluster of five, explored at random")
struct ExplorationTests {
  /// Twenty groups of ten seeds of five thousand steps: a million steps in all.
  static let groups = 0..<20
  static let seedsPerGroup = 10
  static let stepsPerSeed = 5000

  @Test("Whatever is lost, delayed, doubled, cut off or crashed, the invariants hold, and the cluster heals", arguments: groups)
  func holds(group: Int) {
    var committed = 0
    var leaderships = 0
    for seed in UInt64(group * Self.seedsPerGroup)..<UInt64((group + 1) * Self.seedsPerGroup) {
      let exploration = Exploration(seed: seed)
      exploration.run(steps: Self.stepsPerSeed)
      let isHealed = exploration.heal()
      #expect(exploration.ledger.violations.isEmpty, "seed \(seed)")
      #expect(isHealed, "seed \(seed) does not elect and commit after its last fault")
      committed += exploration.committed
      leaderships += exploration.leaderships
    }
    // An exploration in which nothing happens proves nothing.
    #expect(committed > 100)
    #expect(leaderships >= Self.seedsPerGroup)
  }

  static func trace(_ seed: UInt64) -> UInt64 {
    let exploration = Exploration(seed: seed)
    exploration.run(steps: stepsPerSeed)
    return exploration.traceHash
  }

  @Test("The same seed takes the same steps, and another seed others")
  func repeats() {
    for seed in UInt64(0)..<8 { #expect(Self.trace(seed) == Self.trace(seed), "seed \(seed)") }
    #expect(Set((UInt64(0)..<8).map(Self.trace)).count == 8)
  }

  /// What iterates in the order of a hash table differs from process to process: the file was written by another one.
  /// A change of what replicas say changes it; see `ScenarioFile` for how to write it anew.
  @Test("Every process takes the same steps for a seed")
  func repeatsElsewhere() throws {
    let url = ScenarioFile.folder.appendingPathComponent("exploration.hashes")
    let found = (UInt64(100)..<104).map { "seed \($0) \(Self.trace($0).hexadecimal)\n" }.joined()
    if ScenarioTests.isRewriting { return try found.write(to: url, atomically: true, encoding: .utf8) }
    #expect(try String(contentsOf: url, encoding: .utf8) == found)
  }
}
