internal import Core
internal import Feeds
internal import Journal
internal import Shard

/// Committing: the one door from "appended" to anything that anybody sees.
extension ShardReplica {
  /// Everything up to `offset` is committed: takes it into the state, answers who waited, pushes to the feeds.
  mutating func commit(upTo offset: Offset, into output: inout ReplicaOutput) {
    var moved = false
    while let head = queue.first, head.last <= offset {
      moved = true
      let appended = queue.removeFirst()
      pendingBytes -= appended.cost
      guard appended.bytes.isEmpty || apply(appended, into: &output) else { return }
      answer(appended.waiting, into: &output)
    }
    guard moved else { return }
    gate.applied(upTo: committed)
    flushAnswers(into: &output)
    handOutWills(into: &output)
    openWaiting(into: &output)
    answerHeld(into: &output)
    feeds.push(settings.shard, upTo: committed, counting: &counters, into: &output)
  }

  /// False when the state cannot take an entry: then nothing further is served from this shard.
  private mutating func apply(_ appended: Appended, into output: inout ReplicaOutput) -> Bool {
    outcomes.removeAll(keepingCapacity: true)
    let before = committed
    let problem = applyEntries(appended.bytes)
    if let problem {
      refuse(appended.waiting, .journalFailed("\(problem)"), into: &output)
      fail("\(problem)", into: &output)
      return false
    }
    if settings.tellsCommits { output.commits.append(appended.bytes) }
    let count = committed.value - before.value
    counters.committed += count
    snapshots.note(bytes: appended.bytes.count, entries: Int(count))
    tail.append(appended.bytes, first: appended.first, last: appended.last, cost: appended.cost, durable: log.durable)
    return true
  }

  private mutating func applyEntries(_ bytes: Bytes) -> ShardStateError? {
    let hasFeeds = !feeds.isEmpty
    if hasFeeds { feeds.beginBatch() }
    let problem: ShardStateError? = bytes.withUnsafeBytes { memory in
      var at = 0
      for entry in RecordSequence(trusting: memory) {
        if entry.offset <= state.applied {
          // A snapshot that came in holds it already.
          at += entry.length
          continue
        }
        do throws(ShardStateError) {
          try state.apply(entry, outcomes: &outcomes)
        } catch { return error }
        let end = at + entry.length
        if entry.kind == .record { newestMessage = entry.offset }
        if hasFeeds, entry.kind == .record { feeds.offer(entry.topic, at: at..<end, of: bytes) }
        at = end
      }
      return nil
    }
    if hasFeeds { feeds.endBatch(bytes) }
    return problem
  }

  private mutating func answer(_ waiting: Appended.Waiting, into output: inout ReplicaOutput) {
    switch waiting {
    case .nobody: break
    case .results(let edge, let results): answer(edge, results)
    case .lookUp(let lookUp): answer(lookUp, into: &output)
    case .commands(let askers):
      for (outcome, askers) in zip(outcomes, askers) {
        let result: Result<CommandAnswer, Refusal> =
          switch outcome {
          case .consumer(let consumer): .success(.consumers([consumer]))
          case .session(let opened, of: _, ended: _, heldBy: _): .success(.opened(opened))
          case .done: .success(.done)
          case .refused(let refusal): .failure(refusal)
          }
        for asker in askers where !answerGroup(asker, outcome, into: &output) && !holds(asker, outcome) {
          answer(asker, result, into: &output)
        }
        if case .session(_, of: _, ended: let claim?, heldBy: let holder?) = outcome { tell(holder, of: claim, into: &output) }
      }
    }
  }

  func answer(_ asker: CommandAsker, _ result: Result<CommandAnswer, Refusal>, into output: inout ReplicaOutput) {
    let shard = settings.shard
    let reply: ShardReply =
      switch asker.kind {
      case .consumer: .consumer(ConsumerReply(shard: shard, ticket: asker.ticket, result: result.map(\.consumers)))
      case .session: .session(SessionReply(shard: shard, ticket: asker.ticket, result: result.map(\.session)))
      case .group, .join: preconditionFailure("a group's edge is answered by answerGroup")
      }
    output.replies.append(AddressedReply(edge: asker.edge, reply: reply))
  }

  mutating func refuse(_ waiting: Appended.Waiting, _ refusal: Refusal, into output: inout ReplicaOutput) {
    switch waiting {
    case .nobody: break
    case .results(let edge, let results):
      counters.refused += UInt64(results.count)
      answer(edge, results.map { PublishResult(ticket: $0.ticket, outcome: .refused(refusal)) })
    case .commands(let askers):
      for asker in askers.joined() where !answerGroup(asker, .refused(refusal), into: &output) {
        answer(asker, .failure(refusal), into: &output)
      }
    case .lookUp(let lookUp):
      answer(lookUp.asker, .failure(refusal), into: &output)
    }
  }

  /// A mistake made on purpose.
  mutating func answerEarly(into output: inout ReplicaOutput) {
    guard !queue.isEmpty else { return }
    var newest = queue.removeLast()
    answer(newest.waiting, into: &output)
    newest.waiting = .nobody
    queue.append(newest)
    flushAnswers(into: &output)
  }

  /// Gathers results, so that an edge gets one reply per commit.
  mutating func answer(_ edge: EdgeID, _ results: [PublishResult]) {
    guard !results.isEmpty else { return }
    if let index = answered.firstIndex(where: { $0.edge == edge }) {
      answered[index].results.append(contentsOf: results)
    } else {
      answered.append((edge, results))
    }
  }

  mutating func flushAnswers(into output: inout ReplicaOutput) {
    for (edge, results) in answered {
      output.replies.append(AddressedReply(edge: edge, reply: .published(settings.shard, results)))
    }
    answered.removeAll(keepingCapacity: true)
  }
}
