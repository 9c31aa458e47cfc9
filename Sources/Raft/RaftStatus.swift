public import Core

/// What a group says of itself, for the cluster status.
public struct RaftStatus: Hashable, Sendable {
  public enum Flow: Hashable, Sendable {
    case probing
    case replicating
    /// So many bytes of a snapshot are there.
    case snapshot(Int)
  }

  public struct Member: Hashable, Sendable {
    public var node: NodeID
    public var isVoter: Bool
    /// Durable there.
    public var match: Offset
    public var flow: Flow
    public var inFlightBytes: Int
    public var heardAt: Instant
  }

  public var term: Term
  public var role: RaftRole
  public var leader: NodeID?
  public var committed: Offset
  public var durable: Offset
  public var last: Offset
  public var membership: Membership
  /// The others, as their leader sees them; empty elsewhere.
  public var members: [Member]
  public var counters: RaftCounters
}

/// What happened since the replica began; only ever grows.
public struct RaftCounters: Hashable, Sendable {
  /// Messages.
  public var received: UInt64 = 0
  /// Messages that were of no use: of an old term, of a stranger, malformed.
  public var refused: UInt64 = 0
  public var preVotes: UInt64 = 0
  public var campaigns: UInt64 = 0
  public var leaderships: UInt64 = 0
  public var truncations: UInt64 = 0
  public var rejections: UInt64 = 0
  public var lostAppends: UInt64 = 0
  public var fetches: UInt64 = 0
  public var snapshotsBegun: UInt64 = 0
  public var snapshotsInstalled: UInt64 = 0

  public init() {}
}

extension RaftGroup {
  public var status: RaftStatus {
    RaftStatus(
      term: term, role: role, leader: leader, committed: committed, durable: durable, last: log.last, membership: membership,
      members: followers.map(\.status), counters: counters)
  }
}

extension FollowerProgress {
  fileprivate var status: RaftStatus.Member {
    let flow: RaftStatus.Flow =
      switch mode {
      case .probe: .probing
      case .replicate: .replicating
      case .snapshot(let transfer): .snapshot(transfer.position)
      }
    return RaftStatus.Member(
      node: node, isVoter: isVoter || isOutgoing, match: match, flow: flow, inFlightBytes: window.bytes, heardAt: heardAt)
  }
}
