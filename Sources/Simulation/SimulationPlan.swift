public import Core
package import Journal
package import Raft
package import Replica
package import Sessions

/// What a seed draws: how large the cluster is, how it is used, and which faults it meets. Each seed has its own mix, so
/// that rare meetings of a few faults are not drowned in many.
public struct SimulationPlan: Sendable {
  public var seed: UInt64
  public var brokers = 3
  public var replicas = 3
  public var edges = 2
  var shards = 2
  var topics = 6
  var publishers = 4
  var readers = 5
  var consumers = 1
  /// MQTT clients, and how often each does something.
  var clients = 0
  var clientMilliseconds = 100
  /// How often of a thousand times that is going away.
  var clientRestlessness = 20
  var thinkMilliseconds = 100
  var payloadBytes = 40
  var restlessness = 10
  /// How often brokers and edges look at the time.
  var tickMilliseconds = 50
  /// A publisher gives up after this long: longer than that its key may be forgotten.
  var retrySeconds = 120
  var pageBytes = 8 << 10
  var cacheBytes = 8 << 10
  var tailBytes = 16 << 10
  var appendBytes = 8 << 10
  var chunkBytes = 2 << 10
  var snapshotEveryEntries = 400
  var losesHistory = false
  var retention = SimulationPlan.endlessRetention
  private static let endlessRetention = Retention(ageMilliseconds: 365 * 24 * 3600 * 1000, bytes: 1 << 30)
  var network = NetworkMix()
  /// A fault about this often.
  var meanFaultMilliseconds = 5000
  /// Of a hundred new leaders, so many are struck before they have committed anything.
  var earlyDeathPercent = 0
  /// How long what goes wrong stays so, against the usual.
  var spellPercent = 100
  /// How likely each kind is, against the others; 0: never in this seed.
  var weights = [Int](repeating: 0, count: FaultKind.allCases.count)
  /// Brokers whose disks may do what disks should not: never so many that they could be a majority.
  var cursed: [Int] = []
  /// Whether what nodes say to each other goes through its bytes, as on links.
  var crossesAsBytes = false
  /// Simulated time before everything is healed.
  public var duration = TimeSpan.seconds(300)

  /// Mistakes to be made on purpose.
  package var raftFaults: RaftFaults = []
  package var replicaFaults: ReplicaFaults = []
  package var journalFaults: JournalFaults = []
  package var keepingFaults: KeepingFaults = []
  package var renewsWillKeys = false
  package var skipsSyncs = false

  /// With one of our own mistakes in it.
  public init(seed: UInt64, duration: TimeSpan = .seconds(300), planted: PlantedFault) {
    self.init(seed: seed, duration: duration)
    planted.plant(in: &self)
  }

  public init(seed: UInt64, duration: TimeSpan = .seconds(300)) {
    self.seed = seed
    self.duration = duration
    var random = SeededGenerator(seed: seed ^ 0x7469_6469_6e67_7321)
    brokers = [3, 3, 3, 4, 5, 5, 7][random.below(7)]
    replicas = brokers >= 5 && random.below(2) == 0 ? 5 : 3
    edges = 2 + random.below(4)
    shards = 1 + random.below(3)
    publishers = 2 + random.below(5)
    readers = 3 + random.below(6)
    consumers = random.below(3)
    thinkMilliseconds = [50, 200, 500, 1500][random.below(4)]
    payloadBytes = [8, 40, 300][random.below(3)]
    restlessness = [2, 10, 30][random.below(3)]
    appendBytes = [400, 2 << 10, 16 << 10][random.below(3)]
    tailBytes = [1 << 10, 8 << 10, 64 << 10][random.below(3)]
    cacheBytes = [1 << 10, 8 << 10, 64 << 10][random.below(3)]
    pageBytes = [500, 4 << 10, 32 << 10][random.below(3)]
    snapshotEveryEntries = [50, 300, 2000][random.below(3)]
    if random.below(4) == 0 {
      losesHistory = true
      retention.bytes = [64 << 10, 256 << 10][random.below(2)]
    }
    network.delayMicroseconds = [100, 500, 5000][random.below(3)]
    network.jitterMicroseconds = [100, 1000, 20_000][random.below(3)]
    network.loss = [0, 0, 10, 100, 1000][random.below(5)]
    network.duplication = [0, 0, 50, 500][random.below(4)]
    network.stragglers = [0, 0, 20, 200][random.below(4)]
    meanFaultMilliseconds = [1500, 4000, 10_000][random.below(3)]
    for index in weights.indices { weights[index] = random.below(2) * (1 + random.below(10)) }
    if weights.allSatisfy({ $0 == 0 }) { weights[0] = 1 }
    let limit = (min(replicas, brokers) - 1) / 2
    var chosen: [Int] = []
    for _ in 0..<random.below(limit + 1) {
      let candidate = random.below(brokers)
      if !chosen.contains(candidate) { chosen.append(candidate) }
    }
    cursed = chosen
    crossesAsBytes = random.below(3) == 0
    switch random.below(8) {
    case 0: makeStormy(&random)
    case 1: makeRotten(&random)
    default: break
    }
    drawClients()
    if duration >= .seconds(600) {
      // Long runs are as systems live: quiet for most of the time.
      thinkMilliseconds *= 6
      clientMilliseconds *= 6
      meanFaultMilliseconds *= 6
      network.stragglers = min(network.stragglers, 20)
      tickMilliseconds = 100
      shards = min(shards, 2)
      readers = min(readers, 4)
    }
  }

  /// Two clusters of three have MQTT clients, if messages stay there long enough for them to come back.
  private mutating func drawClients() {
    var random = SeededGenerator(seed: seed ^ 0x6d71_7474_2121_2121)
    guard !losesHistory, random.below(3) > 0 else { return }
    clients = 1 + random.below(4)
    clientMilliseconds = [30, 100, 400][random.below(3)]
    clientRestlessness = [3, 15, 60][random.below(3)]
  }

  /// Restless ones at edges that die, over links that break.
  mutating func makeClientsBusy() {
    losesHistory = false
    retention = SimulationPlan.endlessRetention
    clients = 4
    clientMilliseconds = 20
    clientRestlessness = 40
    weigh([.edgeKill: 6, .linkCut: 4, .isolation: 2, .kill: 2, .stalledDisk: 2, .transfer: 2])
    meanFaultMilliseconds = min(meanFaultMilliseconds, 1000)
    spellPercent = 30
  }

  /// Leaders come and go before anything is settled: what takes several elections in a row to go wrong.
  private mutating func makeStormy(_ random: inout SeededGenerator) {
    meanFaultMilliseconds = [200, 400, 800][random.below(3)]
    spellPercent = [10, 20, 40][random.below(3)]
    network.delayMicroseconds = [500, 5000, 20_000][random.below(3)]
    network.jitterMicroseconds = [1000, 30_000][random.below(2)]
    earlyDeathPercent = [0, 30, 60][random.below(3)]
    weigh([.kill: 4, .powerCut: 4, .pause: 2, .isolation: 4, .oneWayPartition: 3, .partition: 2, .stalledDisk: 3, .transfer: 2])
    if random.below(2) == 0 { weigh([.replace: 12]) }
  }

  /// The disks of the cursed lose what was written last, while the power comes and goes.
  private mutating func makeRotten(_ random: inout SeededGenerator) {
    if cursed.isEmpty { cursed = [random.below(replicas)] }
    meanFaultMilliseconds = [500, 1500][random.below(2)]
    spellPercent = [20, 50][random.below(2)]
    weigh([.kill: 2, .allPowerCut: 4, .powerCut: 2, .isolation: 3, .shortFile: 4, .bitRot: 4, .stalledDisk: 1])
  }

  private mutating func weigh(_ chosen: KeyValuePairs<FaultKind, Int>) {
    if !chosen.contains(where: { $0.key == .replace }) { weights = [Int](repeating: 0, count: weights.count) }
    for (kind, weight) in chosen { weights[kind.rawValue] = weight }
  }
}

/// What goes wrong.
public enum FaultKind: Int, CaseIterable, Sendable {
  case kill, powerCut, allPowerCut, pause, partition, oneWayPartition, isolation, edgeKill, linkCut
  case clockJump, clockDrift, slowDisk, stalledDisk, fullDisk, failedSync
  case bitRot, missingFile, shortFile, damagedSnapshot, lostVote
  case replace, transfer

  public var name: String {
    switch self {
    case .kill: "process killed"
    case .powerCut: "power cut"
    case .allPowerCut: "power cut of all brokers"
    case .pause: "process paused"
    case .partition: "partition"
    case .oneWayPartition: "one-way partition"
    case .isolation: "node cut off"
    case .edgeKill: "edge killed"
    case .linkCut: "link cut"
    case .clockJump: "clock jump"
    case .clockDrift: "clock drift"
    case .slowDisk: "slow disk"
    case .stalledDisk: "stalled disk"
    case .fullDisk: "full disk"
    case .failedSync: "failed sync"
    case .bitRot: "flipped bit"
    case .missingFile: "missing file"
    case .shortFile: "short file"
    case .damagedSnapshot: "damaged snapshot"
    case .lostVote: "lost vote"
    case .replace: "member replaced"
    case .transfer: "leadership moved"
    }
  }
}
