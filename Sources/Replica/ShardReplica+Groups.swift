internal import Core
internal import Feeds
internal import Journal
internal import Shard

/// Groups: their places through the log, who has what from the leader's memory.
extension ShardReplica {
  mutating func group(_ request: GroupRequest, wall: WallTime, into output: inout ReplicaOutput) {
    var asker = CommandAsker(edge: request.edge, ticket: request.ticket, kind: .group)
    guard isServing else { return answer(asker, consensusRefusal ?? .electing, into: &output) }
    switch request.operation {
    case .join(let membership):
      let index = groups.entry(request.group)
      let isKnown = groups[index].hasBegun && groups[index].dispatch.opening(of: request.edge) == membership.opening
      groups[index].dispatch.join(request.edge, membership)
      answerLeaving(index, into: &output)
      if isKnown { return answer(asker, nil, into: &output) }
      asker.kind = .join(request.group)
      gather(.openGroup(request.group), asker, wall: wall, into: &output)
    case .leave(let opening, let forGood):
      if let index = groups.index(of: request.group) {
        _ = groups[index].dispatch.leave(request.edge, opening: opening)
        if forGood {
          groups[index].leaving.append(asker)
          return settleLeaving(index, into: &output)
        }
      } else if forGood, state.groups[request.group] != nil {
        // Who else is in it is told soon, if this leader is new.
        return groups[groups.entry(request.group)].leaving.append(asker)
      }
      answer(asker, nil, into: &output)
    case .acknowledge(let offsets):
      guard let index = groups.index(of: request.group) ?? (state.groups[request.group] == nil ? nil : groups.entry(request.group)) else {
        return answer(asker, nil, into: &output)
      }
      groups[index].dispatch.acknowledge(offsets)
      groups[index].acknowledging.append(asker)
    case .release(let opening, let offsets):
      if let index = groups.index(of: request.group) { groups[index].dispatch.release(request.edge, opening: opening, offsets) }
      answer(asker, nil, into: &output)
    }
  }

  private func answer(_ asker: CommandAsker, _ refusal: Refusal?, into output: inout ReplicaOutput) {
    output.replies.append(AddressedReply(edge: asker.edge, reply: .group(GroupReply(shard: settings.shard, .answer(asker.ticket, refusal)))))
  }

  /// What a command came to. False if a group's edge did not ask for it.
  mutating func answerGroup(_ asker: CommandAsker, _ outcome: CommandOutcome, into output: inout ReplicaOutput) -> Bool {
    let joined: GroupName?
    switch asker.kind {
    case .consumer, .session: return false
    case .group: joined = nil
    case .join(let name): joined = name
    }
    let refusal: Refusal? = if case .refused(let why) = outcome { why } else { nil }
    if let name = joined, let index = groups.index(of: name) {
      if let place = state.groups[name], refusal == nil {
        if !groups[index].hasBegun { groups[index].begin(after: place.cursor) }
      } else {
        groups[index].dispatch.forget(asker.edge)
        // Nothing is kept of a group for which there was no room.
        if groups[index].isVoid { groups.remove(name) }
      }
    }
    answer(asker, refusal, into: &output)
    return true
  }

  // Giving out -----------------------------------------------------------------------------------------

  private var hasSettled: Bool { clock - groups.since >= min(settings.groupSettling, settings.presenceSettling) }

  /// Gives out what is committed and nobody's, as far as there is room.
  mutating func pumpGroups(wall: WallTime, into output: inout ReplicaOutput) {
    guard isServing, hasSettled else { return }
    for index in groups.entries.indices {
      giveOut(index, into: &output)
      while desk.waitingCount < settings.maximumWaitingReads, let scan = groups.nextPage(index, committed: committed) {
        go(.scan(scan), wall: wall, into: &output)
        guard groups[index].reading == nil else { break }
        giveOut(index, into: &output)
        // A page that could not be read is read again with the next turn.
        if groups[index].dispatch.at == scan.at, groups[index].ahead.isEmpty { break }
      }
    }
  }

  private mutating func giveOut(_ index: Int, into output: inout ReplicaOutput) {
    guard groups[index].hasBegun, let place = state.groups[groups[index].group] else { return }
    var given = groups[index].giveOut { place.isDone($0) }
    var gap = groups[index].gap
    if gap != nil, given.isEmpty, let holder = groups[index].dispatch.holders.first(where: { $0.members > 0 }) { given.append((holder.edge, [])) }
    if !given.isEmpty { groups[index].gap = nil }
    for (edge, pieces) in given {
      guard let opening = groups[index].dispatch.opening(of: edge) else { preconditionFailure("given to an edge that is not there") }
      let push = GroupPush(group: place.group, opening: opening, pieces: pieces, gap: gap)
      gap = nil
      output.replies.append(AddressedReply(edge: edge, reply: .group(GroupReply(shard: settings.shard, .push(push)))))
    }
  }

  mutating func takeGroupPage(_ scan: Scan) { groups.take(scan, gap: gap(of: scan)) }

  // What goes into the log -----------------------------------------------------------------------------

  /// With a tick: what was acknowledged since the last one, as one command for each group.
  mutating func tickGroups(into output: inout ReplicaOutput) {
    guard isServing, appendRefusal == nil else { return }
    var stretches = 0
    for index in groups.entries.indices.reversed() {
      if gathered.isFull || stretches > GroupDesk.stretchesPerEntry { return }
      let group = groups[index].group
      if !groups[index].acknowledging.isEmpty || !groups[index].dispatch.acknowledged.isEmpty, let place = state.groups[group] {
        let ranges = groups[index].dispatch.takeDone(cursor: place.cursor)
        let askers = groups[index].takeAcknowledging()
        stretches += ranges.count
        if ranges.isEmpty {
          for asker in askers { answer(asker, nil, into: &output) }
        } else {
          gathered.add(.acknowledgeGroup(group, ranges), askedBy: askers)
        }
      }
      if !groups[index].leaving.isEmpty { settleLeaving(index, into: &output) }
    }
  }

  /// Ends a group that the last one has left for good, as soon as it is known that nobody else is there.
  private mutating func settleLeaving(_ index: Int, into output: inout ReplicaOutput) {
    if groups[index].dispatch.members > 0 { return answerLeaving(index, into: &output) }
    guard hasSettled, appendRefusal == nil, !gathered.isFull else { return }
    // Whatever is acknowledged from here on is of a group that is no more.
    gathered.add(.closeGroup(groups[index].group), askedBy: groups[index].leaving + groups[index].acknowledging)
    groups.remove(groups[index].group)
  }

  /// Somebody is there again.
  private mutating func answerLeaving(_ index: Int, into output: inout ReplicaOutput) {
    for asker in groups[index].leaving { answer(asker, nil, into: &output) }
    groups[index].leaving.removeAll()
  }

  /// Quiet groups keep up with retention, and those that nobody comes back to are forgotten.
  mutating func keepGroups(wall: WallTime) {
    guard hasSettled, appendRefusal == nil else { return }
    for entry in groups.entries where entry.hasBegun && !gathered.isFull {
      guard let place = state.groups[entry.group] else { continue }
      if let range = entry.dispatch.idleStretch(cursor: place.cursor), place.cursor < beforeFirst || range.last.value - place.cursor.value >= GroupDesk.idleEntries {
        gathered.add(.acknowledgeGroup(entry.group, [range]), askedBy: [])
      } else if entry.dispatch.members > 0, wall.milliseconds - place.updated.milliseconds >= GroupLimits.idleMilliseconds / 7 {
        gathered.add(.openGroup(entry.group), askedBy: [])
      }
    }
    for place in state.groups.idle(since: WallTime(milliseconds: wall.milliseconds - GroupLimits.idleMilliseconds)) where !gathered.isFull {
      if let index = groups.index(of: place.group) {
        guard groups[index].dispatch.holders.isEmpty, groups[index].acknowledging.isEmpty, groups[index].leaving.isEmpty else { continue }
        groups.remove(place.group)
      }
      gathered.add(.closeGroup(place.group), askedBy: [])
    }
  }

  /// Another leads: the edges join there.
  mutating func endGroups(into output: inout ReplicaOutput) {
    var told: [EdgeID] = []
    for entry in groups.end() {
      for asker in entry.acknowledging + entry.leaving { answer(asker, readRefusal, into: &output) }
      for holder in entry.dispatch.holders where !told.contains(holder.edge) {
        told.append(holder.edge)
        output.replies.append(AddressedReply(edge: holder.edge, reply: .group(GroupReply(shard: settings.shard, .ended(readRefusal)))))
      }
    }
  }
}

extension GroupDesk.Entry {
  fileprivate mutating func begin(after cursor: Offset) {
    dispatch.begin(after: cursor)
    hasBegun = true
  }

  fileprivate mutating func takeAcknowledging() -> [CommandAsker] {
    defer { acknowledging.removeAll() }
    return acknowledging
  }
}
