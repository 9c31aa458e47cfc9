import Core
import Testing

@testable import Raft

/// A mistake made on purpose, and the weather in which it comes to light soonest.
struct PlantedFault: CustomTestStringConvertible {
  let name: String
  let fault: RaftFaults
  var weather: FaultMix?
  /// Else it is enough that a promise is made too early, before anything comes of it.
  var waitsForConsequences = true

  var testDescription: String { name }

  static let all: [PlantedFault] = [
    PlantedFault(name: "a vote is not saved", fault: .voteNotSaved),
    PlantedFault(name: "an entry of an old term is committed by counting", fault: .oldTermCommittedByCounting, weather: .restless),
    PlantedFault(name: "the log is not truncated on conflict", fault: .conflictNotTruncated),
    PlantedFault(name: "an unsynced log counts and is voted with", fault: .unsyncedLogVotedWith),
    PlantedFault(name: "a follower acknowledges before it is durable", fault: .acknowledgedBeforeDurable),
    PlantedFault(name: "a leader counts itself before it is durable", fault: .ownWriteCountedEarly),
    PlantedFault(name: "a stale log is elected", fault: .staleLogElected),
    PlantedFault(name: "half of a joint membership decides", fault: .jointMajorityForgotten),
    PlantedFault(name: "members change without a joint membership", fault: .membershipNotJoint),
    PlantedFault(name: "learners count", fault: .learnersCounted),
    PlantedFault(name: "a snapshot is applied without its position", fault: .snapshotPositionForgotten, weather: .forgetful),
    PlantedFault(
      name: "the late report of a write that was cut counts", fault: .lateReportBelieved, weather: .stalling,
      waitsForConsequences: false),
    PlantedFault(name: "a leader just heard of is forgotten", fault: .leaderForgotten),
    PlantedFault(name: "a lease outlives the call to campaign", fault: .leaseKeptInTransfer, weather: .handingOver),
  ]
}

@Suite("Planted faults")
struct FaultTests {
  static let mostSeeds: UInt64 = 200
  static let stepsPerSeed = 5000

  @Test("The exploration notices every planted fault", arguments: PlantedFault.all)
  func isNoticed(planted: PlantedFault) throws {
    for seed in 0..<Self.mostSeeds {
      let exploration = Exploration(seed: seed, faults: planted.fault, mix: planted.weather)
      exploration.watchesPromises = !planted.waitsForConsequences
      exploration.run(steps: Self.stepsPerSeed)
      if let violation = exploration.ledger.violations.first {
        return print("\(planted.name): seed \(seed), step \(exploration.steps): \(violation)")
      }
    }
    Issue.record("\(planted.name), and nothing was noticed in \(Self.mostSeeds) seeds")
  }

  @Test("In the same weather nothing is noticed where nothing was planted", arguments: PlantedFault.all.filter { $0.weather != nil })
  func isSilent(planted: PlantedFault) {
    for seed in 0..<UInt64(10) {
      let exploration = Exploration(seed: seed, mix: planted.weather)
      exploration.run(steps: Self.stepsPerSeed)
      #expect(exploration.ledger.violations.isEmpty, "seed \(seed)")
    }
  }

  @Test("Every fault there is is planted")
  func isComplete() {
    let planted = PlantedFault.all.reduce(into: RaftFaults()) { $0.formUnion($1.fault) }
    #expect(planted == .all && PlantedFault.all.count == planted.rawValue.nonzeroBitCount)
  }
}
