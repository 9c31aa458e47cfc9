internal import Core

extension PlacementBoard {
  /// What brings one shard nearer to its target without ever leaving its voters without a live majority.
  func nextStep(of index: Int) -> PlacementStep? {
    let shard = shards[index]
    let target = targets[index]
    guard let leader = shard.leader, isLive(leader), shard.voters.contains(leader), !shard.isChanging else { return nil }
    // Without a live majority nothing can be committed, a change of members least of all.
    guard hasLiveMajority(shard.voters) else { return nil }

    if !brokers[leader].leads, let heir = heir(of: index) { return .transferLeadership(shard.id, to: brokers[heir].id) }
    // Never more than one voter too many: with each more of them a majority takes more. The unwanted go first.
    if shard.voters.count > policy.replicas {
      if let step = removal(from: index, of: { _ in true }) { return step }
    } else if let ready = target.first(where: { shard.caughtUp.contains($0) && isLive($0) }),
      hasLiveMajority(shard.voters + [ready])
    {
      return .promote(shard.id, brokers[ready].id)
    }
    if let useless = shard.learners.first(where: { !target.contains($0) }) { return .remove(shard.id, brokers[useless].id) }
    if let missing = target.first(where: { !shard.voters.contains($0) && !shard.learners.contains($0) }) {
      return .addLearner(shard.id, brokers[missing].id)
    }
    // A lost broker for which there is no replacement may as well stay: it might come back. One that was told to
    // leave goes without one, if anybody is left.
    guard !target.isEmpty, target.allSatisfy(shard.voters.contains) else { return nil }
    return removal(from: index, of: { self.brokers[$0].isLeaving })
  }

  /// Takes one voter out that is not wanted any more, the dead first: they are in everyone's way.
  private func removal(from index: Int, of isEligible: (Int) -> Bool) -> PlacementStep? {
    let shard = shards[index]
    let unwanted = shard.voters.filter { !targets[index].contains($0) && isEligible($0) }
    for voter in unwanted.sorted(by: { (isLive($0) ? 1 : 0, $0) < (isLive($1) ? 1 : 0, $1) }) {
      guard hasLiveMajority(shard.voters.filter { $0 != voter }) else { continue }
      guard voter == shard.leader else { return .remove(shard.id, brokers[voter].id) }
      if let heir = heir(of: index) { return .transferLeadership(shard.id, to: brokers[heir].id) }
    }
    return nil
  }

  /// Who is to lead instead: a wanted voter, of these the one that leads least.
  private func heir(of index: Int) -> Int? {
    let leading = leaderCounts()
    return shards[index].voters
      .filter { $0 != shards[index].leader && brokers[$0].leads && targets[index].contains($0) }
      .min { (leading[$0], $0) < (leading[$1], $1) }
  }

  private func leaderCounts() -> [Int] {
    var leading = Array(repeating: 0, count: brokers.count)
    for case let leader? in shards.map(\.leader) { leading[leader] += 1 }
    return leading
  }

  func hasLiveMajority(_ voters: [Int]) -> Bool {
    voters.count(where: isLive) * 2 > voters.count
  }

  /// Evens out who leads, among shards that rest otherwise. A broker may be relieved through others: the path from one
  /// that leads most to one that leads at least two fewer is found breadth first, and walked from its end, so that
  /// nobody on it ever leads more than the first did.
  func leadershipMoves(besides isBusy: (Int) -> Bool) -> [(shard: Int, leader: Int)] {
    let resting = shards.indices.filter { !isBusy($0) && isSettled($0) && hasLiveMajority(shards[$0].voters) }
    var leaders = shards.map(\.leader)
    var leading = leaderCounts()
    var moves: [(shard: Int, leader: Int)] = []
    while moves.count < policy.movesAtOnce, let path = relief(resting, leaders, leading) {
      for (shard, leader) in path.reversed() {
        if let before = leaders[shard] { leading[before] -= 1 }
        leading[leader] += 1
        leaders[shard] = leader
        moves.removeAll { $0.shard == shard }
        moves.append((shard, leader))
      }
    }
    // A shard that went round to where it was has not moved.
    return Array(moves.filter { shards[$0.shard].leader != $0.leader }.prefix(policy.movesAtOnce))
  }

  private func relief(_ resting: [Int], _ leaders: [Int?], _ leading: [Int]) -> [(shard: Int, leader: Int)]? {
    let fullest = brokers.indices.filter { brokers[$0].leads }.sorted { (-leading[$0], $0) < (-leading[$1], $1) }
    for start in fullest {
      var cameBy: [Int: (shard: Int, from: Int)] = [:]
      var queue = [start]
      var head = 0
      while head < queue.count {
        let current = queue[head]
        head += 1
        if leading[start] - leading[current] >= 2 {
          var path: [(shard: Int, leader: Int)] = []
          var at = current
          while at != start, let step = cameBy[at] {
            path.insert((step.shard, at), at: 0)
            at = step.from
          }
          return path
        }
        for shard in resting where leaders[shard] == current {
          for voter in shards[shard].voters where brokers[voter].leads && voter != start && cameBy[voter] == nil {
            cameBy[voter] = (shard, current)
            queue.append(voter)
          }
        }
      }
    }
    return nil
  }
}
