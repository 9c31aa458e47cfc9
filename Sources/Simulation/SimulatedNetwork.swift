internal import Core
internal import Feeds
internal import Replica

/// What travels between nodes. The one place where it crosses.
enum Parcel {
  case replica(shard: Int, ReplicaMessage)
  case request(shard: Int, ShardRequest)
  case replies([ShardReply])
}

struct Envelope {
  var from: Int
  var to: Int
  /// Of an edge's link: parcels of a link that is no more do not arrive.
  var link: UInt32
  var parcel: Parcel
}

/// The network's manners.
struct NetworkMix {
  /// Of ten thousand messages between brokers.
  var loss = 0
  var duplication = 0
  /// Of ten thousand messages, so many take up to a hundred times as long.
  var stragglers = 0
  var delayMicroseconds = 300
  var jitterMicroseconds = 500
}

/// Who can reach whom, and when. Nodes are numbered: brokers first, then edges.
struct SimulatedNetwork {
  let nodes: Int
  var mix = NetworkMix()
  private var blocked: [Int32]
  /// On a link between an edge and a broker parcels keep their order.
  private var lastArrival: [Instant]

  init(nodes: Int) {
    self.nodes = nodes
    blocked = [Int32](repeating: 0, count: nodes * nodes)
    lastArrival = [Instant](repeating: .zero, count: nodes * nodes)
  }

  func isBlocked(_ from: Int, _ to: Int) -> Bool { blocked[from * nodes + to] > 0 }

  /// Partitions may overlap: each way is open when every one that closed it has ended.
  mutating func block(_ from: Int, _ to: Int) { blocked[from * nodes + to] += 1 }
  mutating func unblock(_ from: Int, _ to: Int) { blocked[from * nodes + to] -= 1 }
  mutating func openAll() { for index in blocked.indices { blocked[index] = 0 } }

  mutating func delay(_ random: inout SeededGenerator) -> TimeSpan {
    var microseconds = mix.delayMicroseconds + random.below(mix.jitterMicroseconds + 1)
    if mix.stragglers > 0, random.below(10_000) < mix.stragglers { microseconds *= 1 + random.below(100) }
    return TimeSpan(nanoseconds: Int64(microseconds) * 1000)
  }

  /// When something sent now on an edge's link arrives.
  mutating func arrivalInOrder(_ from: Int, _ to: Int, at now: Instant, _ random: inout SeededGenerator) -> Instant {
    let index = from * nodes + to
    lastArrival[index] = max(lastArrival[index], now + delay(&random))
    return lastArrival[index]
  }
}
