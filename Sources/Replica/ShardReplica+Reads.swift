public import Core
internal import Feeds
public import Journal
internal import Shard

/// Reads of the log: where they begin, how they go on, how they are answered.
extension ShardReplica {
  mutating func read(_ request: ReadRequest, wall: WallTime, into output: inout ReplicaOutput) {
    counters.reads += 1
    guard mayRead else { return answer(request, .failure(readRefusal), into: &output) }
    guard desk.waitingCount < settings.maximumWaitingReads else {
      answer(request, .failure(.overloaded), into: &output)
      return
    }
    switch request.start {
    case .after(let offset):
      var scan = Scan(request, at: resumption(after: offset))
      if offset > committed {
        guard knowsTheEnd else { return answer(request, .failure(readRefusal), into: &output) }
        scan.gap = ReadGap(reason: .future, from: offset, to: committed)
        scan.at = committed
      }
      if let walk = sparseWalk(scan, request) { go(.walk(walk), wall: wall, into: &output) } else { go(.scan(scan), wall: wall, into: &output) }
    case .latest:
      answer(request, .success(ReadReply.Page(pieces: [], upTo: committed, committed: committed, isBehind: isBehind)), into: &output)
    case .earliest:
      go(.scan(Scan(request, at: beforeFirst)), wall: wall, into: &output)
    case .time(let time):
      var scan = Scan(request, at: beforeFirst)
      scan.notBefore = time
      switch log.search(time: time) {
      case .found(let offset):
        scan.at = min(committed, Offset(offset.value - 1))
        go(.scan(scan), wall: wall, into: &output)
      case .read(let plan):
        wait(.time(scan), for: plan, into: &output)
      }
    case .last(let count):
      go(.walk(lastWalk(request, count)), wall: wall, into: &output)
    case .current:
      let page = ReadReply.Page(
        pieces: state.topics.currentValues(matching: request.filters, at: wall), upTo: committed, committed: committed,
        isCurrentValues: true, isBehind: isBehind)
      answer(request, .success(page), into: &output)
    }
  }

  mutating func history(_ request: HistoryRequest, wall: WallTime, into output: inout ReplicaOutput) {
    counters.histories += 1
    guard mayRead else {
      answer(request.edge, HistoryReply(shard: settings.shard, ticket: request.ticket, result: .failure(readRefusal)), into: &output)
      return
    }
    guard desk.waitingCount < settings.maximumWaitingReads else {
      answer(request.edge, HistoryReply(shard: settings.shard, ticket: request.ticket, result: .failure(.overloaded)), into: &output)
      return
    }
    let limit = min(request.limit, settings.maximumWalkRecords)
    var walk = Walk(
      edge: request.edge, ticket: request.ticket, purpose: .history, maximumRecords: limit,
      maximumBytes: settings.maximumHistoryBytes)
    let head = request.topic.bytes.withUnsafeBytes { state.topics.newest($0) }
    if head > .zero, limit > 0 {
      if let before = request.before { walk.before = before }
      if walk.before <= head, walk.before >= log.first {
        walk.probe = (request.topic, head)
        walk.push(Walk.Step(offset: walk.before, remaining: limit))
      } else if walk.before > log.first {
        walk.push(Walk.Step(offset: head, remaining: limit))
      }
    }
    go(.walk(walk), wall: wall, into: &output)
  }

  private func resumption(after offset: Offset) -> Offset {
    if settings.faults.isEmpty { return offset }
    if settings.faults.contains(.resumedOneTooHigh), offset < committed { return offset.next }
    return settings.faults.contains(.resumedOneTooLow) && offset > .zero ? Offset(offset.value - 1) : offset
  }

  private var isBehind: Bool { !isServing && !isAlone }

  var beforeFirst: Offset { Offset(log.first.value - 1) }

  /// The disk has answered a read.
  public mutating func readCompleted(
    _ ticket: ReadTicket, _ result: Result<Bytes, DiskError>, at now: Instant, wall: WallTime, into output: inout ReplicaOutput
  ) {
    clock = now
    if landTransfer(ticket, result, into: &output) { return settle(into: &output) }
    guard let flight = desk.land(ticket) else { return }
    defer { settle(into: &output) }
    var entries: Result<ReadEntries, Refusal>?
    for waiting in flight.waiting {
      guard flight.cuts == log.counters.cuts else {
        go(waiting, wall: wall, into: &output)
        continue
      }
      switch result {
      case .failure(let error) where error.kind == .missing:
        // Retention took the file away meanwhile: planned anew, as a gap if need be.
        go(waiting, wall: wall, into: &output)
      case .failure(let error):
        if error.kind == .failed { foundDamage("\(error)", into: &output) }
        refuse(waiting, unreadable("\(error)"), into: &output)
      case .success(let bytes):
        let parsed = entries ?? parse(flight.plan, bytes, into: &output)
        entries = parsed
        switch parsed {
        case .success(let found): goOn(waiting, flight.plan, found, wall: wall, into: &output)
        case .failure(let refusal): refuse(waiting, refusal, into: &output)
        }
      }
    }
  }

  private mutating func parse(_ plan: ReadPlan, _ bytes: Bytes, into output: inout ReplicaOutput) -> Result<ReadEntries, Refusal> {
    do {
      return .success(try plan.parse(bytes))
    } catch {
      foundDamage("\(error)", into: &output)
      return .failure(unreadable("\(error)"))
    }
  }

  /// The other replicas have what cannot be read here, and one of them leads soon.
  private func unreadable(_ why: String) -> Refusal { ailment == nil ? .damaged(why) : .notLeader(nil) }

  private mutating func goOn(
    _ waiting: ReadDesk.Waiting, _ plan: ReadPlan, _ entries: ReadEntries, wall: WallTime, into output: inout ReplicaOutput
  ) {
    switch waiting {
    case .scan(var scan):
      scan.examine(entries.bytes, upTo: committed, wall: wall)
      scan.place = entries.next
      go(.scan(scan), wall: wall, into: &output)
    case .time(var scan):
      // Everything before this stretch is earlier; the scan passes over what is in it.
      scan.at = min(committed, Offset(plan.from.value - 1))
      scan.examine(entries.bytes, upTo: committed, wall: wall)
      scan.place = entries.next
      go(.scan(scan), wall: wall, into: &output)
    case .walk(var walk):
      walk.stretch = entries
      go(.walk(walk), wall: wall, into: &output)
    }
  }

  /// Goes as far as memory allows: to the answer, or to the next read.
  mutating func go(_ waiting: ReadDesk.Waiting, wall: WallTime, into output: inout ReplicaOutput) {
    guard mayRead else { return refuse(waiting, readRefusal, into: &output) }
    switch waiting {
    case .scan(var scan):
      switch advance(&scan, wall: wall) {
      case .read(let plan): wait(.scan(scan), for: plan, into: &output)
      case .done:
        if scan.group != nil { takeGroupPage(scan) } else { answer(scan, into: &output) }
      case .refused(let refusal): refuse(.scan(scan), refusal, into: &output)
      }
    case .time(var scan):
      scan.at = beforeFirst
      go(.scan(scan), wall: wall, into: &output)
    case .walk(var walk):
      switch advance(&walk, wall: wall) {
      case .read(let plan): wait(.walk(walk), for: plan, into: &output)
      case .done:
        if let scan = scan(insteadOf: walk) { go(.scan(scan), wall: wall, into: &output) } else { answer(walk, into: &output) }
      case .refused(let refusal): refuse(.walk(walk), refusal, into: &output)
      }
    }
  }

  private mutating func wait(_ waiting: ReadDesk.Waiting, for plan: ReadPlan, into output: inout ReplicaOutput) {
    if let ticket = desk.wait(waiting, for: plan, cuts: log.counters.cuts) {
      counters.diskReads += 1
      output.reads.append(ReplicaRead(ticket: ticket, plan: plan))
    } else {
      counters.joinedReads += 1
    }
  }

  private func answer(_ request: ReadRequest, _ result: Result<ReadReply.Page, Refusal>, into output: inout ReplicaOutput) {
    let reply = ReadReply(shard: settings.shard, ticket: request.ticket, result: result)
    output.replies.append(AddressedReply(edge: request.edge, reply: .read(reply)))
  }

  private func answer(_ edge: EdgeID, _ reply: HistoryReply, into output: inout ReplicaOutput) {
    output.replies.append(AddressedReply(edge: edge, reply: .history(reply)))
  }

  private func answer(_ scan: Scan, into output: inout ReplicaOutput) {
    let page = ReadReply.Page(pieces: scan.pieces, upTo: scan.at, committed: committed, gap: gap(of: scan), isBehind: isBehind)
    let reply = ReadReply(shard: settings.shard, ticket: scan.ticket, result: .success(page))
    output.replies.append(AddressedReply(edge: scan.edge, reply: .read(reply)))
  }

  private func answer(_ walk: Walk, into output: inout ReplicaOutput) {
    switch walk.purpose {
    case .history:
      answer(walk.edge, HistoryReply(shard: settings.shard, ticket: walk.ticket, result: .success(walk.found)), into: &output)
    case .last(let upTo), .since(_, let upTo):
      var whole = ByteBuffer(capacity: walk.bytes)
      for record in walk.found.reversed() { whole.append(record) }
      let pieces = whole.isEmpty ? [] : [whole.freeze()]
      let reply = ReadReply(
        shard: settings.shard, ticket: walk.ticket, result: .success(ReadReply.Page(pieces: pieces, upTo: upTo, committed: upTo, isBehind: isBehind)))
      output.replies.append(AddressedReply(edge: walk.edge, reply: .read(reply)))
    }
  }

  private mutating func refuse(_ waiting: ReadDesk.Waiting, _ refusal: Refusal, into output: inout ReplicaOutput) {
    switch waiting {
    case .scan(let scan) where scan.group != nil: _ = groups.stopReading(scan)
    case .scan(let scan), .time(let scan):
      let reply = ReadReply(shard: settings.shard, ticket: scan.ticket, result: .failure(refusal))
      output.replies.append(AddressedReply(edge: scan.edge, reply: .read(reply)))
    case .walk(let walk):
      if case .history = walk.purpose {
        answer(walk.edge, HistoryReply(shard: settings.shard, ticket: walk.ticket, result: .failure(refusal)), into: &output)
      } else {
        let reply = ReadReply(shard: settings.shard, ticket: walk.ticket, result: .failure(refusal))
        output.replies.append(AddressedReply(edge: walk.edge, reply: .read(reply)))
      }
    }
  }
}
