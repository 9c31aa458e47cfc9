public import Core
public import Feeds
public import Placement
internal import Raft
public import Replica

/// Everything that nodes say to each other on a link.
public enum NodeMessage: Sendable {
  /// First, from each side.
  case hello(NodeHello)
  /// Last.
  case farewell(NodeFarewell)
  /// Comes back as `pong` with the same stamp, which means nothing to the other side.
  case ping(stamp: UInt64)
  case pong(stamp: UInt64)
  /// From one replica of a shard to another.
  case replica(ShardID, ReplicaMessage)
  /// The beats, and the answers to beats, of all shards between two nodes.
  case heartbeats([ShardHeartbeat])
  /// To the replica of a shard; the edge in it is the asking node's own reactor.
  case request(ShardID, ShardRequest)
  /// To a reactor of the node that asked.
  case reply(edge: EdgeID, ShardReply)
  /// What the gossip wants carried by a stream, and what comes back: nil is a refusal.
  case gossipRequest(ticket: UInt64, Bytes)
  case gossipReply(ticket: UInt64, Bytes?)
  case birth(BirthMessage)
  /// A question about the cluster's state, and its answer, by whoever asks and answers them.
  case statusAsk(ticket: UInt64, Bytes)
  case statusAnswer(ticket: UInt64, Bytes)
  /// What is to become of a node's replica of a shard.
  case order(ShardID, PlacementOrder)

  public var kind: WireKind {
    switch self {
    case .hello: .hello
    case .farewell: .farewell
    case .ping: .ping
    case .pong: .pong
    case .replica: .replica
    case .heartbeats: .heartbeats
    case .request: .request
    case .reply: .reply
    case .gossipRequest: .gossipRequest
    case .gossipReply: .gossipReply
    case .birth: .birth
    case .statusAsk: .statusAsk
    case .statusAnswer: .statusAnswer
    case .order: .order
    }
  }

  /// The lane it travels in: always this one, so that what must keep its order does.
  public var lane: WireLane {
    switch self {
    case .hello, .farewell, .ping, .pong, .heartbeats, .birth, .order, .gossipRequest, .gossipReply: .urgent
    case .replica(_, .raft(let message, _)):
      switch message {
      case .append: .live
      case .snapshotChunk: .bulk
      case .preVote, .preVoteReply, .vote, .voteReply, .appendReply, .appendRejection, .snapshotReply, .heartbeat, .heartbeatReply,
        .timeoutNow:
        .urgent
      }
    case .replica(_, .repair): .urgent
    case .request(_, let request):
      switch request {
      case .publish, .interest, .consumer, .session, .group: .live
      case .presence(let request):
        switch request.operation {
        case .announce: .live
        case .ask: .bulk
        }
      case .read, .history: .bulk
      }
    case .reply(_, let reply):
      switch reply {
      case .published, .interest, .consumer, .push, .feedEnded, .presencePush, .session, .sessionNotice, .group: .live
      // A receipt stands in order among the pushes that it counts.
      case .presence(let reply):
        if case .success(.list) = reply.result { .bulk } else { .live }
      case .read, .history: .bulk
      }
    case .statusAsk, .statusAnswer: .bulk
    }
  }

  /// The shard it is about, if it is about one.
  public var shard: ShardID? {
    switch self {
    case .replica(let shard, _), .request(let shard, _), .order(let shard, _): shard
    case .reply(_, let reply): reply.shard
    case .hello, .farewell, .ping, .pong, .heartbeats, .gossipRequest, .gossipReply, .birth, .statusAsk, .statusAnswer: nil
    }
  }
}

/// A beat or the answer to one, of one shard.
public struct ShardHeartbeat: Hashable, Sendable {
  public var shard: ShardID
  /// `.raft` of a heartbeat or of its answer; nothing else can be written.
  public var message: ReplicaMessage

  public init(shard: ShardID, message: ReplicaMessage) {
    self.shard = shard
    self.message = message
  }

  /// Whether `message` may travel together with those of other shards.
  public static func carries(_ message: ReplicaMessage) -> Bool {
    switch message {
    case .raft(.heartbeat, _), .raft(.heartbeatReply, _): true
    case .raft, .repair: false
    }
  }
}
