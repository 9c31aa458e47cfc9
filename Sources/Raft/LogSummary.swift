public import Core

/// What consensus needs to know of a log that was opened: how far it reaches, whose terms it has, who the members are.
///
/// Begin with where the log begins, then `note` what it holds. A log whose entry before the first is unknown begins
/// one later: its first entry is the base.
public struct LogSummary: Sendable {
  var terms: LogTerms
  var memberships: MembershipHistory
  /// The newest entry's time; a replica that leads stamps no earlier one.
  public var time: WallTime
  /// Up to here the disk has it; all of it unless said otherwise.
  public var durable: Offset?
  /// Known to be committed: what the snapshot holds, at least.
  public var committed: Offset
  /// The state offset of the newest snapshot.
  public var snapshot: Offset?

  /// `membership` is the one in force at `base`: that of the snapshot, or of the group's birth.
  public init(base: LogPosition = .zero, membership: Membership, time: WallTime = WallTime(milliseconds: 0)) {
    terms = LogTerms(base: base)
    memberships = MembershipHistory(base: membership, at: base.offset)
    self.time = time
    committed = base.offset
  }

  public var last: Offset { terms.last }

  /// Takes note of whole, checked entries that follow what was noted.
  public mutating func note(_ entries: Bytes) {
    entries.withUnsafeBytes { memory in
      for entry in RecordSequence(trusting: memory) {
        precondition(entry.offset == terms.last.next, "a log with a gap")
        terms.append(upTo: entry.offset, term: entry.term)
        time = entry.time
        if entry.kind == .membership, let membership = Membership(decoding: entry.body) {
          memberships.append(membership, at: entry.offset)
        }
      }
    }
  }

  /// Who the members are is not known, whatever was told of the group's birth: to be heard from its leader.
  public mutating func forgetMembers() { memberships = MembershipHistory(base: Membership(voters: []), at: memberships.changes[0].at) }

  /// The same for entries known only by their term, from an index; there is no membership among them.
  public mutating func note(upTo last: Offset, term: Term) {
    terms.append(upTo: last, term: term)
  }
}

/// The memberships that the entries of the log set, newest last. The newest is in force, committed or not (§4.1).
struct MembershipHistory: Sendable {
  private(set) var changes: [(at: Offset, membership: Membership)]

  init(base: Membership, at offset: Offset) { changes = [(offset, base)] }

  var current: Membership { changes[changes.count - 1].membership }
  var currentOffset: Offset { changes[changes.count - 1].at }
  var base: Membership { changes[0].membership }

  /// The newest one set at or before `offset`; the oldest known where that is later.
  func inForce(at offset: Offset) -> Membership { (changes.last { $0.at <= offset } ?? changes[0]).membership }

  mutating func append(_ membership: Membership, at offset: Offset) { changes.append((offset, membership)) }

  /// Whether the newest one changed by it.
  mutating func truncate(from: Offset) -> Bool {
    let before = changes.count
    while changes.count > 1, currentOffset >= from { changes.removeLast() }
    return changes.count != before
  }

  /// Whether the node votes in the newest one, or in one before that may still be in force elsewhere because what follows
  /// it is not committed: then it can be the only one whose log is new enough to be elected, though it is to leave (§4.2.2).
  func lets(_ node: NodeID, campaignWith committed: Offset) -> Bool {
    for change in changes.reversed() {
      if change.membership.isVoter(node) { return true }
      if change.at <= committed { return false }
    }
    return false
  }

  /// Keeps the one in force at `base` as the oldest.
  mutating func compact(upTo base: Offset) {
    while changes.count > 1, changes[1].at <= base { changes.removeFirst() }
  }
}
