internal import Core
internal import Feeds
internal import MQTT
internal import Reactor
internal import Sessions

/// Messages of groups on their way from the shards to one member each.
extension EdgeReactor {
  func take(_ push: GroupPush, of shard: ShardID) {
    guard let group = sharing.byName[push.group], let lane = group.lane(of: shard), group.lanes[lane].opening == push.opening else { return }
    counters.pushes += 1
    if let gap = push.gap { group.gaps.append((shard, gap)) }
    for piece in push.pieces {
      var start = 0
      piece.withUnsafeBytes { memory in
        for record in RecordSequence(trusting: memory) {
          group.queue.append(SharedGroup.Message(lane: lane, offset: record.offset, record: piece.slice(start..<start + record.length)))
          start += record.length
        }
      }
    }
    if group.members.isEmpty { group.releaseQueue() }
    sharing.stir(group)
  }

  /// Gives out what there is, one message to one member in turns, as long as anybody takes any.
  func give(_ group: SharedGroup) {
    tellGaps(group)
    var given = 0
    while given < group.queue.count, give(group.queue[given], of: group) { given += 1 }
    guard given > 0 else { return }
    group.queue.removeFirst(given)
    group.idleRounds = 0
  }

  /// False if nobody takes it now.
  private func give(_ message: SharedGroup.Message, of group: SharedGroup) -> Bool {
    message.record.withUnsafeBytes { bytes in
      let record = RecordView(trusting: bytes.baseAddress.unsafelyUnwrapped)
      if record.isExpired(at: loop.wallTime) {
        group.lanes[message.lane].acknowledged.append(message.offset)
        return true
      }
      for _ in group.members.indices {
        group.next = group.next + 1 < group.members.count ? group.next + 1 : 0
        guard let connection = connections[group.members[group.next]], connection.isMQTT, case .mqtt(let session) = connection.role,
          let membership = session.shares[group]
        else { continue }
        // Nothing comes before SUBACK.
        let isWaiting = session.pendingSubscribes.contains { $0.filters.contains(membership.filter) }
        guard !isWaiting, !connection.isBlocked, connection.output.pendingBytes < RequestLimits.catchUpWindow else {
          session.shares.isAwaited = true
          continue
        }
        let shard = group.lanes[message.lane].shard
        var delivery = membership.delivery(of: record)
        // Of QoS 2 it stays this client's, and is found again with its session ([MQTT-4.8.2-4]).
        let isFound = delivery.qos == .exactlyOnce
        delivery.token = isFound ? MQTTToken.make(shard, message.offset, isCurrent: false, isShared: true) : session.nextToken()
        switch send(delivery, record, shard, session, connection) {
        case .windowFull, .notConnected:
          session.shares.isAwaited = true
          continue
        // A client that does not take packets so large counts as having it ([MQTT-3.1.2-25]).
        case .tooLarge: group.lanes[message.lane].acknowledged.append(message.offset)
        case .sent where delivery.qos == .atMostOnce: group.lanes[message.lane].acknowledged.append(message.offset)
        case .sent:
          group.lanes[message.lane].held.insert(message.offset)
          let isKept = isFound && session.keeping?.isDurable == true
          session.shares.sent(MQTTShares.Holding(group: group, message: message, qos: delivery.qos), token: delivery.token, isKept: isKept)
        }
        return true
      }
      return false
    }
  }

  private func tellGaps(_ group: SharedGroup) {
    guard !group.gaps.isEmpty else { return }
    for key in group.members {
      guard let connection = connections[key], connection.isMQTT, case .mqtt(let session) = connection.role else { continue }
      for (shard, gap) in group.gaps { tellMQTT(gap, of: shard, connection, session) }
      group.gaps.removeAll()
      return
    }
  }
}
