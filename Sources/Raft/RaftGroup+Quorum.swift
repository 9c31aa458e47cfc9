public import Core

/// Whether a leader still leads: check-quorum and leases, §6.2 and §6.4.1.
extension RaftGroup {
  /// Whether enough members were heard of lately. A leader for whom this is false is cut off: nothing it takes would be
  /// committed, and it steps down at the next tick. Say no to publishers at once.
  public func hasQuorum(at now: Instant) -> Bool {
    role == .leader && Instant(nanoseconds: quorum(own: now.nanoseconds) { $0.heardAt.nanoseconds }) + settings.electionMinimum > now
  }

  /// Whether nobody else can have been elected until `now`, so that what is committed here is all that is committed:
  /// a majority answered a heartbeat sent less than an election ago, and helps nobody else meanwhile.
  public func leaseholds(at now: Instant) -> Bool {
    guard role == .leader, committed >= opening, !hasForfeitedLease else { return false }
    let never = Int64.min / 2
    let leasedAt = quorum(own: now.nanoseconds) { $0.leasedAt?.nanoseconds ?? never }
    return Instant(nanoseconds: leasedAt) + settings.electionMinimum > now + settings.leaseMargin
  }

  /// The largest value that a majority reaches; while joint, a majority of each half.
  func quorum<Value: FixedWidthInteger & BitwiseCopyable>(own: Value, _ value: (borrowing FollowerProgress) -> Value) -> Value {
    if settings.faults.contains(.learnersCounted) { return majority(membership.members, own: own) { value($0) } }
    let incoming = majority(membership.voters, own: own) { $0.isVoter ? value($0) : nil }
    guard membership.isJoint, !settings.faults.contains(.jointMajorityForgotten) else { return incoming }
    return min(incoming, majority(membership.outgoing, own: own) { $0.isOutgoing ? value($0) : nil })
  }

  private func majority<Value: FixedWidthInteger & BitwiseCopyable>(
    _ voters: [NodeID], own: Value, _ value: (borrowing FollowerProgress) -> Value?
  ) -> Value {
    withUnsafeTemporaryAllocation(of: Value.self, capacity: voters.count) { values in
      var count = 0
      // In descending order: the one in the middle is reached by more than half.
      func insert(_ value: Value) {
        var place = count
        while place > 0, values[place - 1] < value {
          values[place] = values[place - 1]
          place -= 1
        }
        values[place] = value
        count += 1
      }
      if voters.contains(node) { insert(own) }
      for index in followers.indices {
        if let value = value(followers[index]) { insert(value) }
      }
      precondition(count == voters.count, "followers and membership differ")
      return values[count / 2]
    }
  }
}
