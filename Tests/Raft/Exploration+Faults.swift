import Core

@testable import Raft

/// What goes wrong, and what is asked of the cluster.
extension Exploration {
  func propose() {
    guard let index = someLeader() else { return }
    let node = nodes[index]
    let count = 1 + random.below(4)
    let payloads = (0..<count).map { _ in
      proposed += 1
      return "\(proposed)"
    }
    let entries = TestNode.entries(payloads, from: node.machine.last.next, term: node.machine.term)
    _ = node.machine.propose(entries, at: clock, into: &node.output)
    collect(index)
  }

  /// Any that believes that it leads.
  func someLeader() -> Int? {
    let leaders = nodes.indices.filter { isAwake($0) && nodes[$0].machine.role == .leader }
    return leaders.isEmpty ? nil : leaders[random.below(leaders.count)]
  }

  /// Lets something happen to one node, to one that leads, or to about half of them at once.
  func strike(_ fault: (Int) -> Void) {
    switch random.below(4) {
    case 0: if let leader = someLeader() { fault(leader) }
    case 1: for index in nodes.indices where random.below(2) == 0 { fault(index) }
    default: fault(random.below(nodes.count))
    }
  }

  func losePower(_ index: Int) {
    guard nodes[index].isUp else { return }
    nodes[index].stop()
    nodes[index].disk.losePower(&random)
    tell("\(index + 1) loses power; log after \(nodes[index].disk.cached.base) up to \(nodes[index].disk.cached.last)")
    // What it said last may not have left it.
    if random.below(2) == 0 { network.removeAll { $0.from == index } }
    note(1)
  }

  func kill(_ index: Int) {
    guard nodes[index].isUp else { return }
    nodes[index].stop()
    nodes[index].disk.loseProcess()
    tell("\(index + 1) is killed")
    note(2)
    guard random.below(3) == 0 else { return }
    // What ended the process may end the machine too, a little later, when another process already runs.
    stalledUntil[index] = clock + .milliseconds(1000)
    later(20 + random.below(400)) { $0.losePower(index) }
    if random.below(2) == 0 { restart(index) }
  }

  /// A new leader may be heard by nobody, or end soon.
  func strike(newLeader index: Int) {
    if let muted { connect(muted) }
    muted = nil
    if random.below(100) < mix.mutedLeaders {
      muted = index
      for other in nodes.indices { blocked[index * Exploration.size + other] = true }
    } else if random.below(100) < mix.earlyDeaths {
      later(random.below(40)) { $0.random.below(3) == 0 ? $0.isolate(index) : $0.losePower(index) }
    }
  }

  /// A follower is killed before its disk has synced what it took, and goes on with what is in the system's memory.
  /// It and just enough others hear the leader. Then power is lost there, and those that heard nothing elect.
  func plot() {
    guard let leader = someLeader() else { return }
    let voters = nodes.indices.filter { $0 != leader && nodes[leader].machine.membership.isVoter(nodes[$0].id) && nodes[$0].isUp }
    guard voters.count >= 2 else { return }
    var others = voters
    let victim = others.remove(at: random.below(others.count))
    while others.count > (voters.count + 1) / 2 { others.remove(at: random.below(others.count)) }
    for bystander in others { isolate(bystander, from: nodes.indices.filter { !others.contains($0) }) }
    stalledUntil[victim] = clock + .milliseconds(5000)
    propose()
    let isUnsynced = 20 + random.below(100)
    later(isUnsynced) {
      $0.kill(victim)
      if !$0.nodes[victim].isUp { $0.restart(victim) }
    }
    later(isUnsynced + 50 + random.below(300)) {
      $0.losePower(victim)
      $0.restart(victim)
      $0.stalledUntil[victim] = $0.clock
      for index in others + [victim] { $0.connect(index) }
      $0.isolate(leader, from: Array($0.nodes.indices))
    }
  }

  func connect(_ index: Int) {
    for other in nodes.indices {
      blocked[index * Exploration.size + other] = false
      blocked[other * Exploration.size + index] = false
    }
  }

  func isolate(_ index: Int, from others: [Int]) {
    for other in others {
      blocked[index * Exploration.size + other] = true
      blocked[other * Exploration.size + index] = true
    }
  }

  func restartOne() {
    let down = nodes.indices.filter { !nodes[$0].isUp }
    if !down.isEmpty { restart(down[random.below(down.count)]) }
  }

  func restart(_ index: Int) {
    restarts += 1
    checked[index] = .zero
    applied[index] = nodes[index].disk.cached.snapshot?.state ?? .zero
    nodes[index].start(at: clock)
    tell("\(index + 1) \(nodes[index].words)")
    collect(index)
  }

  /// Ends what stands in the way of an election.
  func mend() {
    for index in nodes.indices where random.below(3) != 0 {
      connect(index)
      pausedUntil[index] = clock
      stalledUntil[index] = clock
      if !nodes[index].isUp { restart(index) }
    }
  }

  func partition() {
    for link in blocked.indices { blocked[link] = false }
    switch random.below(4) {
    case 0: break
    case 1:
      // Two sides.
      let side = random.next()
      for from in nodes.indices {
        for to in nodes.indices where side >> from & 1 != side >> to & 1 { blocked[from * Exploration.size + to] = true }
      }
    case 2: isolate(random.below(nodes.count))
    default:
      for link in blocked.indices { blocked[link] = random.below(3) == 0 }
    }
  }

  /// One node hears nobody, or nobody hears it, or both.
  func isolate(_ alone: Int) {
    let manner = random.below(3)
    for other in nodes.indices {
      if manner != 0 { blocked[alone * Exploration.size + other] = true }
      if manner != 1 { blocked[other * Exploration.size + alone] = true }
    }
  }

  func changeMembership() {
    guard let index = someLeader() else { return }
    var ids = nodes.map(\.id)
    for place in ids.indices.dropLast() { ids.swapAt(place, place + random.below(ids.count - place)) }
    let voters = 1 + random.below(5)
    let learners = random.below(ids.count - voters + 1)
    let target = Membership(voters: Array(ids.prefix(voters)), learners: Array(ids.dropFirst(voters).prefix(learners)))
    let before = nodes[index].machine.membership
    let verdict = nodes[index].machine.changeMembership(to: target, at: clock, into: &nodes[index].output)
    collect(index)
    guard case .accepted = verdict, random.below(100) < mix.splitChanges else { return }
    let leaving = nodes.indices.filter { $0 != index && before.isVoter(nodes[$0].id) && !target.isVoter(nodes[$0].id) }
    for each in leaving { isolate(each, from: nodes.indices.filter { !leaving.contains($0) }) }
  }

  func transfer() {
    guard let index = someLeader() else { return }
    let target = random.below(2) == 0 ? nil : nodes[random.below(nodes.count)].id
    _ = nodes[index].machine.transferLeadership(to: target, at: clock, into: &nodes[index].output)
    collect(index)
  }

  func takeSnapshot(_ index: Int) {
    let node = nodes[index]
    guard node.isUp, node.disk.isIdle else { return }
    let cached = node.disk.cached
    let state = min(node.machine.committed, node.machine.durable)
    guard state > cached.base.offset, state >= (cached.snapshot?.state ?? .zero) else { return }
    // The log keeps some of its past, or none.
    let base = Offset(state.value - UInt64(random.below(Int(state.value - cached.base.offset.value) + 1)))
    let term = node.machine.term(at: base)!
    let mark = SnapshotMark(state: state, base: LogPosition(offset: base, term: term), membership: node.disk.membership(at: base))
    tell("\(index + 1) takes a \(mark.words)")
    node.disk.keepSnapshot(mark)
    node.machine.snapshotTaken(state)
    node.machine.compacted(upTo: base)
  }
}
