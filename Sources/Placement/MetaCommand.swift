public import Core

/// A change to what the meta group agrees on.
public enum MetaCommand: Sendable, Hashable {
  case birth(MetaBirth)
  /// Takes up a broker that knows the cluster's secret, or its new name and address.
  case admit(BrokerRecord)
  case drain(NodeID, Bool)
  /// For good: once it holds nothing any more it is removed.
  case leave(NodeID)
  /// Strikes a broker that holds nothing.
  case remove(NodeID)
  /// Says who holds a shard, after that shard's own group has agreed to it. The version is one more than the last.
  case assign(ShardID, ShardRecord)
}

/// The first command of every cluster.
public struct MetaBirth: Sendable, Hashable {
  public let cluster: ClusterID
  public let replicas: Int
  public let brokers: [BrokerRecord]
  /// The voters of each shard; how many there are is how many shards there are, for ever.
  public let placement: [[NodeID]]

  public init(cluster: ClusterID, replicas: Int, brokers: [BrokerRecord], placement: [[NodeID]]) {
    self.cluster = cluster
    self.replicas = replicas
    self.brokers = brokers
    self.placement = placement
  }
}

public enum MetaOutcome: Sendable, Equatable {
  case done
  case refused(MetaRefusal)
}

public enum MetaRefusal: Error, Sendable, Hashable, CustomStringConvertible {
  case notBorn
  case alreadyBorn
  case outOfBounds
  case unknownBroker(NodeID)
  case unknownShard(ShardID)
  /// The shard's holders changed since this change was thought of.
  case stale(ShardID)
  case heldTwice(NodeID)
  case stillHolds(NodeID)
  case wasRemoved(NodeID)

  public var description: String {
    switch self {
    case .notBorn: "the cluster is not born yet"
    case .alreadyBorn: "the cluster is born already"
    case .outOfBounds: "more brokers, shards or replicas than a cluster may have"
    case .unknownBroker(let id): "no broker of this cluster has the identity \(id)"
    case .unknownShard(let shard): "there is no shard \(shard)"
    case .stale(let shard): "the holders of shard \(shard) have changed meanwhile"
    case .heldTwice(let id): "\(id) would hold one shard twice"
    case .stillHolds(let id): "\(id) still holds replicas; it can be removed once they have moved"
    case .wasRemoved(let id): "\(id) was removed for good; start it with an empty data directory to make it a new broker"
    }
  }
}
