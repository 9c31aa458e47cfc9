public import Core

/// What an edge says to the leader of a shard of one group's members. Each is answered once.
///
/// ```
///  edge ── join(opening, members) ──▶ leader     ◀── push: messages that are this edge's now
///       ── acknowledge(offsets) ────▶ log        out of the group's way for good
///       ── release(offsets) ────────▶            given to others
///       ── leave ───────────────────▶            keeps its place; is forgotten if the last member left for good
/// ```
public struct GroupRequest: Sendable {
  public enum Operation: Sendable {
    case join(GroupMembership)
    /// Nobody is here any more; what is out here is acknowledged or released yet. `forGood` says that the last one here
    /// does not mean to come back: a group of which that holds everywhere is no more.
    case leave(opening: UInt64, forGood: Bool)
    case acknowledge([Offset])
    case release(opening: UInt64, [Offset])
  }

  public var edge: EdgeID
  public var ticket: Ticket
  public var group: GroupName
  public var operation: Operation

  public init(edge: EdgeID, ticket: Ticket, group: GroupName, operation: Operation) {
    self.edge = edge
    self.ticket = ticket
    self.group = group
    self.operation = operation
  }
}

/// Who of a group is at an edge.
public struct GroupMembership: Sendable, Equatable {
  /// Drawn anew whenever the edge begins anew with this shard. Pushes bear it; those of an opening that is over are none.
  public var opening: UInt64
  public var members: Int
  /// Messages that may be out here at once.
  public var credit: Int
  /// Of an earlier opening, and with members still: not to be given to others.
  public var holding: [Offset]

  public init(opening: UInt64, members: Int, credit: Int, holding: [Offset] = []) {
    self.opening = opening
    self.members = members
    self.credit = credit
    self.holding = holding
  }
}
