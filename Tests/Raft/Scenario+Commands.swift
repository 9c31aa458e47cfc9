import Core

@testable import Raft

extension Scenario {
  func carryOut(_ verb: Substring, _ words: ArraySlice<Substring>) throws {
    switch verb {
    case "set": try set(words)
    case "nodes": try found(words)
    case "log": try plantLog(words)
    case "campaign": try campaign(words)
    case "elect":
      try campaign(words)
      try carryOut("deliver", [])
    case "deliver": try each(words) { deliver($0) }
    case "drop":
      try each(words) {
        let envelope = network.remove(at: $0)
        tell("lost \(envelope.from + 1)→\(envelope.to + 1) \(envelope.message.words)")
      }
    case "double": network += network
    case "reverse": network.reverse()
    case "partition": try partition(words)
    case "cut":
      for link in words { blocked.insert(try ends(of: link)) }
    case "heal": blocked = []
    case "propose": try propose(words)
    case "wait": clock = clock + .milliseconds(try number(words.first))
    case "run": try run(until: clock + .milliseconds(try number(words.first)))
    case "approach": try run(until: nodes[try node(words.first)].machine.electionDeadline + .milliseconds(-Scenario.stepMilliseconds))
    case "tick": at(try node(words.first)) { $0.machine.tick(at: clock, into: &$0.output) }
    case "beat": try beat(words)
    case "disk": try disk(words)
    case "crash", "kill": try stop(verb, words)
    case "restart": try restart(words)
    case "members": try changeMembers(words)
    case "transfer": try transfer(words)
    case "snapshot": try takeSnapshot(words)
    case "status": for index in nodes.indices { tell("\(index + 1) \(nodes[index].words)") }
    case "network": for envelope in network { tell("\(envelope.from + 1)→\(envelope.to + 1) \(envelope.message.words)") }
    case "lease": try tellLease(words)
    default: throw Mistake("unknown command \(verb)")
    }
  }

  private func number(_ word: Substring?) throws -> Int {
    guard let word, let number = Int(word) else { throw Mistake("a number is missing") }
    return number
  }

  private func set(_ words: ArraySlice<Substring>) throws {
    guard nodes.isEmpty, let key = words.first else { throw Mistake("set comes before nodes") }
    choices.append((String(key), try number(words.last)))
  }

  private func apply(_ key: String, _ value: Int, to settings: inout RaftSettings) throws {
    switch key {
    case "appendBytes": settings.maximumAppendBytes = value
    case "inFlightMessages": settings.maximumInFlightMessages = value
    case "inFlightBytes": settings.maximumInFlightBytes = value
    case "tailBytes": settings.tailBytes = value
    case "uncommittedBytes": settings.maximumUncommittedBytes = value
    case "promotionLag": settings.promotionLagEntries = UInt64(value)
    default: throw Mistake("unknown setting \(key)")
    }
  }

  private func members(_ words: ArraySlice<Substring>) throws -> Membership {
    var lists: [Substring: [NodeID]] = [:]
    var list: Substring = "voters"
    for word in words {
      if let number = UInt64(word) { lists[list, default: []].append(NodeID(number)) } else { list = word }
    }
    return Membership(voters: lists["voters"] ?? [], learners: lists["learners"] ?? [])
  }

  private func found(_ words: ArraySlice<Substring>) throws {
    let count = try number(words.first)
    let all = (1...count).map { NodeID(UInt64($0)) }
    let membership = words.count == 1 ? Membership(voters: all) : try members(words.dropFirst())
    for id in all {
      var mistake: (any Error)?
      let node = TestNode(id, membership: membership, seed: 7 &* id.value, ledger: ledger) { settings in
        settings.maximumInFlightMessages = 16
        settings.maximumInFlightBytes = 16 << 10
        settings.maximumAppendBytes = 1 << 10
        settings.tailBytes = 16 << 10
        for (key, value) in choices {
          do { try apply(key, value, to: &settings) } catch { mistake = error }
        }
      }
      if let mistake { throw mistake }
      nodes.append(node)
      applied.append(.zero)
      node.start(at: clock)
    }
  }

  /// `log 3 1 1 2 term 4`: what node 3 has on its disk, as the terms of its entries, and the term it has seen; it begins
  /// anew with that.
  private func plantLog(_ words: ArraySlice<Substring>) throws {
    let node = nodes[try node(words.first)]
    var offset = Offset(1)
    var last: Term = 0
    let parts = words.dropFirst().split(separator: "term", omittingEmptySubsequences: false)
    for word in parts[0] {
      guard let term = Term(word) else { throw Mistake("not a term: \(word)") }
      let entry = TestNode.entries([""], from: offset, term: term)
      let write = LogWrite(truncateFrom: nil, entries: entry, last: offset, generation: 0)
      node.disk.synced.apply(write)
      node.disk.cached.apply(write)
      offset = offset.next
      last = term
    }
    if parts.count > 1 { last = Term(try number(parts[1].first)) }
    node.disk.synced.hardState = RaftHardState(term: last)
    node.disk.cached.hardState = RaftHardState(term: last)
    ledger.check(log: node.disk.cached, from: Offset(1), at: node.id)
    node.start(at: clock)
  }

  /// Moves the clock to when the node has waited long enough for a leader.
  private func campaign(_ words: ArraySlice<Substring>) throws {
    let index = try node(words.first)
    clock = max(clock, nodes[index].machine.electionDeadline)
    at(index) { $0.machine.tick(at: clock, into: &$0.output) }
  }

  private static let stepMilliseconds = 10

  /// Everybody does what there is to do, as time passes.
  private func run(until end: Instant) throws {
    while clock < end {
      clock = min(end, clock + .milliseconds(Scenario.stepMilliseconds))
      for index in nodes.indices { at(index) { $0.machine.tick(at: clock, into: &$0.output) } }
      try carryOut("deliver", [])
    }
  }

  /// Moves the clock to the next multiple of the heartbeat and lets the node notice.
  private func beat(_ words: ArraySlice<Substring>) throws {
    let index = try node(words.first)
    let every = nodes[index].settings.heartbeatEvery.nanoseconds
    clock = Instant(nanoseconds: (clock.nanoseconds / every + 1) * every)
    at(index) { $0.machine.tick(at: clock, into: &$0.output) }
  }

  private func ends(of link: Substring) throws -> [Int] {
    let ends = link.split(separator: ">", omittingEmptySubsequences: false)
    guard ends.count == 2 else { throw Mistake("not a link: \(link)") }
    return try ends.map { $0 == "*" ? -1 : try node($0) }
  }

  /// Takes messages one by one: all there are and that come, or those of the links named, so many if a number follows.
  private func each(_ words: ArraySlice<Substring>, _ take: (Int) -> Void) throws {
    if words.isEmpty {
      var left = Scenario.mostDeliveries
      while !network.isEmpty {
        guard left > 0 else { throw Mistake("it does not come to rest") }
        left -= 1
        take(0)
      }
    }
    var rest = words
    while let link = rest.popFirst() {
      let wanted = try ends(of: link)
      func place() -> Int? {
        network.firstIndex { (wanted[0] < 0 || $0.from == wanted[0]) && (wanted[1] < 0 || $0.to == wanted[1]) }
      }
      var left = network.filter { (wanted[0] < 0 || $0.from == wanted[0]) && (wanted[1] < 0 || $0.to == wanted[1]) }.count
      if let count = rest.first.flatMap({ Int($0) }) {
        rest.removeFirst()
        left = count
      }
      while left > 0, let next = place() {
        left -= 1
        take(next)
      }
    }
  }

  private func partition(_ words: ArraySlice<Substring>) throws {
    let sides = try words.split(separator: "|").map { try $0.map { try node($0) } }
    blocked = []
    for side in sides {
      for other in sides where other != side {
        for from in side { for to in other { blocked.insert([from, to]) } }
      }
    }
    for place in network.indices.reversed() where blocked.contains([network[place].from, network[place].to]) {
      network.remove(at: place)
    }
  }

  private func propose(_ words: ArraySlice<Substring>) throws {
    let index = try node(words.first)
    var verdict: ProposalVerdict?
    at(index) {
      let entries = TestNode.entries(words.dropFirst().map(String.init), from: $0.machine.last.next, term: $0.machine.term)
      verdict = $0.machine.propose(entries, at: clock, into: &$0.output)
    }
    if let words = verdict?.words { tell(words) }
  }

  private func disk(_ words: ArraySlice<Substring>) throws {
    let index = try node(words.first)
    switch words.last {
    case "slow": nodes[index].isDiskSlow = true
    case "fast":
      nodes[index].isDiskSlow = false
      settle(index)
    case "vote": at(index) { $0.completeHardState(at: clock) }
    case "log": at(index) { $0.completeLog(at: clock) }
    case "done":
      while nodes[index].isUp, !nodes[index].disk.isIdle {
        at(index) { $0.disk.hardStateQueue.isEmpty ? $0.completeLog(at: clock) : $0.completeHardState(at: clock) }
      }
    default: throw Mistake("a disk is slow, fast, or has done something")
    }
  }

  /// A crash loses all that the disk was not done with; a kill loses only what the process had in memory.
  private func stop(_ verb: Substring, _ words: ArraySlice<Substring>) throws {
    let index = try node(words.first)
    nodes[index].stop()
    if verb == "kill" { return nodes[index].disk.loseProcess() }
    nodes[index].disk.loseEverythingUnsynced()
  }

  private func restart(_ words: ArraySlice<Substring>) throws {
    let index = try node(words.first)
    applied[index] = nodes[index].disk.cached.snapshot?.state ?? .zero
    nodes[index].start(at: clock)
    settle(index)
    tell("\(index + 1) \(nodes[index].words)")
  }

  private func changeMembers(_ words: ArraySlice<Substring>) throws {
    let index = try node(words.first)
    let target = try members(words.dropFirst())
    var verdict: MembershipVerdict?
    at(index) { verdict = $0.machine.changeMembership(to: target, at: clock, into: &$0.output) }
    if let words = verdict?.words { tell(words) }
  }

  private func transfer(_ words: ArraySlice<Substring>) throws {
    let index = try node(words.first)
    let target = words.count > 1 ? NodeID(UInt64(try number(words.last))) : nil
    var verdict: TransferVerdict?
    at(index) { verdict = $0.machine.transferLeadership(to: target, at: clock, into: &$0.output) }
    if let words = verdict?.words { tell(words) }
  }

  /// `snapshot 1 4`: of everything committed, and the log is trimmed up to 4; up to the snapshot if no number is given.
  private func takeSnapshot(_ words: ArraySlice<Substring>) throws {
    let node = nodes[try node(words.first)]
    let state = min(node.machine.committed, node.machine.durable)
    let base = words.count > 1 ? Offset(UInt64(try number(words.last))) : state
    guard let term = node.machine.term(at: base) else { throw Mistake("entry \(base) is not in the log") }
    let mark = SnapshotMark(state: state, base: LogPosition(offset: base, term: term), membership: node.disk.membership(at: base))
    node.disk.keepSnapshot(mark)
    node.machine.snapshotTaken(state)
    node.machine.compacted(upTo: base)
  }

  private func tellLease(_ words: ArraySlice<Substring>) throws {
    let index = try node(words.first)
    let machine = nodes[index].machine.leaseholds(at: clock) ? "holds a lease" : "holds no lease"
    tell("\(index + 1) \(machine)\(nodes[index].machine.hasQuorum(at: clock) ? "" : ", hears no majority")")
  }
}
