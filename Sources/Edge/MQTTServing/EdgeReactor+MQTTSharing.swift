internal import Core
internal import Feeds
internal import MQTT
internal import Reactor
internal import Security

/// Shared subscriptions: who is in which group, and what the shards are told of it.
extension EdgeReactor {
  /// The session's share in what the filter brings; nil if it is no shared subscription. The code is to be told.
  func share(_ wish: MQTTSubscription, _ identifier: UInt32?, _ connection: Connection, _ session: MQTTSession) -> (code: MQTTReasonCode, group: SharedGroup?)? {
    guard MQTTSharedFilter.isShared(wish.filter) else { return nil }
    guard let shared = MQTTSharedFilter(wish.filter), let filter = shared.followed else { return (.topicFilterInvalid, nil) }
    guard filter.bytes.withUnsafeBytes({ settings.permissions.allows(.follow, $0) }) else { return (.notAuthorized, nil) }
    guard shared.group.count <= GroupLimits.nameBytes, hasRoom(for: wish.filter, session) else { return (.quotaExceeded, nil) }
    // Kept for as long as somebody is in the group: it does not hold the packet that it came in.
    let name = GroupName(name: shared.group.withUnsafeBytes { Bytes(copying: $0) }, filter: filter)
    let group = sharing.group(name, among: settings.shardCount)
    if session.shares[group] == nil { group.members.append(connection.key) }
    session.shares.hold(MQTTSharedMembership(filter: wish.filter, group: group, wish: wish, identifier: identifier))
    sharing.stir(group)
    return (MQTTReasonCode(granted: wish.qos), group)
  }

  /// False if there was no such subscription. What the client was sent it acknowledges yet.
  func unshare(_ filter: Bytes, _ connection: Connection, _ session: MQTTSession) -> Bool {
    guard let group = session.shares.leave(filter) else { return false }
    leave(group, connection, forGood: true)
    changeSubscriptions(connection, session)
    // A SUBSCRIBE may have waited for just this.
    for index in session.pendingSubscribes.indices { session.pendingSubscribes[index].groups.removeAll { $0 === group } }
    answerSubscribes(connection, session)
    return true
  }

  private func leave(_ group: SharedGroup, _ connection: Connection, forGood: Bool) {
    group.members.removeAll { $0 == connection.key }
    if group.members.isEmpty {
      group.hasLeftForGood = forGood
      group.releaseQueue()
    }
    sharing.stir(group)
  }

  /// The session is given back with what it has of QoS 2: it is the session's once its shard has that.
  func handOver(_ closing: SessionClosing, _ session: MQTTSession) {
    let holdings = session.shares.takeUnsaved()
    if !holdings.isEmpty { sharing.handedOver[closing.save.claim] = holdings }
  }

  /// Whether the session could be given back; if it was lost, nobody was sent what it took along.
  func handedOver(_ closing: SessionClosing, isKept: Bool) {
    guard let holdings = sharing.handedOver.removeValue(forKey: closing.save.claim) else { return }
    if isKept { holdings.forEach(finish) } else { holdings.reversed().forEach(returnToGroup) }
  }

  /// A save is done: whoever dies now, the session has these.
  func settleSaved(_ session: MQTTSession) {
    session.shares.saved().forEach(finish)
  }

  /// The session is another connection's, and was not told of these.
  func loseUnsaved(_ session: MQTTSession) {
    session.shares.takeUnsaved().reversed().forEach(returnToGroup)
  }

  /// The connection is gone: others have what it did not acknowledge, whether its session is kept or not. What was sent with QoS 2
  /// is nobody else's any more: a session that is kept has it, and with one that is not it is over ([MQTT-4.8.2-5]).
  func leaveShares(_ connection: Connection, _ session: MQTTSession) {
    guard !session.shares.isEmpty else { return }
    let (groups, holdings) = session.shares.takeAll()
    for group in groups { leave(group, connection, forGood: false) }
    for holding in holdings {
      if holding.qos == .exactlyOnce { finish(holding) } else { returnToGroup(holding) }
    }
  }

  // MARK: What clients say to it

  /// The client has the message: nobody else is to have it.
  func settleShare(_ token: UInt64, _ session: MQTTSession) {
    if let holding = session.shares.settle(token) { finish(holding) }
    goOnSharing(session)
  }

  private func finish(_ holding: MQTTShares.Holding) {
    holding.group.lanes[holding.message.lane].held.remove(holding.message.offset)
    holding.group.lanes[holding.message.lane].acknowledged.append(holding.message.offset)
    sharing.stir(holding.group)
  }

  /// Of several the newest first: then they stand in their order again.
  private func returnToGroup(_ holding: MQTTShares.Holding) {
    holding.group.takeBack(holding.message)
    sharing.stir(holding.group)
  }

  /// The client takes more again.
  func goOnSharing(_ session: MQTTSession) {
    guard session.shares.isAwaited else { return }
    session.shares.isAwaited = false
    for group in session.shares.groups where !group.queue.isEmpty || group.isStuck {
      group.isStuck = false
      sharing.stir(group)
    }
  }

  // MARK: What shards say

  func receive(_ reply: GroupReply) {
    switch reply.content {
    case .answer(let ticket, let refusal): if let question = sharing.answered(ticket) { answered(question, refusal) }
    case .push(let push): take(push, of: reply.shard)
    case .ended:
      for group in sharing.byName.values {
        guard let lane = group.lane(of: reply.shard) else { continue }
        group.end(lane, opening: generator.next())
        sharing.stir(group)
      }
    }
  }

  private func answered(_ question: SharedGroups.Question, _ refusal: Refusal?) {
    let (group, lane) = (question.group, question.lane)
    switch question.operation {
    case .join(let membership):
      guard question.opening == group.lanes[lane].opening, membership.members > 0 else { break }
      if let refusal {
        group.lanes[lane].isRefused = true
        if refusal == .overloaded { refuseShares(in: group) }
      } else {
        group.lanes[lane].isJoined = !group.members.isEmpty
        if group.isLive { answerShares(in: group) }
      }
    case .acknowledge(let offsets):
      // Nobody led for long: it is said again until somebody hears it.
      if refusal != nil { group.lanes[lane].acknowledged += offsets }
    case .release(_, let offsets):
      if refusal != nil, question.opening == group.lanes[lane].opening { group.lanes[lane].released += offsets }
    case .leave:
      // It is told again that nobody is here, unless somebody is.
      if refusal != nil, question.opening == group.lanes[lane].opening, group.members.isEmpty { group.lanes[lane].told = (1, 0) }
    }
    if refusal == nil { sharing.stir(group) }
  }

  /// SUBSCRIBEs that waited for the group may be answered now.
  private func answerShares(in group: SharedGroup) {
    for key in group.members {
      guard let connection = connections[key], case .mqtt(let session) = connection.role else { continue }
      for index in session.pendingSubscribes.indices { session.pendingSubscribes[index].groups.removeAll { $0 === group } }
      answerSubscribes(connection, session)
    }
  }

  /// A shard has no room for another group: nobody who waits for it is in it.
  private func refuseShares(in group: SharedGroup) {
    for key in group.members {
      guard let connection = connections[key], case .mqtt(let session) = connection.role, let membership = session.shares[group] else { continue }
      var isWaiting = false
      for index in session.pendingSubscribes.indices where session.pendingSubscribes[index].groups.contains(where: { $0 === group }) {
        isWaiting = true
        session.pendingSubscribes[index].groups.removeAll { $0 === group }
        session.pendingSubscribes[index].refuse(membership.filter)
      }
      guard isWaiting else { continue }
      session.shares.leave(group)
      leave(group, connection, forGood: true)
      answerSubscribes(connection, session)
    }
  }

  // MARK: Telling shards

  /// What changed in this turn.
  func flushShares() {
    for group in sharing.takeStirred() {
      give(group)
      let credit = group.isStuck ? nil : credit(of: group)
      for lane in group.lanes.indices { tell(group, lane, credit ?? min(group.lanes[lane].held.count, GroupLimits.credit)) }
      if group.isOver { sharing.drop(group) }
    }
  }

  private func tell(_ group: SharedGroup, _ lane: Int, _ credit: Int) {
    if group.lanes[lane].opening == 0 { group.lanes[lane].opening = generator.next() | 1 }
    let opening = group.lanes[lane].opening
    func ask(_ operation: GroupRequest.Operation) {
      let request = sharing.ask(SharedGroups.Question(group: group, lane: lane, opening: opening, operation: operation), from: edge)
      self.ask(group.lanes[lane].shard, .group(request))
    }
    for offsets in group.lanes[lane].acknowledged.parts(ofAtMost: GroupLimits.offsets) { ask(.acknowledge(offsets)) }
    group.lanes[lane].acknowledged.removeAll()
    let members = min(group.members.count, GroupLimits.members)
    if members > 0, !group.lanes[lane].isRefused {
      if group.lanes[lane].told != (members, credit) {
        group.lanes[lane].told = (members, credit)
        let holding = group.lanes[lane].held.sorted().prefix(GroupLimits.offsets)
        ask(.join(GroupMembership(opening: opening, members: members, credit: credit, holding: Array(holding))))
      }
    }
    for offsets in group.lanes[lane].released.parts(ofAtMost: GroupLimits.offsets) { ask(.release(opening: opening, offsets)) }
    group.lanes[lane].released.removeAll()
    if members == 0, group.lanes[lane].told.members > 0 {
      group.lanes[lane].told = (0, 0)
      group.lanes[lane].isJoined = false
      ask(.leave(opening: opening, forGood: group.hasLeftForGood))
    }
  }

  /// What the members take at once, all together.
  private func credit(of group: SharedGroup) -> Int {
    var credit = 0
    for key in group.members {
      guard let connection = connections[key], case .mqtt(let session) = connection.role, let membership = session.shares[group] else { continue }
      let isUnbounded = membership.wish.qos == MQTTQoS.atMostOnce
      credit += isUnbounded ? GroupLimits.credit : session.channel.window + session.channel.inFlightCount
      if credit >= GroupLimits.credit { return GroupLimits.credit }
    }
    return credit
  }

  // MARK: Time

  /// What nobody here took for a while others are to have; what was refused is asked again.
  func careForShares() {
    for group in sharing.byName.values {
      for lane in group.lanes.indices where group.lanes[lane].isRefused {
        group.lanes[lane].isRefused = false
        group.lanes[lane].told = (0, 0)
        sharing.stir(group)
      }
      if group.members.isEmpty || group.lanes.contains(where: \.hasToTell) { sharing.stir(group) }
      guard !group.queue.isEmpty else {
        group.idleRounds = 0
        continue
      }
      group.idleRounds += 1
      guard group.idleRounds > SharedGroups.patience else { continue }
      group.isStuck = true
      group.releaseQueue()
      sharing.stir(group)
    }
    if sharing.isStirred { loop.wakeImmediately() }
  }
}

extension MQTTSharedFilter {
  /// What it is shared of; nil where a filter is longer than they are here.
  fileprivate var followed: Filter? {
    do throws(TopicError) { return try Filter(filter.withUnsafeBytes { Bytes(copying: $0) }) } catch { return nil }
  }
}
