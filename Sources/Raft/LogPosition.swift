public import Core

/// The number of an election. Each has one leader at most.
public typealias Term = UInt64

/// An entry's identity: no two entries with the same offset and term differ, nor do the logs before them (§3.5).
///
/// Ordered as elections order logs: the later term is newer, and in the same term the longer log (§3.6.1).
public struct LogPosition: Hashable, Comparable, Sendable, CustomStringConvertible {
  public var offset: Offset
  public var term: Term

  public init(offset: Offset, term: Term) {
    self.offset = offset
    self.term = term
  }

  public static let zero = LogPosition(offset: .zero, term: 0)
  public static func < (a: LogPosition, b: LogPosition) -> Bool { (a.term, a.offset) < (b.term, b.offset) }
  public var description: String { "\(offset)@\(term)" }
}

/// Term and vote: what a replica must remember of elections whatever happens to it (§3.8).
public struct RaftHardState: Hashable, Sendable {
  public var term: Term
  public var vote: NodeID?

  public init(term: Term = 0, vote: NodeID? = nil) {
    self.term = term
    self.vote = vote
  }
}
