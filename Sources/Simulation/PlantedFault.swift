internal import Journal
internal import Raft
internal import Replica
internal import Sessions

/// A mistake that somebody could make in this code, to be made on purpose: the simulation has to find it.
public enum PlantedFault: String, CaseIterable, Sendable {
  case syncDropped = "sync-dropped"
  case acknowledgedEarly = "acknowledged-before-commit"
  case acknowledgedBeforeDurable = "acknowledged-before-durable"
  case voteNotSaved = "vote-not-saved"
  case conflictNotTruncated = "log-not-truncated"
  case snapshotPositionForgotten = "snapshot-without-position"
  case resumedOneTooLow = "resumed-one-too-low"
  case resumedOneTooHigh = "resumed-one-too-high"
  case feedLiveTooLow = "feed-live-too-low"
  case keysForgotten = "keys-lost-on-leader-change"
  case cursorFoldedWrongly = "cursor-folded-wrongly"
  case tornTailIsDamage = "torn-tail-taken-for-damage"
  case damageIsTornTail = "damage-taken-for-torn-tail"
  case unsyncedLogVotedWith = "unsynced-log-voted-with"
  case staleLogElected = "stale-log-elected"
  case jointMajorityForgotten = "joint-majority-forgotten"
  case savedEarly = "save-acknowledged-before-commit"
  case toldBeforeSaved = "told-before-saved"
  case publishedBeforeSaved = "published-before-saved"
  case numbersNotSaved = "unreleased-not-saved"
  case epochIgnored = "epoch-ignored"
  case willForgotten = "will-forgotten"
  case willKeysRenewed = "will-under-new-keys"

  func plant(in plan: inout SimulationPlan) {
    switch self {
    case .syncDropped: plan.skipsSyncs = true
    case .acknowledgedEarly: plan.replicaFaults.insert(.acknowledgedEarly)
    case .acknowledgedBeforeDurable: plan.raftFaults.insert(.acknowledgedBeforeDurable)
    case .voteNotSaved: plan.raftFaults.insert(.voteNotSaved)
    case .conflictNotTruncated: plan.raftFaults.insert(.conflictNotTruncated)
    case .snapshotPositionForgotten: plan.raftFaults.insert(.snapshotPositionForgotten)
    case .resumedOneTooLow: plan.replicaFaults.insert(.resumedOneTooLow)
    case .resumedOneTooHigh: plan.replicaFaults.insert(.resumedOneTooHigh)
    case .feedLiveTooLow: plan.replicaFaults.insert(.feedLiveTooLow)
    case .keysForgotten: plan.replicaFaults.insert(.keysForgotten)
    case .cursorFoldedWrongly: plan.replicaFaults.insert(.cursorFoldedWrongly)
    case .tornTailIsDamage: plan.journalFaults.insert(.tornTailIsDamage)
    case .damageIsTornTail: plan.journalFaults.insert(.damageIsTornTail)
    case .unsyncedLogVotedWith: plan.journalFaults.insert(.openedUnsynced)
    case .staleLogElected: plan.raftFaults.insert(.staleLogElected)
    case .jointMajorityForgotten:
      plan.raftFaults.insert(.jointMajorityForgotten)
      plan.replicas = 3
      plan.brokers = 5
      plan.meanFaultMilliseconds = 300
      plan.spellPercent = 20
      plan.weights = plan.weights.map { _ in 0 }
      for (kind, weight) in [(FaultKind.replace, 20), (.partition, 6), (.isolation, 3), (.kill, 3), (.transfer, 3)] {
        plan.weights[kind.rawValue] = weight
      }
    case .savedEarly: plan.replicaFaults.insert(.savedEarly)
    case .toldBeforeSaved: plan.keepingFaults.insert(.toldBeforeSaved)
    case .publishedBeforeSaved: plan.keepingFaults.insert(.publishedBeforeSaved)
    case .numbersNotSaved: plan.keepingFaults.insert(.numbersNotSaved)
    case .epochIgnored: plan.replicaFaults.insert(.epochIgnored)
    case .willForgotten: plan.replicaFaults.insert(.willForgotten)
    case .willKeysRenewed: plan.renewsWillKeys = true
    }
    if isAboutSessions { plan.makeClientsBusy() }
    plan.cursed.removeAll { $0 >= plan.brokers }
  }

  private var isAboutSessions: Bool {
    switch self {
    case .savedEarly, .toldBeforeSaved, .publishedBeforeSaved, .numbersNotSaved, .epochIgnored, .willForgotten, .willKeysRenewed: true
    default: false
    }
  }
}
