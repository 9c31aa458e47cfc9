import Core

/// Which faults a run has, and how many: each seed picks its own mix.
struct FaultMix {
  /// In a thousand messages.
  var loss = 0
  var duplication = 0
  /// How far from the front of a queue the next message may be taken.
  var reordering = 1
  /// In ten thousand steps.
  var powerCuts = 0
  var kills = 0
  var partitions = 0
  var pauses = 0
  var diskStalls = 0
  /// Of a hundred new leaders, so many lose power or the network soon.
  var earlyDeaths = 0
  var membershipChanges = 0
  var transfers = 0
  var snapshots = 0
  var proposals = 20
  /// Of a hundred new leaders, so many are heard by nobody until another leads.
  var mutedLeaders = 0
  /// Of a hundred changes of the members, so many cut off those that leave.
  var splitChanges = 0
  /// In ten thousand steps: what a disk has not synced comes to matter.
  var plots = 0
  /// Of a hundred events of the disk or the network, so many are the disk's.
  var diskShare = 30
  /// A step takes up to so many microseconds.
  var stepMicroseconds = 2000

  init() {}

  /// Leaders come and go before they have done much, and few messages get lost otherwise.
  static var restless: FaultMix {
    var mix = FaultMix()
    mix.mutedLeaders = 40
    mix.earlyDeaths = 100
    mix.partitions = 60
    mix.powerCuts = 1
    mix.reordering = 4
    mix.diskShare = 40
    mix.stepMicroseconds = 6000
    return mix
  }

  /// Followers fall behind the log's start and get snapshots.
  static var forgetful: FaultMix {
    var mix = FaultMix()
    mix.snapshots = 100
    mix.partitions = 30
    mix.proposals = 300
    mix.stepMicroseconds = 4000
    return mix
  }

  /// Disks stand still while leaders change.
  static var stalling: FaultMix {
    var mix = restless
    mix.diskStalls = 60
    mix.diskShare = 10
    return mix
  }

  /// Leadership is handed over again and again, over a network that is slow and loses things.
  static var handingOver: FaultMix {
    var mix = FaultMix()
    mix.transfers = 200
    mix.loss = 30
    mix.reordering = 20
    mix.partitions = 20
    mix.pauses = 20
    return mix
  }

  init(_ random: inout SeededGenerator) {
    func some(_ most: Int, _ random: inout SeededGenerator) -> Int { random.below(2) == 0 ? 0 : random.below(most + 1) }
    loss = some(50, &random)
    duplication = some(100, &random)
    reordering = 1 + some(30, &random)
    let calm = [1, 2, 5][random.below(3)]
    powerCuts = some(60 / calm, &random)
    kills = some(60 / calm, &random)
    partitions = some(60 / calm, &random)
    pauses = some(60 / calm, &random)
    diskStalls = some(60 / calm, &random)
    membershipChanges = some(40, &random)
    transfers = some(30, &random)
    snapshots = some(60, &random)
    if random.below(2) == 0 {
      // A storm: little is proposed, and leaders come and go.
      powerCuts = 20 + random.below(60)
      kills = random.below(60)
      partitions = 20 + random.below(100)
      diskStalls = random.below(60)
      snapshots = 0
      earlyDeaths = 50
      duplication = 0
      membershipChanges = random.below(2) * 60
    }
    mutedLeaders = random.below(4) == 0 ? 60 : 0
    splitChanges = random.below(2) * 70
    plots = some(20, &random)
    proposals = [20, 60, 200, 600][random.below(4)]
    diskShare = random.below(2) == 0 ? 1 + random.below(10) : 10 + random.below(40)
    stepMicroseconds = 1000 + random.below(3000)
  }
}
