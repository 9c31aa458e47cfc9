internal import Core

// Which brokers are to hold each shard, in the order of the goals: enough replicas, apart, even, few moves.

extension PlacementBoard {
  /// Replicas stay where they are, except on brokers that leave or are lost. A learner on a dead broker is not waited
  /// for as long: it protects nobody yet.
  mutating func keepWhatCounts() {
    for shard in shards.indices {
      for voter in shards[shard].voters where !brokers[voter].isLost && !brokers[voter].isLeaving { give(shard, to: voter) }
      for learner in shards[shard].learners where brokers[learner].learns && !brokers[learner].isLeaving {
        give(shard, to: learner)
      }
    }
  }

  /// Where there are more than enough (a move is under way, or fewer are wanted now) the dead go first, then those who
  /// share a rack, then the one on the fullest broker.
  mutating func trim() {
    for shard in shards.indices {
      while targets[shard].count > policy.replicas {
        var worst = targets[shard][0]
        for candidate in targets[shard].dropFirst() where isWorse(candidate, than: worst, in: shard) { worst = candidate }
        take(shard, from: worst)
      }
    }
  }

  private func isWorse(_ a: Int, than b: Int, in shard: Int) -> Bool {
    if isLive(a) != isLive(b) { return !isLive(a) }
    let (sharingA, sharingB) = (sharing(shard, a), sharing(shard, b))
    if sharingA != sharingB { return sharingA > sharingB }
    if counts[a] != counts[b] { return counts[a] > counts[b] }
    let (votesA, votesB) = (shards[shard].voters.contains(a), shards[shard].voters.contains(b))
    if votesA != votesB { return !votesA }
    if (a == shards[shard].leader) != (b == shards[shard].leader) { return b == shards[shard].leader }
    return a > b
  }

  /// Finds brokers for missing replicas, the shards worst off first. Says whether nothing was missing and nobody is
  /// dead: only then is it time to think of balance.
  mutating func fill() -> Bool {
    let needy = shards.indices.filter { targets[$0].count < policy.replicas }
    let ordered = needy.sorted { a, b in
      let (liveA, liveB) = (targets[a].count(where: isLive), targets[b].count(where: isLive))
      return liveA != liveB ? liveA < liveB : a < b
    }
    for shard in ordered {
      while targets[shard].count < policy.replicas, let receiver = bestReceiver(of: shard) { give(shard, to: receiver) }
    }
    return needy.isEmpty && brokers.indices.allSatisfy { isLive($0) || counts[$0] == 0 }
  }

  private func bestReceiver(of shard: Int) -> Int? {
    var best: Int?
    for candidate in brokers.indices where brokers[candidate].receives && !targets[shard].contains(candidate) {
      guard let current = best else {
        best = candidate
        continue
      }
      let (sharingA, sharingB) = (sharing(shard, candidate), sharing(shard, current))
      if sharingA != sharingB {
        if sharingA < sharingB { best = candidate }
      } else if (counts[candidate], loads[candidate]) < (counts[current], loads[current]) {
        best = candidate
      }
    }
    return best
  }

  /// Moves replicas apart and then evens them out, as many at once as the policy allows.
  mutating func balance() {
    var underWay = shards.indices.count { !isSettled($0) }
    while underWay < policy.movesAtOnce, let move = apartMove() ?? evenMove() {
      take(move.shard, from: move.from)
      give(move.shard, to: move.to)
      underWay += 1
    }
  }

  private struct Move {
    let shard: Int
    let from: Int
    let to: Int
  }

  /// A replica that shares its rack goes to a broker whose rack has none; from the fullest broker first, so that what
  /// is moved apart is evened out by the same move.
  private func apartMove() -> Move? {
    var best: Move?
    for shard in shards.indices where isSettled(shard) {
      for from in targets[shard] where sharing(shard, from) > 0 {
        if let best, counts[best.from] >= counts[from] { continue }
        let free = brokers.indices.filter {
          brokers[$0].receives && !targets[shard].contains($0) && sharing(shard, $0, without: from) == 0
        }
        guard let to = free.min(by: { (counts[$0], $0) < (counts[$1], $1) }) else { continue }
        best = Move(shard: shard, from: from, to: to)
      }
    }
    return best
  }

  /// From a broker with at least two more replicas to one with fewer; the widest difference first, then the lightest
  /// shard, rather not one that the broker leads.
  private func evenMove() -> Move? {
    let sources = brokers.indices.filter { brokers[$0].receives }.sorted { (-counts[$0], $0) < (-counts[$1], $1) }
    let receivers = sources.sorted { (counts[$0], loads[$0], $0) < (counts[$1], loads[$1], $1) }
    for from in sources {
      for to in receivers {
        guard counts[from] - counts[to] >= 2 else { break }
        let movable = shards.indices.filter { shard in
          isSettled(shard) && targets[shard].contains(from) && !targets[shard].contains(to)
            && sharing(shard, to, without: from) <= sharing(shard, from)
        }
        let lightest = movable.min { a, b in
          let (leadsA, leadsB) = (shards[a].leader == from ? 1 : 0, shards[b].leader == from ? 1 : 0)
          return (leadsA, shards[a].load, a) < (leadsB, shards[b].load, b)
        }
        if let lightest { return Move(shard: lightest, from: from, to: to) }
      }
    }
    return nil
  }
}
