public import Core

extension ShardRouter {
  /// A broker answers, or pushes.
  public mutating func receive(_ reply: ShardReply, from broker: NodeID, at now: Instant, into output: inout RouterOutput) {
    switch reply {
    case .push(let push):
      if lanes[push.shard.index].feedOn == broker { output.replies.append(reply) }
    case .interest(let answer):
      guard lanes[answer.shard.index].feedOn == broker else { return }
      lanes[answer.shard.index].somebodyLeads()
      output.replies.append(reply)
    case .feedEnded(let shard, let refusal):
      guard lanes[shard.index].feedOn == broker else { return }
      endFeed(shard.index, refusal, into: &output)
      redirect(shard.index, refusal, from: broker, at: now, into: &output)
    case .published(let shard, let results): take(results, shard.index, from: broker, at: now, into: &output)
    case .read(let answer):
      take(reply, answer.shard.index, answer.ticket, refusal(of: answer.result), from: broker, at: now, into: &output)
    case .history(let answer):
      take(reply, answer.shard.index, answer.ticket, refusal(of: answer.result), from: broker, at: now, into: &output)
    case .consumer(let answer):
      take(reply, answer.shard.index, answer.ticket, refusal(of: answer.result), from: broker, at: now, into: &output)
    case .presence(let answer):
      take(reply, answer.shard.index, answer.ticket, refusal(of: answer.result), from: broker, at: now, into: &output)
    case .session(let answer):
      take(reply, answer.shard.index, answer.ticket, refusal(of: answer.result), from: broker, at: now, into: &output)
    // Its table and its number, or its epoch, say whether it is still wanted.
    case .presencePush, .sessionNotice: output.replies.append(reply)
    case .group(let group):
      switch group.content {
      case .answer(let ticket, let refusal):
        if refusal == nil, lanes[group.shard.index].leader == broker { lanes[group.shard.index].groupsOn = broker }
        take(reply, group.shard.index, ticket, refusal, from: broker, at: now, into: &output)
      // Its opening says whether it is still wanted.
      case .push: output.replies.append(reply)
      case .ended(let refusal):
        guard lanes[group.shard.index].groupsOn == broker else { return }
        endGroups(group.shard.index, refusal, into: &output)
        redirect(group.shard.index, refusal, from: broker, at: now, into: &output)
      }
    }
  }

  private func refusal<T>(of result: Result<T, Refusal>) -> Refusal? {
    if case .failure(let refusal) = result { refusal } else { nil }
  }

  // Publishes ------------------------------------------------------------------------------------------

  private mutating func take(
    _ results: [PublishResult], _ index: Int, from broker: NodeID, at now: Instant, into output: inout RouterOutput
  ) {
    var told: [PublishResult] = []
    told.reserveCapacity(results.count)
    var later: Refusal?
    var isDone = false
    for result in results {
      guard let (place, entry) = lanes[index].find(result.ticket) else { continue }
      if case .refused(let refusal) = result.outcome, refusal.isPassing {
        // An older answer than the last attempt says nothing of that one.
        guard lanes[index].publishes[place].sentTo == broker else { continue }
        lanes[index].publishes[place].owe(refusal)
        later = refusal
        continue
      }
      if let answer = lanes[index].settle(place, entry, result) { told.append(answer) }
      isDone = true
    }
    if let later {
      counters.resent += UInt64(lanes[index].recall(from: broker))
      redirect(index, later, from: broker, at: now, into: &output)
    } else if isDone {
      lanes[index].somebodyLeads()
    }
    lanes[index].dropAnswered()
    if !told.isEmpty { output.replies.append(.published(ShardID(index), told)) }
  }

  // Questions ------------------------------------------------------------------------------------------

  private mutating func take(
    _ reply: ShardReply, _ index: Int, _ ticket: Ticket, _ refusal: Refusal?, from broker: NodeID, at now: Instant,
    into output: inout RouterOutput
  ) {
    guard let place = lanes[index].questions.firstIndex(where: { $0.ticket == ticket }) else {
      // Nobody waits for what has no ticket of its own: an acknowledgement on the way.
      return
    }
    if let refusal, refusal.isPassing {
      guard lanes[index].questions[place].sentTo == broker else { return }
      lanes[index].questions[place].sentTo = nil
      return redirect(index, refusal, from: broker, at: now, into: &output)
    }
    lanes[index].questions.remove(at: place)
    if !reply.isFromBehind { lanes[index].somebodyLeads() }
    output.replies.append(reply)
  }

  // Leaders --------------------------------------------------------------------------------------------

  /// A broker would not do it, for a reason that passes or that holds for it alone.
  private mutating func redirect(
    _ index: Int, _ refusal: Refusal, from broker: NodeID, at now: Instant, into output: inout RouterOutput
  ) {
    stir(index)
    guard lanes[index].leader == nil || lanes[index].leader == broker else { return }
    lanes[index].notBefore = nextAttempt(after: now)
    switch refusal {
    case .notLeader(let leader?) where leader != broker:
      lanes[index].reachableBy = now + settings.linkPatience
      // A leader that is known is asked at once, unless two send us to each other.
      if !lanes[index].refusedBy.contains(leader) { lanes[index].notBefore = now }
      remember(broker, index)
      move(index, to: leader, into: &output)
    case .electing, .overloaded: break
    case .noQuorum:
      remember(broker, index)
      // All who can be asked say so: there is nothing to wait for.
      lanes[index].nobodyLeads(at: now)
      if brokers.allSatisfy({ lanes[index].refusedBy.contains($0) }) {
        lanes[index].refusedBy.removeAll()
        output.replies += lanes[index].refuseUnsent()
      }
      move(index, to: other(than: broker), into: &output)
    case .notLeader:
      lanes[index].nobodyLeads(at: now)
      move(index, to: other(than: broker), into: &output)
    case .journalFailed, .damaged, .unknownOutcome, .diskFull, .headMoved, .noSuchConsumer, .consumerDiffers, .sessionLost:
      move(index, to: other(than: broker), into: &output)
    }
  }

  private mutating func remember(_ broker: NodeID, _ index: Int) {
    if !lanes[index].refusedBy.contains(broker) { lanes[index].refusedBy.append(broker) }
  }

  private mutating func nextAttempt(after now: Instant) -> Instant {
    now + settings.pause + TimeSpan(nanoseconds: Int64(random.below(Int(settings.pause.nanoseconds))))
  }

  private mutating func other(than broker: NodeID) -> NodeID {
    let others = brokers.filter { $0 != broker }
    return others.isEmpty ? broker : others[random.below(others.count)]
  }

  mutating func move(_ index: Int, to leader: NodeID, into output: inout RouterOutput) {
    guard lanes[index].leader != leader else { return }
    lanes[index].leader = leader
    counters.moves += 1
    counters.resent += UInt64(lanes[index].recall(except: leader))
    if let feedOn = lanes[index].feedOn, feedOn != leader { endFeed(index, .notLeader(leader), into: &output) }
    if let groupsOn = lanes[index].groupsOn, groupsOn != leader { endGroups(index, .notLeader(leader), into: &output) }
    stir(index)
  }

  /// The edge opens it anew, from where it had come; changes that were not sent are part of that.
  mutating func endFeed(_ index: Int, _ refusal: Refusal, into output: inout RouterOutput) {
    lanes[index].feedOn = nil
    lanes[index].changes.removeAll()
    output.replies.append(.feedEnded(ShardID(index), refusal))
  }

  /// The edge joins anew. What it asked before is sent to whoever leads, before that.
  mutating func endGroups(_ index: Int, _ refusal: Refusal, into output: inout RouterOutput) {
    lanes[index].groupsOn = nil
    output.replies.append(.group(GroupReply(shard: ShardID(index), .ended(refusal))))
  }
}

extension ShardReply {
  /// A page of a replica that answers because nobody leads.
  fileprivate var isFromBehind: Bool {
    guard case .read(let answer) = self, case .success(let page) = answer.result else { return false }
    return page.isBehind
  }
}

extension Refusal {
  /// Another broker, or a moment later, may bring what was asked for.
  var isPassing: Bool {
    switch self {
    case .notLeader, .electing, .noQuorum, .unknownOutcome, .journalFailed: true
    case .headMoved, .diskFull, .damaged, .overloaded, .noSuchConsumer, .consumerDiffers, .sessionLost: false
    }
  }
}
