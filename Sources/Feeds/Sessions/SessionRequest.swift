public import Core

/// What an edge asks of the shard that keeps a client's session.
public struct SessionRequest: Sendable {
  public enum Operation: Sendable {
    /// Goes through the log; answered when it is committed.
    case change(SessionChange)
    /// A sign of life: without one for `SessionLimits.silence` the owner's sessions are lost to it.
    case alive(SessionOwner)
    /// Which of these are the owner's no more? Asked when the leader is another than the one that may have told.
    case claim(SessionOwner, [SessionClaim])
  }

  public var edge: EdgeID
  public var ticket: Ticket
  public var operation: Operation

  public init(edge: EdgeID, ticket: Ticket, operation: Operation) {
    self.edge = edge
    self.ticket = ticket
    self.operation = operation
  }
}

public struct SessionReply: Sendable {
  public enum Answer: Sendable, Equatable {
    case opened(SessionOpened)
    case done
    /// The leader's term: with another one the owner makes its claims anew.
    case alive(term: UInt64)
    /// Of what was claimed.
    case lost([SessionClaim])
  }

  public var shard: ShardID
  public var ticket: Ticket
  public var result: Result<Answer, Refusal>

  public init(shard: ShardID, ticket: Ticket, result: Result<Answer, Refusal>) {
    self.shard = shard
    self.ticket = ticket
    self.result = result
  }
}

/// What a shard tells of its sessions unasked.
public enum SessionNotice: Sendable, Equatable {
  /// The client has connected elsewhere.
  case takenOver(ShardID, SessionClaim)
  /// To be published, and then forgotten (`SessionChange.forgetWill`). To the edge that is where the shard's leader is.
  case willDue(ShardID, number: UInt64, record: Bytes)

  public var shard: ShardID {
    switch self {
    case .takenOver(let shard, _), .willDue(let shard, _, _): shard
    }
  }
}

public enum SessionLimits {
  /// An owner that says nothing for so long is gone.
  public static let silence = TimeSpan.seconds(5)
  /// Between two signs of life.
  public static let lifeSign = TimeSpan.seconds(1)
  /// Sessions in one claim.
  public static let claims = 1000
}
