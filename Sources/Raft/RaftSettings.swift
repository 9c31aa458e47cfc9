public import Core

/// The numbers a group works with.
public struct RaftSettings: Sendable {
  /// Who this replica is.
  public var node: NodeID
  /// A leader is heard of this often. Beats fall on multiples of it, so that all groups of a node beat together.
  public var heartbeatEvery = TimeSpan.milliseconds(100)
  /// Nobody who heard of a leader within this time helps to elect another (§4.2.3), …
  public var electionMinimum = TimeSpan.milliseconds(500)
  /// … and a follower that hears of none campaigns at a random time between the two.
  public var electionMaximum = TimeSpan.milliseconds(1000)
  /// Two nodes' clocks may drift apart by this much within `electionMinimum`; leases are shorter by it.
  public var leaseMargin = TimeSpan.milliseconds(50)
  /// One append carries about this much, or a single larger entry.
  public var maximumAppendBytes = 256 << 10
  /// Appends on their way to one follower, or not durable there yet: so many …
  public var maximumInFlightMessages = 128
  /// … and about so many bytes.
  public var maximumInFlightBytes = 4 << 20
  /// Entries kept in memory for followers, beyond what is not durable.
  public var tailBytes = 4 << 20
  /// Proposals not committed yet; past it they are refused.
  public var maximumUncommittedBytes = 64 << 20
  /// One piece of a snapshot.
  public var snapshotChunkBytes = 256 << 10
  /// A node becomes a voter once it lacks no more entries than this, so that the group never waits for it long (§4.2.1).
  public var promotionLagEntries: UInt64 = 4096
  /// Voters are changed only while those that are to decide have answered a heartbeat sent within this time.
  var answeredWithin: TimeSpan { min(electionMinimum, TimeSpan(nanoseconds: heartbeatEvery.nanoseconds * 5 / 2)) }

  package var faults: RaftFaults = []

  public init(node: NodeID) { self.node = node }
}
