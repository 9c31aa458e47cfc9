public import Core

/// A broker as the cluster has admitted it.
public struct BrokerRecord: Sendable, Hashable {
  public let id: NodeID
  /// For people; two may have the same.
  public var name: String
  /// Where others dial it, `host:port`.
  public var address: String
  public var rack: String
  public var isDraining = false
  public var isLeaving = false

  public init(id: NodeID, name: String, address: String, rack: String = "") {
    self.id = id
    self.name = name
    self.address = address
    self.rack = rack
  }

  public static let maximumName = 64
  public static let maximumAddress = 256
  public static let maximumRack = 64
}

/// Who holds a shard.
public struct ShardRecord: Sendable, Hashable {
  public var voters: [NodeID]
  public var learners: [NodeID]
  /// Counted up by every change, so that a change made on old knowledge is noticed.
  public var version: UInt64

  public init(voters: [NodeID], learners: [NodeID] = [], version: UInt64 = 1) {
    self.voters = voters
    self.learners = learners
    self.version = version
  }
}

/// What the meta group agrees on: the cluster's identity, its brokers, and who holds which shard. Identical on every
/// replica that applied the same commands.
public struct MetaState: Sendable, Hashable {
  /// nil until it is born.
  public internal(set) var cluster: ClusterID?
  public internal(set) var replicas = 0
  /// By identity.
  public internal(set) var brokers: [BrokerRecord] = []
  /// By shard, one for each there is.
  public internal(set) var shards: [ShardRecord] = []
  /// Brokers that were removed for good, oldest first: their identities are never admitted again.
  public internal(set) var removed: [NodeID] = []

  public static let maximumBrokers = 1024
  public static let maximumShards = 4096
  public static let maximumReplicas = 9
  /// Voters or learners of one shard: a full set, and as many again on their way in.
  public static let maximumHolders = 2 * maximumReplicas
  public static let maximumRemoved = 1024

  public init() {}

  public func broker(_ id: NodeID) -> BrokerRecord? { place(of: id).map { brokers[$0] } }

  func place(of id: NodeID) -> Int? {
    let place = insertionPlace(of: id)
    return place < brokers.count && brokers[place].id == id ? place : nil
  }

  private func insertionPlace(of id: NodeID) -> Int {
    var lower = 0
    var upper = brokers.count
    while lower < upper {
      let middle = (lower + upper) / 2
      if brokers[middle].id < id { lower = middle + 1 } else { upper = middle }
    }
    return lower
  }

  /// Whether a broker holds anything.
  public func holds(_ id: NodeID) -> Bool {
    shards.contains { $0.voters.contains(id) || $0.learners.contains(id) }
  }

  /// Applies one committed command. What is refused changes nothing, on every replica alike.
  public mutating func apply(_ command: MetaCommand) -> MetaOutcome {
    do throws(MetaRefusal) {
      switch command {
      case .birth(let birth): try take(birth)
      case .admit(let record): try admit(record)
      case .drain(let id, let isDraining): brokers[try known(id)].isDraining = isDraining
      case .leave(let id): brokers[try known(id)].isLeaving = true
      case .remove(let id): try remove(id)
      case .assign(let shard, let record): try assign(shard, record)
      }
      return .done
    } catch {
      return .refused(error)
    }
  }

  private func known(_ id: NodeID) throws(MetaRefusal) -> Int {
    guard cluster != nil else { throw .notBorn }
    guard let place = place(of: id) else { throw .unknownBroker(id) }
    return place
  }

  private mutating func take(_ birth: MetaBirth) throws(MetaRefusal) {
    guard cluster == nil else { throw .alreadyBorn }
    guard (1...Self.maximumReplicas).contains(birth.replicas), (1...Self.maximumShards).contains(birth.placement.count),
      (1...Self.maximumBrokers).contains(birth.brokers.count)
    else { throw .outOfBounds }
    let sorted = birth.brokers.sorted { $0.id < $1.id }
    for (a, b) in zip(sorted, sorted.dropFirst()) where a.id == b.id { throw .alreadyBorn }
    var born = MetaState()
    born.cluster = birth.cluster
    born.replicas = birth.replicas
    born.brokers = sorted
    for voters in birth.placement {
      let record = ShardRecord(voters: voters)
      try born.check(record)
      born.shards.append(record)
    }
    self = born
  }

  /// Takes up a broker, or what one that is here says anew of itself; drains and leaves are not for it to say.
  private mutating func admit(_ record: BrokerRecord) throws(MetaRefusal) {
    guard cluster != nil else { throw .notBorn }
    guard !removed.contains(record.id) else { throw .wasRemoved(record.id) }
    var record = record
    if let place = place(of: record.id) {
      record.isDraining = brokers[place].isDraining
      record.isLeaving = brokers[place].isLeaving
      brokers[place] = record
      return
    }
    guard brokers.count < Self.maximumBrokers else { throw .outOfBounds }
    record.isDraining = false
    record.isLeaving = false
    brokers.insert(record, at: insertionPlace(of: record.id))
  }

  private mutating func remove(_ id: NodeID) throws(MetaRefusal) {
    let place = try known(id)
    guard !holds(id) else { throw .stillHolds(id) }
    brokers.remove(at: place)
    if removed.count == Self.maximumRemoved { removed.removeFirst() }
    removed.append(id)
  }

  private mutating func assign(_ shard: ShardID, _ record: ShardRecord) throws(MetaRefusal) {
    guard cluster != nil else { throw .notBorn }
    guard shards.indices.contains(shard.index) else { throw .unknownShard(shard) }
    guard record.version == shards[shard.index].version + 1 else { throw .stale(shard) }
    try check(record)
    shards[shard.index] = record
  }

  /// Every holder is a broker that is here, and holds the shard once.
  private func check(_ record: ShardRecord) throws(MetaRefusal) {
    guard !record.voters.isEmpty, record.voters.count <= Self.maximumHolders, record.learners.count <= Self.maximumHolders
    else { throw .outOfBounds }
    let holders = record.voters + record.learners
    for (index, holder) in holders.enumerated() {
      guard place(of: holder) != nil else { throw .unknownBroker(holder) }
      guard !holders[..<index].contains(holder) else { throw .heldTwice(holder) }
    }
  }
}
